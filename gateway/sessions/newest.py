"""Remember for a short time what each refresh made, for requests that still carry the version before it.

Parallel tabs send the old cookie while the new one is on its way; a browser that went away before the answer never got
it. Both are given the newest version, without another call to a provider that may have rotated the refresh token.
"""

from gateway.sessions.outcomes import Refreshed

GRACE_SECONDS = 60
"""Cognito's longest grace for a rotated refresh token (RetryGracePeriodSeconds)."""

MAX_REMEMBERED = 10_000


class NewestVersions:
    """The last refresh of each session, by session id."""

    __slots__ = ("_by_id", "_limit")

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit = limit
        self._by_id: dict[str, tuple[int, Refreshed]] = {}

    def put(self, made: Refreshed, now: int) -> None:
        """Remember it; what is older than the grace, or too many, is forgotten (oldest first)."""
        session_id = made.live.session.id
        self._by_id.pop(session_id, None)
        self._by_id[session_id] = (now + GRACE_SECONDS, made)
        while (oldest := next(iter(self._by_id))) != session_id:
            if self._by_id[oldest][0] > now and len(self._by_id) <= self._limit:
                break
            del self._by_id[oldest]

    def after(self, session_id: str, version: int, now: int) -> Refreshed | None:
        """The refresh that made a later version than this one, if it was a short time ago."""
        until, made = self._by_id.get(session_id, (0, None))
        return made if made is not None and now < until and made.live.session.version > version else None

    def remembers(self, session_id: str, until: int) -> bool:
        """Whether the last refresh of this session will be known at that time."""
        return session_id in self._by_id and until < self._by_id[session_id][0]

    def drop(self, session_id: str) -> None:
        """Forget this session."""
        self._by_id.pop(session_id, None)

    def __len__(self) -> int:
        return len(self._by_id)
