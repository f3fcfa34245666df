"""The one stateful service: open sessions, refresh each once, save and end them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.core.asgi import HeaderList
from gateway.core.seal import Box
from gateway.core.session import Session, TokenSet
from gateway.sessions.policy import SessionPolicy
from gateway.stores.base import SessionStore


class FreshTokens(Protocol):
    """What a refresh brings; the provider's `Tokens` is one."""

    @property
    def claims(self) -> Mapping[str, Any] | None: ...
    @property
    def token_set(self) -> TokenSet: ...
    @property
    def access_expires_at(self) -> int: ...


class TokenSource(Protocol):
    """Where tokens come from; the provider is one."""

    async def refresh(self, refresh_token: str, now: int) -> FreshTokens: ...
    async def revoke(self, refresh_token: str) -> None: ...


@dataclass(slots=True, eq=False)
class Live:
    """A session that was opened, with what is ready-made for the hot path: its identity header lines, its groups."""

    session: Session
    block: HeaderList
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Started:
    """A new session, and the Set-Cookie values that bring it to the browser."""

    session: Session
    set_cookies: list[bytes]


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The session's next version, and the Set-Cookie values that bring it to the browser."""

    live: Live
    set_cookies: list[bytes]


@dataclass(frozen=True, slots=True)
class Ended:
    """The provider will not continue this session."""


class Sessions:
    """Recognise, start, refresh and end sessions."""

    def __init__(
        self,
        *,
        store: SessionStore,
        tokens: TokenSource,
        policy: SessionPolicy,
        render: Callable[[Session], HeaderList],
        idle_box: Box | None = None,
    ) -> None:
        raise NotImplementedError

    def recognise(self, cookies: Sequence[bytes], now: int) -> Live | None:
        """The usable session that the Cookie header lines carry, or None."""
        raise NotImplementedError

    async def start(
        self, claims: Mapping[str, Any], tokens: TokenSet, access_expires_at: int, now: int, present: Collection[str]
    ) -> Started:
        """A new session after sign-in; `present` are the names of the cookies that the request brought."""
        raise NotImplementedError

    async def refresh(self, live: Live, now: int) -> Refreshed | Ended:
        """The session with fresh tokens. Raises ProviderUnavailable: the session is then unchanged."""
        raise NotImplementedError

    async def end(self, cookies: Sequence[bytes], now: int) -> list[bytes]:
        """End the session(s) that the cookies carry; the Set-Cookie values that remove them."""
        raise NotImplementedError

    def touch(self, live: Live, now: int) -> bytes | None:
        """The Set-Cookie value that renews the idle cookie, when it is time to."""
        raise NotImplementedError
