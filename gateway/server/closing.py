"""Ways to end a connection: so that the other end can read what was said, or so that it sees a failure."""

import asyncio
import socket
import struct


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


def reset(transport: asyncio.Transport) -> None:
    """Cut a connection so that the other end sees an error: a plain close looks like the end of what was sent."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
