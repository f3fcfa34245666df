"""Remember what is good once, until its time is over."""

from typing import Final

MAX_ENTRIES: Final = 16_384
"""About 3 MB. When it is full the oldest entry is forgotten: strangers can begin any number of sign-ins."""


class Spent:
    """What was used, in this process, in the order of its use."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._until: dict[bytes, int] = {}
        self._max_entries = max_entries

    def __contains__(self, key: bytes) -> bool:
        return key in self._until

    def add(self, key: bytes, until: int, now: int) -> None:
        """Remember `key` until that second."""
        self._until.pop(key, None)
        self._until[key] = until
        while self._until:
            oldest = next(iter(self._until))
            if len(self._until) <= self._max_entries and self._until[oldest] > now:
                return
            del self._until[oldest]
