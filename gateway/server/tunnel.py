"""Join a client's connection and an upstream's, byte for byte, and close between two WebSocket frames."""

import asyncio
from collections.abc import Callable

from gateway.core.frames import FrameBoundaries, close_frame
from gateway.server.closing import finish_writing

CLOSE_SECONDS = 5
"""How long a close waits for the frame in transit to end; then the connection is cut without one."""
HALF_OPEN_SECONDS = 10
"""How long one end may go on after the other has finished; WebSocket has nothing left to say then."""
GOING_AWAY = 1001
"""RFC 6455 §7.4.1: the server goes down."""


class _Side(asyncio.Protocol):
    """One end of a tunnel: what it reads goes to the other end, which says when to pause."""

    __slots__ = ("is_finished", "other", "transport", "tunnel")

    def __init__(self, transport: asyncio.Transport, tunnel: "Tunnel") -> None:
        self.transport = transport
        self.tunnel = tunnel
        self.other: asyncio.Transport = transport
        self.is_finished = False  # nothing more is written to it

    def data_received(self, data: bytes) -> None:
        self.other.write(data)

    def pause_writing(self) -> None:
        if not self.other.is_closing():
            self.other.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.is_closing():
            self.other.resume_reading()

    def eof_received(self) -> bool:
        return self.tunnel.half_closed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.tunnel.lost(self, exc)


class _UpstreamSide(_Side):
    """The upstream's end: its frames are followed, so that a close frame finds a place between two."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        tunnel = self.tunnel
        if tunnel.closing is None:
            tunnel.frames.feed(data)
            self.other.write(data)
        else:
            tunnel.finish_frame(data)


class _Deaf(asyncio.Protocol):
    """A client that has got its close frame: what it still sends is thrown away (RFC 6455 §5.5.1)."""

    __slots__ = ("side",)

    def __init__(self, side: _Side) -> None:
        self.side = side

    def connection_lost(self, exc: Exception | None) -> None:
        self.side.connection_lost(exc)


class Tunnel:
    """`scope["extensions"]["gateway.tunnel"]` of a WebSocket scope: how the proxy hands its connection over.

    The application sends `{"type": "websocket.accept", "headers": [...], "gateway.tunnel": True}`, which writes the
    101, and then awaits `join`. An application that accepts without that key is terminated by the server as usual.
    """

    __slots__ = (
        "__weakref__",
        "_client",
        "_early",
        "_ended",
        "_loop",
        "_timer",
        "_upstream",
        "closing",
        "frames",
        "is_waiting",
        "on_end",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, client: asyncio.Transport) -> None:
        self._loop = loop
        self._client: _Side | None = _Side(client, self)
        self._upstream: _Side | None = None
        self._early = b""
        self._ended: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.closing: bytes | None = None
        self.frames = FrameBoundaries()
        self.is_waiting = False  # for `join`, after the 101
        self.on_end: Callable[[], None] | None = None

    def begin(self, early: bytes) -> None:
        """The server's part: the 101 is written, `early` is what the client sent before it."""
        self._early = early
        self.is_waiting = True

    @property
    def transport(self) -> asyncio.Transport | None:
        """The client's, as long as it lives."""
        return None if self._client is None else self._client.transport

    async def join(self, upstream: asyncio.Transport, early: bytes = b"") -> None:
        """Carry bytes both ways until both ends are closed. `early` is what the upstream sent after its 101.

        Leaves nothing open, also when cancelled. Close codes, pings, fragments and compression pass as they are.
        """
        client = self._client
        self.is_waiting = False
        if client is None or client.transport.is_closing():
            upstream.abort()
            self._end()
            return
        self._ended = self._loop.create_future()
        side = self._upstream = _UpstreamSide(upstream, self)
        client.other, side.other = upstream, client.transport
        upstream.set_protocol(side)
        client.transport.set_protocol(client)
        if self._early:
            upstream.write(self._early)
            self._early = b""
        if early:
            side.data_received(early)
        if self.closing is not None:
            self._finish_between_frames()
        for end in (client.transport, upstream):
            end.resume_reading()
        try:
            await self._ended
        finally:
            self._abort()

    def close(self, code: int, reason: str = "") -> None:
        """Put a close frame (RFC 6455 §5.5.1) between two frames towards the client, then close both ends.

        Does nothing the second time. Before `join`, the frame follows the 101 at once.
        """
        if self.closing is None:
            self.closing = close_frame(code, reason)
            if self._upstream is not None:
                self._finish_between_frames()

    def shutdown(self) -> None:
        """The server stops."""
        self.close(GOING_AWAY)

    def _finish_between_frames(self) -> None:
        if self.frames.at_boundary:
            self._farewell()
        elif self._timer is None:
            self._timer = self._loop.call_later(CLOSE_SECONDS, self._abort)

    def finish_frame(self, data: bytes) -> None:
        """Forward what belongs to the frame in transit; the close frame follows it, and nothing else does."""
        client = self._client
        if client is None:
            return
        client.transport.write(data[: self.frames.feed(data, until_boundary=True)])
        if self.frames.at_boundary:
            self._farewell()

    def _farewell(self) -> None:
        client, upstream = self._client, self._upstream
        if client is not None and not client.is_finished and not client.transport.is_closing():
            client.transport.write(self.closing or b"")
            client.transport.set_protocol(_Deaf(client))
            client.transport.resume_reading()
            self._say_no_more(client)
        if upstream is not None:
            upstream.transport.abort()
        self._arm(CLOSE_SECONDS)

    def half_closed(self, side: _Side) -> bool:
        """One end has finished: tell the other, which gets some time to finish as well. True keeps the end open."""
        other = self._upstream if side is self._client else self._client
        if other is None or other.transport.is_closing():
            return False
        if side.is_finished:  # so both directions have ended
            other.transport.close()
            return False
        self._say_no_more(other)
        self._arm(HALF_OPEN_SECONDS)
        return side.transport.can_write_eof()

    def _say_no_more(self, side: _Side) -> None:
        side.is_finished = True
        finish_writing(side.transport)

    def lost(self, side: _Side, exc: Exception | None) -> None:
        """One end is gone: the other follows, at once after an error, else when it has got what is on its way."""
        if side is self._client:
            self._client = None
            other = self._upstream
        else:
            self._upstream = None
            other = self._client
        if other is None:
            self._end()
        elif self.closing is None:
            (other.transport.abort if exc else other.transport.close)()
            self._arm(HALF_OPEN_SECONDS)
        elif side.transport is not other.transport and other is self._upstream:
            other.transport.abort()

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._abort)

    def _abort(self) -> None:
        for side in (self._client, self._upstream):
            if side is not None:
                side.transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
        if self.on_end is not None:
            self.on_end()
