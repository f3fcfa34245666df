"""The one stateful service: recognise sessions, refresh each once, save and end them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from secrets import SystemRandom
from typing import Any

from gateway.core import cookies
from gateway.core.asgi import HeaderList
from gateway.core.cookies import RequestCookies
from gateway.core.seal import Box
from gateway.core.session import Session, TokenSet
from gateway.errors import BadData
from gateway.sessions.ended import EVERY_VERSION, EndedSessions
from gateway.sessions.idle import IdleClock
from gateway.sessions.live import Live, LiveCache
from gateway.sessions.outcomes import Ended, FreshTokens, Refreshed, Started, TokenSource
from gateway.sessions.policy import SessionPolicy
from gateway.sessions.renewal import Renewals
from gateway.sessions.versions import first_version
from gateway.stores.base import SessionStore

__all__ = ["Ended", "FreshTokens", "Live", "Refreshed", "SessionPolicy", "Sessions", "Started", "TokenSource"]

_BETWEEN = b"; "
"""How browsers part cookies (RFC 6265 §5.4)."""
_RANDOM = SystemRandom()


class Sessions:
    """Recognise, start, refresh and end sessions. One for each gateway, used from one event loop."""

    def __init__(
        self,
        *,
        store: SessionStore,
        tokens: TokenSource,
        policy: SessionPolicy,
        render: Callable[[Session], HeaderList],
        idle_box: Box,
        jitter: Callable[[], float] = _RANDOM.random,
    ) -> None:
        """`render` makes a session's identity header lines; `idle_box` seals idle cookies (purpose `idle.PURPOSE`)."""
        self._store = store
        self._policy = policy
        self._render = render
        self._idle = (
            None if policy.idle_timeout is None else IdleClock(policy.idle_cookie, idle_box, policy.idle_timeout)
        )
        self._jitter = jitter
        self._needle = policy.cookie.name.encode("latin-1") + b"="
        self._cache = LiveCache(policy.cache_bytes)
        self._ended = EndedSessions()
        self._renewals = Renewals(tokens=tokens, policy=policy, ended=self._ended, keep=self._keep, jitter=jitter)

    def glance(self, line: bytes, now: int) -> Live | None:
        """The usable session of a request's only Cookie header line, when it is open here already, as nearly always.

        The hot path: the cookie is found in the line and looked up. None says nothing: `recognise` must be asked.
        """
        start = line.find(self._needle)
        # Elsewhere it is the end of a longer name, or part of another cookie's value (U1).
        if start < 0 or (start and line[start - 2 : start] != _BETWEEN):
            return None
        live = self._cache.at(line, start + len(self._needle))
        return live if live is not None and self._usable(live, RequestCookies((line,)), now) else None

    def recognise(self, brought: RequestCookies, now: int) -> Live | None:
        """The usable session that the cookies carry, or None: then nobody is signed in, whatever the cause.

        Every value that may be a session is looked at; the first that opens and is usable counts.
        """
        for value in brought.join(self._policy.cookie.name):
            live = self._cache.get(value.encode("latin-1"))
            fresh = self._peek(value) if live is None else None
            found = live or fresh
            if found is not None and self._usable(found, brought, now):
                if fresh is not None:
                    self._cache.put(fresh)
                return found
        return None

    async def start(
        self, claims: Mapping[str, Any], tokens: TokenSet, access_expires_at: int, now: int, present: Collection[str]
    ) -> Started:
        """A new session after sign-in; `present` are the names of the cookies that the request brought.

        Raises BadToken when the tokens are not one subject's, BadData when the session is too large, StoreUnavailable.
        """
        session = first_version(self._policy, claims, tokens, access_expires_at, now, self._jitter())
        live, set_cookies = await self._keep(session, now, present)
        if self._idle is not None:
            set_cookies.append(self._idle.write(session.id, now, session.expires_at - now))
        return Started(live.session, set_cookies)

    async def refresh(self, live: Live, now: int) -> Refreshed | Ended:
        """The session with fresh tokens; one call to the provider for any number of callers (G2).

        Raises ProviderUnavailable: the session is then unchanged, and good until its access token's end.
        """
        return await self._renewals.refresh(live, now)

    def comes_again(self, live: Live, now: int) -> bool:
        """Whether requests that still bring the version before this one will be given its cookies for a while."""
        return self._renewals.comes_again(live.session, now)

    async def end(self, brought: RequestCookies, now: int) -> list[bytes]:
        """End the session(s) that the cookies carry, here and at the provider; the Set-Cookie values that remove them.

        Raises StoreUnavailable.
        """
        opened = [await self._store.load(value, now) for value in brought.join(self._policy.cookie.name)]
        for session in {session.id: session for session in opened if session is not None}.values():
            await self._end(session, now)
        return self.expire(brought)

    def expire(self, brought: RequestCookies) -> list[bytes]:
        """The Set-Cookie values that remove every session cookie, part and idle cookie present (O14). Ends nothing."""
        specs = (self._policy.cookie, self._policy.idle_cookie)
        return [cookies.expire(replace(spec, name=name)) for spec in specs for name in brought.family(spec.name)]

    def touch(self, live: Live, now: int) -> bytes | None:
        """The Set-Cookie value that renews the idle cookie, when it is time to: not on every request."""
        if self._idle is None or now - live.marked < self._idle.renew_after:
            return None
        live.marked = now
        return self._idle.write(live.session.id, now, live.session.expires_at - now)

    async def close(self) -> None:
        """Wait for refreshes under way: the provider may have rotated a token already."""
        await self._renewals.close()

    def _peek(self, value: str) -> Live | None:
        try:
            return self._live(self._store.peek(value), value)
        except BadData:
            return None

    def _live(self, session: Session, value: str) -> Live:
        """Seen and marked at its start: the sign-in wrote an idle cookie, and only that can tell a later time."""
        block, groups = self._render(session), frozenset(session.groups)
        start = session.created_at
        given = value.encode("latin-1")
        return Live(session=session, block=block, groups=groups, value=given, seen=start, marked=start)

    def _usable(self, live: Live, brought: RequestCookies, now: int) -> bool:
        session = live.session
        if now >= session.expires_at or self._ended.has(session.id, session.version):
            return False
        if self._idle is not None and now - live.seen >= self._idle.timeout:
            # Another replica may have seen the user since, and then has written it into the idle cookie.
            live.marked = self._idle.seen(brought, session.id, now)
            if now - live.marked >= self._idle.timeout:
                return False
        live.seen = now
        return True

    async def _keep(self, session: Session, now: int, present: Collection[str]) -> tuple[Live, list[bytes]]:
        value = await self._store.save(session, now)
        try:
            lines = cookies.split(self._policy.cookie, value, session.expires_at - now, present)
        except ValueError:
            raise BadData("the session is too large for cookies") from None
        live = self._live(session, value)
        live.seen = live.marked = now
        self._cache.put(live)
        return live, lines

    async def _end(self, session: Session, now: int) -> None:
        self._ended.add(session.id, EVERY_VERSION, session.expires_at, now)
        await self._store.end(session, now)
        await self._renewals.revoke(session, now)
