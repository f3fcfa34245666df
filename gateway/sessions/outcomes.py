"""What the session service gives back, and what it needs from the provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.core.session import Session, TokenSet
from gateway.sessions.live import Live


class FreshTokens(Protocol):
    """What a refresh brings; the provider's `Tokens` is one. `claims` are the ID token's, None when none came."""

    @property
    def claims(self) -> Mapping[str, Any] | None: ...
    @property
    def token_set(self) -> TokenSet: ...
    @property
    def access_expires_at(self) -> int: ...


class TokenSource(Protocol):
    """Where tokens come from; the provider is one."""

    async def refresh(self, refresh_token: str, now: int) -> FreshTokens:
        """Raises ProviderRefused (final), ProviderUnavailable (transient), BadToken (the answer does not verify)."""
        ...

    async def revoke(self, refresh_token: str) -> None:
        """Best effort."""
        ...


@dataclass(frozen=True, slots=True)
class Started:
    """A new session, and the Set-Cookie values that bring it to the browser."""

    session: Session
    set_cookies: list[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The session's next version, and the Set-Cookie values that bring it to the browser."""

    live: Live
    set_cookies: list[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Ended:
    """The session will not continue: its user must sign in again."""
