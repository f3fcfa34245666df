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
_LENIENT_END = re.compile(rb"\n\r?\n")
_NEWER = re.compile(rb"HTTP/1\.[2-9] ")


class Heads:
    """The heads of one response, interim ones included: together no larger than `max_bytes`."""

    __slots__ = ("_begin", "_lenient", "_max_bytes", "_received", "_searched", "size")

    def __init__(self, max_bytes: int, *, lenient: bool = False) -> None:
        """`lenient`: also take what `forgiven` puts right."""
        self._lenient = lenient
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
        end = self._end()
        if (end or len(received)) > self._max_bytes:
            raise BadUpstreamAnswer(f"a head of more than {self._max_bytes} bytes")
        if not end:
            if not self._lenient and _BARE.search(received, self._searched):  # else its end would never come
                raise BadUpstreamAnswer("a line that ends without a carriage return")
            self._searched = max(self._begin, len(received) - _LAST_BYTES)
            return None
        head = bytes(received[self._begin : end])
        self._begin = self._searched = end
        return normal(forgiven(head) if self._lenient else head)

    def _end(self) -> int:
        """Where the head that was searched for ends, or 0."""
        if self._lenient:
            match = _LENIENT_END.search(self._received, self._searched)
            return match.end() if match else 0
        found = self._received.find(b"\r\n\r\n", self._searched)
        return found + 4 if found >= 0 else 0

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


def forgiven(head: bytes) -> bytes:
    """The head without what old servers do and every browser forgives: lines that end with a bare line feed, lines that
    go on behind a line break (RFC 9112 §5.2), the only coding or the same length said twice (§6.3).

    What remains wrong is the parser's to refuse: a fold in front of the first field, two lengths, any other coding.
    """
    first, *lines = _unfolded(head)
    return b"\r\n".join([first, *_said_once(lines), b"", b""])


def _unfolded(head: bytes) -> list[bytes]:
    lines: list[bytes] = []
    for line in head.replace(b"\r\n", b"\n").removesuffix(b"\n\n").split(b"\n"):
        if line[:1] in (b" ", b"\t") and len(lines) > 1:
            lines[-1] = lines[-1].rstrip(_BLANK) + b" " + line.strip(_BLANK)
        else:
            lines.append(line)
    return lines


def _said_once(lines: list[bytes]) -> list[bytes]:
    """The field lines with one that frames the body in place of several that say the same."""
    for name, single in ((b"content-length", _is_length), (b"transfer-encoding", _is_chunked)):
        framing = [line for line in lines if line.partition(b":")[0].strip(_BLANK).lower() == name]
        values = {value.strip(_BLANK).lower() for line in framing for value in line.partition(b":")[2].split(b",")}
        if len(values) == 1 and single(*values):
            lines = [*(line for line in lines if line not in framing), name + b": " + values.pop()]
    return lines


def _is_length(value: bytes) -> bool:
    return value.isdigit()


def _is_chunked(value: bytes) -> bool:
    return value == b"chunked"
