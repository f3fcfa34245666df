"""Refresh each session once for all who wait for it, and revoke what must not live on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from gateway.core.cookies import part_names
from gateway.core.session import Session
from gateway.errors import BadToken, ProviderError, ProviderRefused, ProviderUnavailable
from gateway.sessions.ended import EVERY_VERSION, EndedSessions
from gateway.sessions.flights import Flights
from gateway.sessions.live import Live
from gateway.sessions.newest import GRACE_SECONDS, NewestVersions
from gateway.sessions.outcomes import Ended, FreshTokens, Refreshed, TokenSource
from gateway.sessions.policy import SessionPolicy
from gateway.sessions.versions import next_version

_log = logging.getLogger(__name__)

REVOKE_SECONDS = 2.0
"""How long a sign-out waits for the provider."""

RETRY_SECONDS = 1
"""How long a session's failed refresh is not tried again: recovery is probed every second, not by every request."""

Keep = Callable[[Session, int, Collection[str]], Awaitable[tuple[Live, list[bytes]]]]
"""Saves a version: gives it back live, with its Set-Cookie values. Takes `now` and the names of the cookies present."""


class Renewals:
    """The versions of sessions after the first."""

    def __init__(
        self,
        *,
        tokens: TokenSource,
        policy: SessionPolicy,
        ended: EndedSessions,
        keep: Keep,
        jitter: Callable[[], float],
    ) -> None:
        self._tokens = tokens
        self._policy = policy
        self._ended = ended
        self._keep = keep
        self._jitter = jitter
        self._newest = NewestVersions()
        self._flights: Flights[Refreshed | Ended] = Flights()

    async def refresh(self, live: Live, now: int) -> Refreshed | Ended:
        """The session with fresh tokens; one call to the provider for any number of callers (G2).

        A version that was refreshed a moment ago gives what that brought. Raises ProviderUnavailable: the session is
        then unchanged, and good until its access token's end.
        """
        session = live.session
        if self._ended.has(session.id, session.version):
            return Ended()
        made = self._newest.after(session.id, session.version, now)
        if made is not None:
            return made
        if now < live.retry_at:
            raise ProviderUnavailable("the last refresh failed a moment ago")
        return await self._flights.share(f"{session.id}.{session.version}", lambda: self._renew(live, now))

    def comes_again(self, session: Session, now: int) -> bool:
        """Whether what made this version is remembered for more than half of its time still."""
        return self._newest.remembers(session.id, now + GRACE_SECONDS // 2)

    async def revoke(self, session: Session, now: int) -> None:
        """Have the provider revoke the newest refresh token of a session that ended; best effort, in bounded time."""
        made = self._newest.after(session.id, 0, now)
        self._newest.drop(session.id)
        await self._revoke(session if made is None else made.live.session)

    async def close(self) -> None:
        """Wait for refreshes under way: the provider may have rotated a token already."""
        await self._flights.wait()

    async def _renew(self, live: Live, now: int) -> Refreshed | Ended:
        session = live.session
        try:
            fresh = await self._fresh_tokens(session, now)
            renewed = None if fresh is None else next_version(self._policy, session, fresh, now, self._jitter())
        except ProviderUnavailable as error:
            _log.warning("refresh failed: %s", error)
            live.retry_at = now + RETRY_SECONDS
            raise
        except BadToken as error:  # somebody else's tokens (C16): this session must not go on in any version
            _log.warning("refresh failed, and its session ends: %s", error)
            self._ended.add(session.id, EVERY_VERSION, session.expires_at, now)
            return Ended()
        if renewed is None:
            return Ended()
        if self._ended.has(session.id, session.version):  # signed out meanwhile: its fresh tokens must not live on
            await self._revoke(renewed)
            return Ended()
        kept, lines = await self._keep(renewed, now, part_names(self._policy.cookie.name, len(live.value)))
        kept.marked = live.marked  # a refresh writes no idle cookie
        made = Refreshed(kept, lines)
        self._newest.put(made, now)
        return made

    async def _fresh_tokens(self, session: Session, now: int) -> FreshTokens | None:
        """None when the provider will not go on with this session, or there is nothing to ask it with.

        Only `invalid_grant` is about the session. Any other refusal (`invalid_client`: the operator's secret is wrong)
        and an answer that does not verify are the provider's trouble, and sign nobody out.
        """
        token = session.tokens.refresh_token
        if token is None:
            return None
        try:
            return await self._tokens.refresh(token, now)
        except ProviderRefused as refusal:
            if refusal.error != "invalid_grant":
                raise ProviderUnavailable(f"refused for another reason than the session: {refusal}") from refusal
            _log.warning("refresh was refused, and its session ends: %s", refusal)
        except BadToken as error:
            raise ProviderUnavailable(f"the refreshed tokens do not verify: {error}") from error
        # Another replica may have refreshed in time: its later version of this session stays good here.
        self._ended.add(session.id, session.version, session.expires_at, now)
        return None

    async def _revoke(self, session: Session) -> None:
        token = session.tokens.refresh_token
        if token is None:
            return
        with suppress(TimeoutError, ProviderError):
            async with asyncio.timeout(REVOKE_SECONDS):
                await self._tokens.revoke(token)
