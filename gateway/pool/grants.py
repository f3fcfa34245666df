"""Turn what was granted into tokens: codes, refresh tokens, a client's own credentials."""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.errors import BadToken
from gateway.pool import claims as compose
from gateway.pool.options import PoolOptions
from gateway.pool.pkce import pkce_matches
from gateway.pool.records import AppClient, User
from gateway.pool.refusals import OAuthError
from gateway.pool.scopes import machine_scopes, standing_scopes
from gateway.pool.storage import PoolStorage, Transaction
from gateway.pool.stored import AuthorizationCode, Grant, RefreshToken
from gateway.pool.tokens import Tokens

__all__ = ["Grants", "OAuthError", "TokenAnswer"]

CODE_SECONDS: Final = 300
"""Lifetime of an authorization code (authorization-endpoint: five minutes)."""
_NO_OPENID: Final = "Access token does not contain openid scope"
_GONE: Final = "Access token is expired, disabled, or deleted, or the user has globally signed out."


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """What the token endpoint gives; absent tokens are `None`. `expires_in` is in seconds."""

    access_token: str = field(repr=False)
    id_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    expires_in: int


def digest_of(token: str) -> bytes:
    """How a code or token of at least 122 random bits is stored: a bare hash, no guessing opens it."""
    return hashlib.sha256(token.encode()).digest()


