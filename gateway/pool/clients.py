"""Tell which app client is calling, and whether it is that client."""

import base64
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote

from gateway.core.secret import Secret
from gateway.pool.options import PoolOptions
from gateway.pool.records import AppClient
from gateway.pool.refusals import OAuthError

_NO_CLIENT: Final = AppClient(client_id="none", client_secret=Secret("no client has this secret"))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the caller says it is, one reading of it."""

    client_id: str
    secret: str = field(repr=False)


def authenticate(options: PoolOptions, authorization: str | None, *, client_id: str, client_secret: str) -> AppClient:
    """The client that the request proves to come from: Basic, secret in the form, or a public client's id.

    `client_id` and `client_secret` are the form's, empty when absent.

    Raises:
        OAuthError: `invalid_client` for anything that does not fit, unknown and wrong alike; `invalid_request` for
            two ways at once (RFC 6749 §2.3) or none.
    """
    for credentials in _readings(authorization, client_id, client_secret):
        client = options.client(credentials.client_id)
        if _fits(client or _NO_CLIENT, credentials.secret) and client is not None:
            return client
    raise OAuthError("invalid_client")


def _readings(authorization: str | None, client_id: str, client_secret: str) -> list[Credentials]:
    if not authorization:
        if not client_id:
            raise OAuthError("invalid_request")
        return [Credentials(client_id, client_secret)]
    if client_secret:
        raise OAuthError("invalid_request")
    readings = _basic(authorization)
    if client_id and all(client_id != reading.client_id for reading in readings):
        raise OAuthError("invalid_request")
    return readings


def _basic(authorization: str) -> list[Credentials]:
    # RFC 6749 §2.3.1 wants id and secret percent-encoded, Amazon's own examples are not: both are accepted. They differ
    # in '%' and '+' only, and neither reading opens a client whose secret was not sent.
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise OAuthError("invalid_client")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError as error:  # not ASCII, not base64, not UTF-8
        raise OAuthError("invalid_client") from error
    client_id, _, secret = text.partition(":")
    raw = Credentials(client_id, secret)
    decoded = Credentials(unquote(client_id), unquote(secret))
    return [raw] if raw == decoded else [raw, decoded]


def _fits(client: AppClient, secret: str) -> bool:
    if client.client_secret is None:
        return not secret
    return client.client_secret == Secret(secret)
