"""Find the boundaries between WebSocket frames in a stream of bytes (RFC 6455 §5.2), without touching the payloads."""

import struct

MAX_REASON = 123
"""A control frame carries at most 125 bytes, two of them the code (RFC 6455 §5.5)."""


class FrameBoundaries:
    """Follows one direction of a connection from the first byte after its handshake.

    `at_boundary` says that every byte seen so far belongs to a complete frame.
    """

    __slots__ = ("_head", "_payload")

    def __init__(self) -> None:
        self._head = b""  # an incomplete frame header
        self._payload = 0  # bytes of the current frame still to come

    @property
    def at_boundary(self) -> bool:
        """Another frame may be put in here."""
        return not self._payload and not self._head

    def feed(self, data: bytes, *, until_boundary: bool = False) -> int:
        """Follow `data`; how many of its bytes were followed: all, or those up to the first boundary."""
        if until_boundary and self.at_boundary:
            return 0
        size = len(data)
        at = 0
        while True:
            if not self._head:
                if self._payload > size - at:
                    self._payload -= size - at
                    return size
                at += self._payload
                ended, self._payload = self._payload > 0, 0
                if at == size or (until_boundary and ended):
                    return at
            header = self._header_length(data, at)
            piece = self._head + data[at : at + header - len(self._head)]
            if len(piece) < header:
                self._head = piece
                return size
            at += header - len(self._head)
            self._head = b""
            self._payload = payload_length(piece)
            if not self._payload and until_boundary:
                return at

    def _header_length(self, data: bytes, at: int) -> int:
        """The length of the header that begins in `_head` or at `at`; at least 2."""
        second = self._head[1:2] or data[at + 1 - len(self._head) : at + 2 - len(self._head)]
        return header_length(second[0]) if second else 2


def header_length(second: int) -> int:
    """Bytes of a frame header, by its second byte: extended length and masking key."""
    length = second & 0x7F
    extended = 2 if length == 126 else 8 if length == 127 else 0
    return 2 + extended + (4 if second & 0x80 else 0)


def payload_length(header: bytes) -> int:
    """Bytes of payload that follow a complete header."""
    length = header[1] & 0x7F
    if length < 126:
        return length
    return int.from_bytes(header[2:4] if length == 126 else header[2:10], "big")


def close_frame(code: int, reason: str = "") -> bytes:
    """An unmasked close frame, as a server sends it (RFC 6455 §5.5.1); a long reason is cut at a character."""
    text = reason.encode()[:MAX_REASON].decode(errors="ignore").encode()
    return struct.pack("!BBH", 0x88, len(text) + 2, code) + text
