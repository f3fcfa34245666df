"""Ways to end a connection: so that the other end can read what was said, or so that it sees a failure."""

import asyncio
import socket
import struct
from contextlib import suppress

_INTERNET = frozenset({socket.AF_INET, socket.AF_INET6})


def close(transport: asyncio.Transport) -> None:
    """Close behind what was written; once: at a second `close` asyncio's TLS transport (3.11) forgets its connection,
    which nothing can end then."""
    if not transport.is_closing():
        transport.close()


def finish_writing(transport: asyncio.Transport) -> bool:
    """End our direction only; closing both at once resets, and a reset destroys what the other end has not read yet.

    False when that is not possible and the connection has been closed: TLS has no half-open connections, and the other
    end may be gone.
    """
    if not transport.can_write_eof():
        close(transport)
        return False
    try:
        transport.write_eof()
    except OSError:  # gone already, but its connection_lost is still under way
        transport.abort()
        return False
    return True


def bound_unsent(transport: asyncio.Transport, seconds: float) -> None:
    """Have the kernel end a connection whose other end takes nothing for so long (0 = never) while bytes wait for it.

    TCP_USER_TIMEOUT (RFC 5482) counts exactly that, a closed window included, and costs nothing meanwhile. Only Linux
    has it; elsewhere, and on unix sockets, this does nothing.
    """
    sock = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is not None and seconds and sock is not None and sock.family in _INTERNET:
        with suppress(OSError):  # gone already
            sock.setsockopt(socket.IPPROTO_TCP, option, max(1, int(seconds * 1000)))


def reset(transport: asyncio.Transport) -> None:
    """Cut a connection so that the other end sees an error: a plain close looks like the end of what was sent."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
