"""Sessions that are open in this process, in a cache bounded in bytes."""

from collections import OrderedDict
from dataclasses import dataclass, field

from gateway.core.asgi import HeaderList
from gateway.core.gate import SessionFacts, sound_until
from gateway.core.session import Session

CACHE_BYTES = 64 * 1024 * 1024
OVERHEAD = 6144
"""Bytes that an entry costs beside its texts: objects, claims, dictionary. 5.4 KB measured with Cognito's claims."""

STAMP = 24
"""Characters that tell values apart: those of a sealed value's key id and nonce (`core.seal`), of which no two values
have the same. Hashing the whole of a cookie costs a microsecond, comparing it a tenth of one."""

_SEMICOLON = ord(";")

NEVER = 2**53
"""Later than any time: no idle cookie falls due."""


@dataclass(slots=True, eq=False)
class Live:
    """A session that was opened, with what is ready-made for the hot path: its identity header lines, its groups.

    `session`, `block` and `groups` never change; whoever holds the session shares `block`, so never alter it.
    """

    session: Session
    block: HeaderList = field(repr=False)
    groups: frozenset[str] = field(repr=False)
    value: bytes = field(default=b"", repr=False)
    """The cookie value that it came in or went out with."""
    seen: int = 0
    """When this process last saw its user."""
    marked: int = NEVER
    """The time that the browser's idle cookie tells, as far as known. What came in no cookie never gets an idle one."""
    retry_at: int = 0
    """After a refresh that failed for the moment: not to be tried again before."""
    facts: SessionFacts = field(init=False, repr=False)
    """What the gate must know of it."""
    sound_until: int = field(init=False)
    """Before this second the gate need not look at `facts`."""

    def __post_init__(self) -> None:
        self.facts = SessionFacts(self.groups, self.session.access_expires_at, self.session.refresh_at)
        self.sound_until = sound_until(self.facts)

    def cost(self) -> int:
        """Bytes of memory, roughly."""
        tokens = self.session.tokens
        texts = (tokens.id_token, tokens.access_token, tokens.refresh_token)
        lines = sum(len(name) + len(value) for name, value in self.block)
        return OVERHEAD + len(self.value) + lines + sum(len(text) for text in texts if text)


class LiveCache:
    """Least recently used sessions by their cookie's exact bytes; the oldest leave when the bound is reached.

    Of values that begin alike, as only a forged one would with another, the last stays. The comparison may take as long
    as it likes: who could learn from its time has the 96 random bits of a nonce right already.
    """

    __slots__ = ("_entries", "_limit", "size")

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        """`limit` in bytes."""
        self._entries: OrderedDict[bytes, Live] = OrderedDict()
        self._limit = limit
        self.size = 0

    def get(self, value: bytes) -> Live | None:
        """The session of this cookie value."""
        return self.at(value, 0)

    def at(self, header: bytes, start: int) -> Live | None:
        """The session whose cookie value stands at `start` of a Cookie header line, up to a `;` or the end.

        One dictionary lookup, one comparison, and the entry is the newest again.
        """
        stamp = header[start : start + STAMP]
        live = self._entries.get(stamp)
        if live is None or not header.startswith(live.value, start):
            return None
        end = start + len(live.value)
        if end != len(header) and header[end] != _SEMICOLON:
            return None
        self._entries.move_to_end(stamp)
        return live

    def put(self, live: Live) -> None:
        """Keep it under its value, at the cost of the least recently used."""
        stamp = live.value[:STAMP]
        self._drop(stamp)
        self._entries[stamp] = live
        self.size += live.cost()
        while self.size > self._limit:
            _, oldest = self._entries.popitem(last=False)
            self.size -= oldest.cost()

    def _drop(self, stamp: bytes) -> None:
        live = self._entries.pop(stamp, None)
        if live is not None:
            self.size -= live.cost()

    def __len__(self) -> int:
        return len(self._entries)
