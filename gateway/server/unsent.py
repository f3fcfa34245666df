"""Find out whether the other end of a connection takes what was written to it."""

import asyncio
import fcntl
import socket
import struct
import termios
from contextlib import suppress
from typing import Final

_LOOKS: Final = 6
"""Looks at a connection in the time that it may stand still: two system calls each."""
_BYTES_ACKED: Final = 120
"""Where Linux has it in `struct tcp_info` (tcp(7)), 8 bytes long."""

_TCP_CLOSE: Final = 7
"""The state, first in that struct, after a reset: what the kernel then still counts goes nowhere."""


class Unsent:
    """Asked now and then, says when unsent bytes have waited for `seconds` (0: never) and none of them went.

    TCP_USER_TIMEOUT (RFC 5482) would cost nothing, but it ends clients that read, only slowly: Linux counts as a
    standstill that the window is too small for the next segment, however often it was used in between. Here, what
    counts is that bytes were acknowledged. Elsewhere than on Linux, it is that the transport's own buffer changed.
    """

    __slots__ = ("_next", "_pause", "_seconds", "_since", "_taken", "_transport")

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport = transport
        self._seconds = seconds
        self._pause = seconds / _LOOKS
        self._next = self._since = 0.0
        self._taken = -1

    def is_stuck(self, now: float) -> bool:
        """Whether it is; `now` is the loop's time."""
        if now < self._next or not self._seconds:
            return False
        self._next = now + self._pause
        taken = bytes_taken(self._transport)
        if taken != self._taken or not bytes_waiting(self._transport):
            self._taken = taken
            self._since = now
        return now - self._since >= self._seconds


def bytes_taken(transport: asyncio.Transport) -> int:
    """A number that changes whenever the other end has taken something."""
    sock = transport.get_extra_info("socket")
    with suppress(OSError, ValueError, struct.error, AttributeError):  # not TCP, not Linux, or gone already
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
        return int(struct.unpack_from("=Q", info, _BYTES_ACKED)[0])
    return transport.get_write_buffer_size()


def bytes_waiting(transport: asyncio.Transport) -> int:
    """Bytes that the other end has not taken, those in the kernel's buffer included."""
    waiting = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    with suppress(OSError, AttributeError, ValueError):
        if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE:
            return waiting
        waiting += struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0]
    return waiting