class Grants:
    """Every method raises `OAuthError`."""

    def __init__(self, options: PoolOptions, storage: PoolStorage, tokens: Tokens) -> None:
        self._options = options
        self._storage = storage
        self._tokens = tokens

    async def issue_code(  # noqa: PLR0913 - the parameters of an authorization request
        self, tx: Transaction, client: AppClient, user: User, *, redirect_uri: str, scopes: Sequence[str],
        nonce: str | None, code_challenge: str | None, auth_time: int, now: int, resource: str | None = None,
    ) -> str:  # fmt: skip
        """A code for the client: a UUID, good for five minutes and one use.

        Raises:
            OAuthError: `unauthorized_client` when the client may not use codes, `invalid_request` when it is a public
                client that must use PKCE and does not.
        """
        if "code" not in client.allowed_flows:
            raise OAuthError("unauthorized_client")
        if client.require_pkce and code_challenge is None:
            raise OAuthError("invalid_request")
        code, origin_jti, expires_at = str(uuid.uuid4()), str(uuid.uuid4()), now + CODE_SECONDS
        # The grant is kept before the code is used, so that a second use can revoke it while the first is under way.
        grant = Grant(
            origin_jti=origin_jti, client_id=client.client_id, sub=user.sub, scopes=tuple(scopes), auth_time=auth_time,
            credential_version=user.credential_version, nonce=nonce, resource=resource, expires_at=expires_at,
        )  # fmt: skip
        bound = AuthorizationCode(
            digest=digest_of(code), origin_jti=origin_jti, client_id=client.client_id, redirect_uri=redirect_uri,
            code_challenge=code_challenge, expires_at=expires_at,
        )  # fmt: skip
        await tx.grants.add(grant, bound)
        return code

    async def redeem(
        self, client: AppClient, *, code: str, redirect_uri: str, code_verifier: str | None, now: int
    ) -> TokenAnswer:
        """Tokens for a code.

        A code that was used before revokes what its first use gave (R3, RFC 6749 §4.1.2). A refused attempt does not
        use the code up.

        Raises:
            OAuthError: `invalid_grant`; `unauthorized_client` for another redirect_uri, as observed at Amazon's.
        """
        async with self._storage.transaction() as tx:
            bound = await tx.grants.code(digest_of(code))
            if bound is None or bound.client_id != client.client_id:
                raise OAuthError("invalid_grant")
            if bound.spent_at is None:
                _check_binding(client, bound, redirect_uri, code_verifier, now)
                user, grant = await self._party(tx, client, bound.origin_jti, now)
                refresh_token = await self._spend(tx, client, bound, now)
                return self._answer(client, user, grant, now, refresh_token=refresh_token)
            await tx.grants.revoke(bound.origin_jti, now)
        raise OAuthError("invalid_grant")

    async def _spend(self, tx: Transaction, client: AppClient, bound: AuthorizationCode, now: int) -> str:
        await tx.grants.spend(bound.digest, now)
        refresh_token, record = _new_refresh(bound.origin_jti, now + client.refresh_token_validity)
        # The last access token may outlive the refresh token, and userInfo answers it.
        await tx.grants.open(record, record.expires_at + client.access_token_validity)
        return refresh_token

    async def refresh(self, client: AppClient, *, refresh_token: str, now: int) -> TokenAnswer:
        """New tokens for a refresh token, with the user's groups and attributes of now.

        With rotation a new refresh token comes for the remaining lifetime, the old one works on for the grace, and
        after that its use is taken for theft: the whole family is revoked (R4, RFC 9700 §4.14.2).

        Raises:
            OAuthError: `invalid_grant`.
        """
        rotates = client.refresh_token_rotation
        successor = None
        async with self._storage.transaction() if rotates else self._storage.snapshot() as tx:
            kept = await tx.grants.refresh_token(digest_of(refresh_token))
            if kept is None or now >= kept.expires_at:
                raise OAuthError("invalid_grant")
            user, grant = await self._party(tx, client, kept.origin_jti, now)
            reused = _is_reused(client, kept, now)
            if rotates and not reused:
                successor, record = _new_refresh(kept.origin_jti, kept.expires_at)
                await tx.grants.rotate(kept.digest, record, now, now + client.rotation_grace)
        if reused:
            async with self._storage.transaction() as tx:
                await tx.grants.revoke(kept.origin_jti, now)
            raise OAuthError("invalid_grant")
        # A refreshed ID token has no nonce (OpenID Connect Core §12.2).
        return self._answer(client, user, grant, now, refresh_token=successor, nonce=False)

    async def client_credentials(self, client: AppClient, *, scope: str | None, now: int) -> TokenAnswer:
        """An access token for the client itself.

        Raises:
            OAuthError: `unauthorized_client`, `invalid_scope`.
        """
        if "client_credentials" not in client.allowed_flows or client.client_secret is None:
            raise OAuthError("unauthorized_client")
        scopes = machine_scopes(client, self._options.resource_servers, scope)
        token = self._tokens.machine_token(client, scopes, now)
        return TokenAnswer(access_token=token, expires_in=client.access_token_validity)

    async def revoke(self, client: AppClient, *, token: str, now: int) -> None:
        """Revoke a refresh token with everything of its family; unknown ones are no error (RFC 7009 §2.2).

        Raises:
            OAuthError: `unsupported_token_type` for a signed token, `invalid_request` when the client has revocation
                off, `unauthorized_client` for another client's token.
        """
        if not client.enable_token_revocation:
            raise OAuthError("invalid_request")
        if token.count(".") == 2:
            raise OAuthError("unsupported_token_type")
        async with self._storage.transaction() as tx:
            kept = await tx.grants.refresh_token(digest_of(token))
            grant = None if kept is None else await tx.grants.get(kept.origin_jti)
            if grant is None:
                return
            if grant.client_id != client.client_id:
                raise OAuthError("unauthorized_client")
            await tx.grants.revoke(grant.origin_jti, now)

    async def user_info(self, access_token: str, now: int) -> dict[str, str]:
        """The claims that the access token lets its holder see.

        Raises:
            OAuthError: `invalid_token` with status 401.
        """
        try:
            claims = self._tokens.open_access_token(access_token, now)
        except BadToken as error:
            raise OAuthError("invalid_token", _GONE, status=401) from error
        scopes = str(claims.get("scope", "")).split()
        if "openid" not in scopes:
            raise OAuthError("invalid_token", _NO_OPENID, status=401)
        client = self._options.client(claims.get("client_id"))
        try:
            if client is None:
                raise OAuthError("invalid_grant")  # noqa: TRY301 - said to the caller below, like every other reason
            async with self._storage.snapshot() as tx:
                user, grant = await self._party(tx, client, str(claims.get("event_id")), now)
        except OAuthError as error:
            raise OAuthError("invalid_token", _GONE, status=401) from error
        if "openid" not in grant.scopes:
            raise OAuthError("invalid_token", _NO_OPENID, status=401)
        return compose.user_info(user, grant.scopes, client)

    async def _party(self, tx: Transaction, client: AppClient, origin_jti: str, now: int) -> tuple[User, Grant]:
        """The user and the grant of a family, if both still stand and are the client's.

        The client is judged as it is now: a flow or scope that it has lost since is gone from what it was granted.
        """
        grant = await tx.grants.get(origin_jti)
        if grant is None or grant.client_id != client.client_id:
            raise OAuthError("invalid_grant")
        if grant.revoked_at is not None or now >= grant.expires_at:
            raise OAuthError("invalid_grant")
        user = await tx.users.get(grant.sub)
        if user is None or not user.may_sign_in or user.credential_version != grant.credential_version:
            raise OAuthError("invalid_grant")
        scopes = standing_scopes(client, self._options.resource_servers, grant.scopes)
        if not scopes or "code" not in client.allowed_flows or not compose.readable_scopes(scopes, client):
            raise OAuthError("invalid_grant")
        return user, replace(grant, scopes=scopes)

    def _answer(
        self, client: AppClient, user: User, grant: Grant, now: int, *, refresh_token: str | None, nonce: bool = True
    ) -> TokenAnswer:
        access_token = self._tokens.access_token(client, user, grant, now)
        id_token = None
        if "openid" in grant.scopes:
            shown = grant if nonce else replace(grant, nonce=None)
            id_token = self._tokens.id_token(client, user, shown, access_token, now)
        return TokenAnswer(
            access_token=access_token,
            id_token=id_token,
            refresh_token=refresh_token,
            expires_in=client.access_token_validity,
        )


def _check_binding(
    client: AppClient, bound: AuthorizationCode, redirect_uri: str, code_verifier: str | None, now: int
) -> None:
    if now >= bound.expires_at or bound.redirect_uri not in client.callback_urls:
        raise OAuthError("invalid_grant")
    if client.require_pkce and bound.code_challenge is None:
        raise OAuthError("invalid_grant")
    if bound.redirect_uri != redirect_uri:
        raise OAuthError("unauthorized_client")
    if not pkce_matches(bound.code_challenge, code_verifier):
        raise OAuthError("invalid_grant")


def _is_reused(client: AppClient, kept: RefreshToken, now: int) -> bool:
    """Whether the token was rotated and its grace is over: the one promised then, or the client's if shorter now."""
    if kept.rotated_at is None:
        return False
    return now >= min(kept.usable_until or kept.rotated_at, kept.rotated_at + client.rotation_grace)


def _new_refresh(origin_jti: str, expires_at: int) -> tuple[str, RefreshToken]:
    token = secrets.token_urlsafe(48)
    return token, RefreshToken(digest=digest_of(token), origin_jti=origin_jti, expires_at=expires_at)
