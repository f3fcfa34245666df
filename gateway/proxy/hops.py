"""Say which way a request came: Via, the detection of loops, and how much further it may go."""

from typing import Final

from gateway.core.asgi import HeaderList
from gateway.errors import LoopDetected

LOOP: Final = b"cdn-loop"
"""RFC 8586: what a request passed through, one entry for each time. Other intermediaries neither drop nor change it."""
MAX_PASSES: Final = 3
"""How often one request may come by. A service that calls another through us, and copies its header lines, is no loop;
what comes by for ever is cut after so many exchanges."""

_PSEUDONYM: Final = b"cognito-gateway"
_LONGEST_COUNT: Final = 6


class Hops:
    """What this gateway adds to each request it forwards. Its name is the same in all processes of one installation."""

    def __init__(self, name: str = "", *, via: bool = False) -> None:
        """`name`: a token (RFC 9110 §5.6.2) that no other gateway has; empty neither marks requests nor looks for
        loops. `via`: whether RFC 9110 §7.6.3 is followed."""
        self._name = name.encode("ascii")
        self.lines = self._lines("1.1", via=via)
        self._old_lines = self._lines("1.0", via=via)

    def _lines(self, version: str, *, via: bool) -> tuple[bytes, ...]:
        mark = (LOOP + b": " + self._name,) if self._name else ()
        return (*mark, b"via: %b %b" % (version.encode(), _PSEUDONYM)) if via else mark

    def lines_for(self, version: str) -> tuple[bytes, ...]:
        """The header lines to send behind all others, for a request received in this version of HTTP."""
        return self._old_lines if version == "1.0" else self.lines

    def check(self, headers: HeaderList) -> None:
        """Raise LoopDetected for a request that came by too often. Whoever forges the mark refuses only itself."""
        if self._name and passes(headers, self._name) >= MAX_PASSES:
            raise LoopDetected("a request came back again and again: does an upstream lead to this gateway?")


def passes(headers: HeaderList, name: bytes) -> int:
    """How often these header lines say that their request passed the intermediary of this name."""
    entries = [entry for key, value in headers if key == LOOP for entry in value.split(b",")]
    return sum(entry.partition(b";")[0].strip(b" \t") == name for entry in entries)


def forwards_left(headers: HeaderList) -> int | None:
    """What Max-Forwards allows OPTIONS (RFC 9110 §7.6.2); None without a limit that can be read."""
    values = [value for name, value in headers if name == b"max-forwards"]
    if not values or not all(value.isdigit() and len(value) <= _LONGEST_COUNT for value in values):
        return None
    return min(map(int, values))


def with_forwards(headers: HeaderList, left: int) -> HeaderList:
    """The header lines with this Max-Forwards. A new list."""
    kept = [line for line in headers if line[0] != b"max-forwards"]
    return [*kept, (b"max-forwards", b"%d" % left)]
