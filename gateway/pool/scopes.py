"""Judge the scopes that a client asks for."""

from collections.abc import Sequence

from gateway.pool.records import AppClient, ResourceServer
from gateway.pool.refusals import OAuthError

OIDC_SCOPES = ("openid", "email", "phone", "profile", "aws.cognito.signin.user.admin")

_NEED_OPENID = frozenset({"email", "phone", "profile"})


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
    if not granted or (_NEED_OPENID & set(granted) and "openid" not in granted):
        raise OAuthError("invalid_scope")
    return granted


def standing_scopes(client: AppClient, servers: Sequence[ResourceServer], granted: Sequence[str]) -> tuple[str, ...]:
    """What is left today of scopes that were granted once: what was taken from the client since is gone.

    `openid` alone shows all attributes, so it goes too when the last scope goes that had narrowed it.
    """
    known = {*OIDC_SCOPES, *(scope for server in servers for scope in server.full_scopes())}
    left = tuple(scope for scope in granted if scope in client.allowed_scopes and scope in known)
    widened = _NEED_OPENID & set(granted) and not _NEED_OPENID & set(left)
    if "openid" in left and not widened:
        return left
    return tuple(scope for scope in left if scope != "openid" and scope not in _NEED_OPENID)


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
