"""Remember which sessions ended, until they would have expired anyway (C11)."""

import heapq

EVERY_VERSION = 2**53
MAX_ENDED = 100_000
"""About 20 MB at worst. When more end than this, those nearest to their natural end are forgotten first."""


class EndedSessions:
    """Session ids with the highest version that is over: sign-out ends all, a refused refresh its own and older."""

    __slots__ = ("_by_expiry", "_limit", "_versions")

    def __init__(self, limit: int = MAX_ENDED) -> None:
        self._limit = limit
        self._versions: dict[str, int] = {}
        self._by_expiry: list[tuple[int, str]] = []

    def add(self, session_id: str, version: int, expires_at: int, now: int) -> None:
        """This version and all before it are over. `expires_at` is the session's absolute end."""
        known = self._versions.get(session_id)
        if known is None:
            heapq.heappush(self._by_expiry, (expires_at, session_id))
        self._versions[session_id] = max(version, known or 0)
        while self._by_expiry and (self._by_expiry[0][0] <= now or len(self._versions) > self._limit):
            del self._versions[heapq.heappop(self._by_expiry)[1]]

    def has(self, session_id: str, version: int) -> bool:
        """Whether this version of the session is over."""
        ended = self._versions.get(session_id)
        return ended is not None and version <= ended

    def __len__(self) -> int:
        return len(self._versions)
