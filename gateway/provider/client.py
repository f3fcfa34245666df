"""Speak OpenID Connect to one provider: sign-in, refresh, sign-out, and the tokens of API callers."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.core.session import TokenSet
from gateway.provider.options import ProviderOptions

__all__ = ["Provider", "ProviderOptions", "Tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the token endpoint gave, verified.

    `claims` are the ID token's, None when a refresh brought no ID token. `access_expires_at` is in seconds since the epoch.
    After a refresh `token_set.refresh_token` is the new one, or the one that was used when the provider does not rotate.
    """

    claims: Mapping[str, Any] | None
    token_set: TokenSet
    access_expires_at: int


class Provider:
    """One OpenID provider. `clock` counts seconds; only differences of it are used."""

    def __init__(
        self,
        options: ProviderOptions,
        http: httpx.AsyncClient,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.options = options

    @property
    def ready(self) -> bool:
        """Whether everything needed for a sign-in is known."""
        raise NotImplementedError

    async def authorize_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str, extra: Mapping[str, str] | None = None
    ) -> str:
        """Where to send a browser to sign in. Raises ProviderUnavailable."""
        raise NotImplementedError

    async def exchange(self, *, code: str, redirect_uri: str, code_verifier: str, nonce: str, now: int) -> Tokens:
        """Redeem a code. Raises ProviderRefused (final), ProviderUnavailable (transient), BadToken."""
        raise NotImplementedError

    async def refresh(self, refresh_token: str, now: int) -> Tokens:
        """New tokens for a refresh token. Raises as `exchange` does."""
        raise NotImplementedError

    async def userinfo(self, access_token: str, sub: str) -> Mapping[str, Any]:
        """The user's claims from the provider. Raises as `exchange` does; BadToken when they are another user's."""
        raise NotImplementedError

    async def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token, best effort, within 2 s. Never raises."""
        raise NotImplementedError

    async def verify_bearer(self, token: str, now: int, client_ids: Collection[str]) -> Mapping[str, Any]:
        """The claims of an API caller's access token. Raises BadToken, TokenExpired, ProviderUnavailable (no keys yet)."""
        raise NotImplementedError

    async def sign_out_url(self, *, return_uri: str, id_token: str | None = None) -> str | None:
        """Where to send a browser to end the provider's session; None where there is no such place. Never raises."""
        raise NotImplementedError

    async def warm(self) -> None:
        """Fetch discovery and keys, again and again until both are there. Never raises."""
        raise NotImplementedError
