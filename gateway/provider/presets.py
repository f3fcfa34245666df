"""Derive a provider's options from the little that an operator knows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args
from urllib.parse import urlsplit

from gateway.core.cognito import POOL_ID
from gateway.core.secret import Secret
from gateway.provider.discovery import Endpoint
from gateway.provider.options import ProviderOptions


def cognito(  # noqa: PLR0913 - one keyword for each setting of the preset
    *,
    user_pool_id: str,
    domain: str,
    client_id: str,
    client_secret: Secret | None = None,
    region: str | None = None,
    issuer: str | None = None,
    endpoint: str | None = None,
    scopes: Sequence[str] = ("openid", "email"),
    endpoints: Mapping[str, str] | None = None,
    extra_authorize_params: Mapping[str, str] | None = None,
) -> ProviderOptions:
    """Amazon Cognito, or a pool that is faithful to it. No discovery: all addresses follow.

    `domain` is a host, or an origin such as http://localhost:8001. `region` is read from the pool id when it is None.
    `issuer` is what the tokens say, Amazon's when None; `endpoint` is the address under which its `.well-known`
    documents are, the issuer itself when None. `endpoints` overrides single addresses by their discovery names. The
    default scopes are those that Amazon's console allows a new client; ask for `profile` where the client may have it.

    Raises ValueError.
    """
    base = _origin(domain)
    issuer = issuer or f"https://cognito-idp.{_region(region, user_pool_id)}.amazonaws.com/{user_pool_id}"
    options = ProviderOptions(
        issuer=issuer,
        client_id=client_id,
        client_secret=client_secret,
        scopes=tuple(scopes),
        authorization_endpoint=f"{base}/oauth2/authorize",
        token_endpoint=f"{base}/oauth2/token",
        jwks_uri=f"{(endpoint or issuer).rstrip('/')}/.well-known/jwks.json",
        userinfo_endpoint=f"{base}/oauth2/userInfo",
        revocation_endpoint=f"{base}/oauth2/revoke",
        end_session_endpoint=f"{base}/logout",
        logout_style="cognito",
        token_use_required=True,
        client_authentication="basic-raw",
        extra_authorize_params=dict(extra_authorize_params or {}),
    )
    return _override(options, endpoints or {})


def oidc(  # noqa: PLR0913 - one keyword for each setting of the preset
    *,
    issuer: str,
    client_id: str,
    client_secret: Secret | None = None,
    discovery_url: str | None = None,
    scopes: Sequence[str] = ("openid", "email", "profile"),
    endpoints: Mapping[str, str] | None = None,
    extra_authorize_params: Mapping[str, str] | None = None,
) -> ProviderOptions:
    """Any OpenID provider that publishes a discovery document, at `discovery_url` or under its issuer.

    `endpoints` overrides single addresses by their discovery names. Raises ValueError.
    """
    options = ProviderOptions(
        issuer=issuer,
        client_id=client_id,
        client_secret=client_secret,
        discovery_url=discovery_url,
        scopes=tuple(scopes),
        email="not-denied",  # Entra and ADFS send no `email_verified`
        extra_authorize_params=dict(extra_authorize_params or {}),
    )
    return _override(options, endpoints or {})


def _override(options: ProviderOptions, endpoints: Mapping[str, str]) -> ProviderOptions:
    if unknown := set(endpoints).difference(get_args(Endpoint)):
        raise ValueError(
            f"endpoints: {', '.join(sorted(unknown))} is no endpoint; known: {', '.join(get_args(Endpoint))}"
        )
    return replace(options, **dict(endpoints))  # type: ignore[arg-type]


def _origin(domain: str) -> str:
    """The origin of a pool's domain, however it is written."""
    url = (domain if "://" in domain else f"https://{domain}").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or f"{parts.scheme}://{parts.netloc}" != url:
        raise ValueError(f"domain: {domain!r} is neither a host nor an origin")
    return url


def _region(region: str | None, user_pool_id: str) -> str:
    """The region, which is also the first half of the pool's id."""
    match = POOL_ID.fullmatch(user_pool_id)
    if match is None:
        raise ValueError(f"user_pool_id: {user_pool_id!r} does not look like eu-west-1_AbC123")
    if region not in (None, match["region"]):
        raise ValueError(f"region: {region!r} is not the one of the pool {user_pool_id}")
    return match["region"]
