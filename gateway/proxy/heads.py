"""Cut the heads of responses out of what an upstream sends, each in the one form that the parser takes."""

import re
from typing import Final

from gateway.errors import BadUpstreamAnswer

_BEGINNING: Final = b"HTTP/1."
_BLANK: Final = b" \t"
_LAST_BYTES: Final = 3  # of an end that comes in two pieces

# What the parser does not forgive, or reads differently from us: RFC 9110 §5.5, RFC 9112 §5.1.
_ODD = re.compile(rb"[ \t](?:\r\n|:)")
_BARE = re.compile(rb"(?<!\r)\n")
_NEWER = re.compile(rb"HTTP/1\.[2-9] ")


class Heads:
    """The heads of one response, interim ones included: together no larger than `max_bytes`."""

    __slots__ = ("_begin", "_max_bytes", "_received", "_searched", "size")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._received = bytearray()
        self._begin = self._searched = 0
        self.size = 0
        """Bytes received since the last `rest`."""

    def add(self, data: bytes) -> None:
        """Take what came."""
        self._received += data
        self.size += len(data)

    def next(self) -> bytes | None:
        """The next head with its empty line, when all of it came. Raises BadUpstreamAnswer."""
        received = self._received
        if not _BEGINNING.startswith(bytes(received[self._begin : self._begin + len(_BEGINNING)])):
            raise BadUpstreamAnswer("not an HTTP/1.1 response")
        found = received.find(b"\r\n\r\n", self._searched)
        end = found + 4 if found >= 0 else len(received)
        if end > self._max_bytes:
            raise BadUpstreamAnswer(f"a head of more than {self._max_bytes} bytes")
        if found < 0:
            if _BARE.search(received, self._searched):  # else its end would never come
                raise BadUpstreamAnswer("a line that ends without a carriage return")
            self._searched = max(self._begin, end - _LAST_BYTES)
            return None
        head = bytes(received[self._begin : end])
        self._begin = self._searched = end
        return normal(head)

    def rest(self) -> bytes:
        """What follows the heads; then everything is forgotten."""
        rest = bytes(self._received[self._begin :])
        self._received = bytearray()
        self._begin = self._searched = self.size = 0
        return rest


def normal(head: bytes) -> bytes:
    """The head without white space around names and values, and of a version that the parser knows.

    RFC 9112 §5.1: a proxy removes white space before the colon of a response's line. RFC 9110 §2.5: a higher minor
    version is read as the highest that we know.
    """
    if _NEWER.match(head):
        head = b"HTTP/1.1" + head[len("HTTP/1.x") :]
    if not _ODD.search(head):
        return head
    first, *lines = head.split(b"\r\n")
    return b"\r\n".join([first, *map(_tidy, lines)])


def _tidy(line: bytes) -> bytes:
    """A field line without optional white space. What begins with it is a folded line, and the parser's to refuse."""
    name, colon, value = line.partition(b":")
    return name.rstrip(_BLANK) + b": " + value.strip(_BLANK) if colon else line
