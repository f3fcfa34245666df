"""Serialise the head of an answer, and judge its names and values on the way."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from gateway.core.asgi import HeaderList
from gateway.server.names import MAX_LEARNED, common_answers

_PHRASES = {int(status): status.phrase for status in HTTPStatus}
STATUS_LINES: Final = {n: f"HTTP/1.1 {n} {_PHRASES.get(n, '')}\r\n".encode() for n in range(100, 600)}

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")

_ORDINARY = common_answers()
"""Names that are good and mean nothing to the server. More are learned, up to a bound."""


def lines_of(headers: Any) -> tuple[bytes, int | None, bool, bool]:
    """(the header lines, the length they promise, whether they have a date, whether they close the connection).

    `headers` is what an application gave: an iterable of pairs, names in whatever case. One pass over the names, one
    join, one look at the whole: a line break within a line would start a line, or an answer, of somebody else's (F6).
    Raises RuntimeError.
    """
    if type(headers) is not list:
        headers = list(headers)
    length: bytes | None = None
    has_date = closes = False
    for name, value in headers:
        if name in _ORDINARY:
            continue
        if name == b"content-length":
            if length is not None and length != value:
                raise RuntimeError("Contradictory content-length headers.")
            length = value
        elif name == b"date":
            has_date = True
        elif name == b"connection":
            closes = closes or b"close" in [token.strip().lower() for token in value.split(b",")]
        elif not _learn(name):
            return lines_of(_usual(headers))
    block = b"\r\n".join([*map(b": ".join, headers), b""])
    if len(block.splitlines()) != len(headers) or b"\0" in block:
        raise RuntimeError("Invalid HTTP header value.")
    return block, _number(length), has_date, closes


def _learn(name: bytes) -> bool:
    """Whether a name seen for the first time is an ordinary one as it stands. Raises RuntimeError for a bad one."""
    if name != name.lower() or name == b"transfer-encoding":
        return False
    if not _TOKEN.fullmatch(name):
        raise RuntimeError("Invalid HTTP header name.")
    if len(_ORDINARY) < MAX_LEARNED:
        _ORDINARY.add(bytes(name))
    return True


def _usual(headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
    """As ASGI wants them: names in lower case. How the body is framed is the server's to say, not the application's."""
    lowered = [(name.lower(), value) for name, value in headers]
    return [line for line in lowered if line[0] != b"transfer-encoding"]


def _number(length: bytes | None) -> int | None:
    if length is None:
        return None
    if not length.isdigit():
        raise RuntimeError("Invalid content-length.")
    return int(length)
