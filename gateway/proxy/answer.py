"""Judge the head of an upstream's answer: what is passed on, and how its body ends."""

from gateway.core.asgi import HeaderList
from gateway.errors import BadUpstreamAnswer
from gateway.proxy.authentication import CHALLENGES
from gateway.proxy.request import HOP_BY_HOP

PASSED = CHALLENGES | {b"content-length"}
NOTED = HOP_BY_HOP | PASSED
"""Headers that the connection keeps a note of; all but those in PASSED end at this hop."""

UNTIL_CLOSE = -2
CHUNKED = -1

_NO_CONTENT = frozenset((204, 304))
_HARMLESS = frozenset((b"close", b"keep-alive", b""))
_MAX_LINES = 256


def body_length(status: int, method: str, notes: dict[bytes, bytes]) -> int:
    """Bytes of the body, CHUNKED or UNTIL_CLOSE (RFC 9112 §6.3). Raises BadUpstreamAnswer.

    That two statements of length contradict each other is the parser's to refuse: it does so before we are asked.
    """
    if status > 599:
        raise BadUpstreamAnswer(f"status {status}")
    coding = notes.get(b"transfer-encoding")
    if coding is not None and coding.lower() != b"chunked":
        raise BadUpstreamAnswer(f"transfer coding {coding[:40]!r}")  # it ends here, so the body would lose its meaning
    if method == "HEAD" or status in _NO_CONTENT:
        return 0
    if coding is not None:
        return CHUNKED
    length = notes.get(b"content-length")
    return UNTIL_CLOSE if length is None else int(length)


def passed_on(status: int, method: str, lines: HeaderList, notes: dict[bytes, bytes]) -> HeaderList:
    """The header lines for the client. Raises BadUpstreamAnswer when there are too many."""
    if len(lines) > _MAX_LINES:
        raise BadUpstreamAnswer(f"{len(lines)} header lines")
    named = _named(notes.get(b"connection", b""))
    if named:
        lines = [line for line in lines if line[0] not in named]
    if status in _NO_CONTENT and method != "HEAD" and b"content-length" in notes:
        # Allowed with 304 (RFC 9110 §8.6), and optional; an ASGI server would take it for a promise of bytes.
        lines = [line for line in lines if line[0] != b"content-length"]
    return lines


def reusable(method: str, notes: dict[bytes, bytes], *, parser_agrees: bool, version: str) -> bool:
    """Whether the connection may carry another exchange after this one.

    The parser does not know that the request was HEAD, and thinks that an answer without length runs until close.
    """
    if b"transfer-encoding" in notes and version == "1.0":
        return False  # faulty framing (RFC 9112 §6.1)
    if method != "HEAD":
        return parser_agrees
    tokens = {token.strip().lower() for token in notes.get(b"connection", b"").split(b",")}
    return b"close" not in tokens and (version != "1.0" or b"keep-alive" in tokens)


def check_interim(status: int, notes: dict[bytes, bytes]) -> None:
    """Refuse a 1xx that claims a body (RFC 9110 §8.6), or that leaves HTTP although nobody asked."""
    if status == 101 or b"content-length" in notes or b"transfer-encoding" in notes:
        raise BadUpstreamAnswer(f"{status} with a body, or unasked")


def _named(connection: bytes) -> set[bytes]:
    """What a Connection line names beyond the usual."""
    if connection.lower() in _HARMLESS:
        return set()
    return {token.strip().lower() for token in connection.split(b",")} - _HARMLESS - {b"content-length"}
