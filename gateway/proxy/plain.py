"""Read the head of the usual answer without a parser: its lines are much the same from one answer to the next.

Only a subset of HTTP/1.1 that leaves no room for opinions is read: one length, no coding, no interim answer, nothing
empty, folded or oddly spaced. Everything else is the parser's, which also judges what is wrong.
"""

import re
from typing import Final

from gateway.core.asgi import HeaderList
from gateway.proxy.authentication import CHALLENGES
from gateway.proxy.request import HOP_BY_HOP

_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) [\t\x20-\x7e\x80-\xff]*")
_LINE = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)"
)
_LENGTH: Final = b"content-length"
_DROPPED: Final = (b"", b"")
_NO_CONTENT: Final = frozenset((204, 205, 304))

_MAX_KNOWN: Final = 2048
_MAX_LINE: Final = 256
_MAX_LINES: Final = 128

_statuses: dict[bytes, int] = {}
_known: dict[bytes, tuple[bytes, bytes]] = {}
"""Lines seen before → name in lower case and value. Never a cookie; begun anew when it is full."""


def read_head(head: bytes) -> tuple[int, HeaderList, int] | None:
    """(status, lines to pass on, length of the body), or None when it is for the parser. `head` has no empty line."""
    first, *lines = head.split(b"\r\n")
    status = _statuses.get(first) or _status(first)
    if not status or len(lines) > _MAX_LINES:
        return None
    headers: HeaderList = []
    length = -1
    for line in lines:
        pair = _known.get(line) or _pair(line)
        if pair is None:
            return None
        name = pair[0]
        if name is _LENGTH:
            if length >= 0:
                return None
            length = int(pair[1])
        elif pair is _DROPPED:
            continue
        headers.append(pair)
    return None if length < 0 else (status, headers, length)


def _status(line: bytes) -> int:
    match = _STATUS.fullmatch(line)
    status = int(match[1]) if match else 0
    if status in _NO_CONTENT:
        return 0
    if len(line) < _MAX_LINE and len(_statuses) < _MAX_KNOWN:
        _statuses[line] = status
    return status


def _pair(line: bytes) -> tuple[bytes, bytes] | None:
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    name, value = match[1].lower(), match[2]
    pair = (name, value)
    if name == _LENGTH:
        if not value.isdigit() or len(value) > 15:
            return None
        pair = (_LENGTH, value)
    elif name in CHALLENGES:
        return None
    elif name in HOP_BY_HOP:
        if name != b"keep-alive" and (name != b"connection" or value.lower() != b"keep-alive"):
            return None
        pair = _DROPPED
    if name != b"set-cookie" and len(line) < _MAX_LINE:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[line] = pair
    return pair
