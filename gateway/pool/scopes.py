"""Judge the scopes that a client asks for."""

from collections.abc import Sequence

from gateway.pool.records import AppClient, ResourceServer
from gateway.pool.refusals import OAuthError

OIDC_SCOPES = ("openid", "email", "phone", "profile", "aws.cognito.signin.user.admin")


def requested_scopes(client: AppClient, servers: Sequence[ResourceServer], raw: str | None) -> tuple[str, ...]:
    """The scopes to grant at authorize: all of the client's when none are asked for.

    A scope that its resource server no longer has is ignored. Raises `OAuthError("invalid_scope")` for one that the
    client is not allowed, or when nothing is left.
    """
    known = {*OIDC_SCOPES, *(scope for server in servers for scope in server.full_scopes())}
    asked = tuple(dict.fromkeys((raw or "").split())) or client.allowed_scopes
    if not set(asked) <= set(client.allowed_scopes):
        raise OAuthError("invalid_scope")
    granted = tuple(scope for scope in asked if scope in known)
    if not granted or (set(granted) & {"email", "phone", "profile"} and "openid" not in granted):
        raise OAuthError("invalid_scope")
    return granted


def machine_scopes(client: AppClient, servers: Sequence[ResourceServer], raw: str | None) -> tuple[str, ...]:
    """The scopes of a client_credentials grant: custom ones only, all of the client's when none are asked for.

    Raises OAuthError (`invalid_scope`) for one that the client is not allowed, that no resource server has, or that
    speaks of a user.
    """
    known = {scope for server in servers for scope in server.full_scopes()}
    allowed = tuple(scope for scope in client.allowed_scopes if scope in known)
    asked = tuple(dict.fromkeys((raw or "").split())) or allowed
    if not asked or not set(asked) <= set(allowed):
        raise OAuthError("invalid_scope")
    return asked
