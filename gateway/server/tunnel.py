"""Join a client's connection and an upstream's, byte for byte, and close between two WebSocket frames.

A tunnel may stay idle for hours, and there may be thousands: what is left of a handshake are the two transports and the
few slotted objects of this module. No task waits for them; the transports call.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from gateway.core.frames import FrameBoundaries, close_frame
from gateway.server.closing import close, finish_writing
from gateway.server.deadlines import Sweeper
from gateway.server.limits import Limits
from gateway.server.unsent import Unsent

CLOSE_SECONDS = 5
"""How long a close waits for the frame in transit to end; then the connection is cut without one."""
HALF_OPEN_SECONDS = 10
"""How long one end may go on after the other has finished; WebSocket has nothing left to say then."""
GOING_AWAY = 1001
"""RFC 6455 §7.4.1: the server goes down."""


class _Side(asyncio.Protocol):
    """One end of a tunnel; `other` is where its bytes go, and whose reading follows its writing."""

    __slots__ = ("is_finished", "other", "transport", "tunnel")

    def __init__(self, transport: asyncio.Transport, tunnel: "Tunnel") -> None:
        self.transport = transport
        self.tunnel = tunnel
        self.other: asyncio.Transport = transport
        self.is_finished = False  # nothing more is written to it

    def pause_writing(self) -> None:
        self.other.pause_reading()

    def resume_writing(self) -> None:
        self.other.resume_reading()

    def eof_received(self) -> bool:
        return self.tunnel.half_closed(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.tunnel.lost(self, exc)


class _ClientSide(_Side):
    """The client's end: the upstream's `write` itself is called with what comes, without a frame of Python between."""

    __slots__ = ("data_received",)

    data_received: Callable[[bytes], None]  # type: ignore[assignment]


class _UpstreamSide(_Side):
    """The upstream's end: its frames are followed, so that a close frame finds a place between two."""

    __slots__ = ("is_between", "write")

    def __init__(self, transport: asyncio.Transport, tunnel: "Tunnel", client: asyncio.Transport) -> None:
        super().__init__(transport, tunnel)
        self.other = client
        self.write = client.write
        self.is_between = True  # two frames

    def data_received(self, data: bytes) -> None:
        tunnel = self.tunnel
        if tunnel.closing is not None:
            tunnel.finish_frame(data)
            return
        # Most often one short frame comes alone; following it takes three times as long as seeing that.
        size = len(data)
        length = data[1] if size > 1 else 127
        if length == 126 and size > 3:
            length = (data[2] << 8 | data[3]) + 2
        elif length > 125:
            length = -3  # nothing has that size
        if not self.is_between or size != length + 2:
            tunnel.frames.feed(data)
            self.is_between = tunnel.frames.at_boundary
        self.write(data)


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
    101, and then calls `join` and returns. An application that accepts without that key is terminated by the server as
    usual. Who wants to `close` a tunnel later keeps it in a WeakSet: it lives as long as one of its ends does.
    """

    __slots__ = (
        "__weakref__",
        "_client",
        "_early",
        "_limits",
        "_loop",
        "_peers",
        "_sweeper",
        "_timer",
        "_unsent",
        "_upstream",
        "closing",
        "frames",
        "is_waiting",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        client: asyncio.Transport,
        peers: set[Any],
        sweeper: Sweeper,
        limits: Limits,
    ) -> None:
        """`peers` are the server's connections: the tunnel takes the place there of the protocol before it."""
        self._sweeper = sweeper
        self._unsent: tuple[Unsent, ...] = ()
        self._loop = loop
        self._peers = peers
        self._limits = limits
        self._client: _ClientSide | None = _ClientSide(client, self)
        self._upstream: _Side | None = None
        self._early = b""
        self._timer: asyncio.TimerHandle | None = None
        self.closing: bytes | None = None
        self.frames = FrameBoundaries()
        self.is_waiting = False  # for `join`, after the 101

    def begin(self, early: bytes) -> None:
        """The server's part: the 101 is written, `early` is what the client sent before it."""
        self._early = early
        self.is_waiting = True

    @property
    def transport(self) -> asyncio.Transport | None:
        """The client's, as long as it lives."""
        return None if self._client is None else self._client.transport

    def join(self, upstream: asyncio.Transport, early: bytes = b"") -> None:
        """Carry bytes both ways from now on. `early` is what the upstream sent after its 101.

        The upstream's transport is the tunnel's now, and is closed with it. Close codes, pings, fragments and
        compression pass as they are.
        """
        client = self._client
        self.is_waiting = False
        if client is None or client.transport.is_closing():
            upstream.abort()
            return
        transport = client.transport
        self._peers.discard(transport.get_protocol())
        self._peers.add(self)
        if upstream.is_closing():  # it said something and left, all before we came to this
            transport.set_protocol(client)
            transport.write(early)
            transport.close()
            self._arm(HALF_OPEN_SECONDS)
            return
        side = self._upstream = _UpstreamSide(upstream, self, transport)
        client.other = upstream
        client.data_received = upstream.write
        self._unsent = tuple(Unsent(end, self._limits.write_seconds) for end in (transport, upstream))
        self._sweeper.add(self)
        upstream.set_protocol(side)
        transport.set_protocol(client)
        if self._early:
            upstream.write(self._early)
            self._early = b""
        closing, self.closing = self.closing, None
        if early:
            side.data_received(early)
        if closing is not None:
            self._close_with(closing)
        for end in (transport, upstream):
            end.resume_reading()

    def close(self, code: int, reason: str = "") -> None:
        """Put a close frame (RFC 6455 §5.5.1) between two frames towards the client, then close both ends.

        Does nothing the second time. Before `join`, the frame follows what came with the upstream's 101.
        """
        if self.closing is None:
            self._close_with(close_frame(code, reason))

    def shutdown(self) -> None:
        """The server stops."""
        self.close(GOING_AWAY)

    def check_deadline(self, now: float) -> None:
        """Cut both ends when one has taken nothing for too long."""
        if any(each.is_stuck(now) for each in self._unsent):
            self._abort()

    def _close_with(self, frame: bytes) -> None:
        self.closing = frame
        if self._upstream is None:
            return
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
            close(other.transport)
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
            if exc:
                other.transport.abort()
            else:
                close(other.transport)
            self._arm(HALF_OPEN_SECONDS)
        elif other is self._upstream:
            other.transport.abort()

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._abort)

    def _abort(self) -> None:
        for side in (self._client, self._upstream):
            if side is not None:
                side.transport.abort()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._peers.discard(self)
        self._sweeper.discard(self)
