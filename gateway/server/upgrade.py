"""The conversation between a WebSocket handshake and its application, before anything is tunnelled or terminated."""

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.core.asgi import HeaderList, Scope
from gateway.errors import GatewayError
from gateway.server.closing import finish_writing, reset
from gateway.server.head import Refused
from gateway.server.tunnel import Tunnel

if TYPE_CHECKING:  # the protocol hands its connection over to this module
    from gateway.server.protocol import GatewayProtocol

EARLY_BYTES = 64 * 1024
"""What a client may send before the handshake is answered; then it is not read any further."""

_log = logging.getLogger("uvicorn.error")
_UPGRADE_ONLY = frozenset({b"upgrade", b"http2-settings"})


class Handshake(asyncio.Protocol):
    """One handshake. The application refuses it, accepts it as a tunnel, or accepts it and the server terminates it."""

    @classmethod
    def take_over(cls, connection: "GatewayProtocol", rest: bytes) -> None:
        """Go on with `connection`'s transport; `rest` came behind the handshake."""
        handshake = cls(connection, rest)
        connection.connections.discard(connection)
        connection.connections.add(handshake)  # type: ignore[arg-type]
        # Both refer back to it; without them it goes at once, not when the garbage collector comes by.
        connection.parser = connection.cycle = None  # type: ignore[assignment]
        connection.transport.set_protocol(handshake)
        handshake.begin(connection)

    def __init__(self, connection: "GatewayProtocol", rest: bytes) -> None:
        self.transport = connection.transport
        self._early = bytearray(rest)
        self._gone = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._connected = False
        self._answered = False
        self._complete = False
        self._peers: set[Any] = connection.connections
        self._tunnel = Tunnel(connection.loop, connection.transport, self._peers, connection.sweeper, connection.limits)
        self._terminated: _Terminated | None = None
        self._connection: GatewayProtocol | None = connection
        self._state = connection.server_state
        self._linger_seconds = connection.limits.linger_seconds
        self._loop = connection.loop
        self.scope = _websocket_scope(dict(connection.scope), self._tunnel)

    def begin(self, connection: "GatewayProtocol") -> None:
        """Start the application."""
        self.task = self._loop.create_task(self._run(connection.app))
        connection.tasks.add(self.task)
        self.task.add_done_callback(connection.tasks.discard)

    async def _run(self, app: Any) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:
            if self._terminated is not None:
                raise
            self._end_badly(error)
            return
        if self._terminated is None and (not self._complete or self._tunnel.is_waiting):
            self._end_badly(None)

    def _end_badly(self, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, (asyncio.CancelledError, GatewayError)):  # logged already
            _log.error("Exception in ASGI application\n", exc_info=error)
        if self._answered or self.transport.is_closing():
            reset(self.transport)
        else:
            self.transport.write(Refused(500, "The application failed.").answer(self._state.default_headers))
            self._close()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """Keep what comes before the answer."""
        if self._complete:
            return
        self._early += data
        if len(self._early) > EARLY_BYTES:
            self.transport.pause_reading()

    def connection_lost(self, _exc: Exception | None) -> None:
        """The client is gone, or has been answered."""
        self._peers.discard(self)
        self._gone.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """The client reads slower than the application writes."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    def shutdown(self) -> None:
        """The server stops; a tunnel that is still to come closes as soon as it is there."""
        self._tunnel.shutdown()

    def hand_over(self) -> bytes:
        """Leave the connection to another protocol; what the client has sent already."""
        self._peers.discard(self)
        early = bytes(self._early)
        self._early.clear()
        return early

    # ASGI

    async def receive(self) -> Any:
        """`websocket.connect`, then the messages of a terminated connection, or its end."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        if self._terminated is not None:
            return await self._terminated.receive()
        await self._gone.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(self, message: Any) -> None:
        """Accept or refuse."""
        if self._terminated is not None:
            await self._terminated.send(message)
        elif message["type"] == "websocket.accept" and not self._answered and not message.get("gateway.tunnel"):
            assert self._connection is not None
            self._terminated = await _terminate(self, self._connection)
            await self._terminated.receive()  # its own websocket.connect
            await self._terminated.send(message)
            self._terminated.go_on()
        elif not self._gone.is_set():
            self._answer(message)
            await self._writable.wait()

    def _answer(self, message: Any) -> None:
        kind = message["type"]
        if kind == "websocket.http.response.body" and self._answered and not self._complete:
            self.transport.write(message.get("body", b""))
            if not message.get("more_body", False):
                self._close()
        elif self._answered:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' after the handshake's answer.")
        elif kind == "websocket.accept":
            self._accept(message.get("headers", ()))
        elif kind == "websocket.http.response.start":
            self._answered = True
            lines = [*message.get("headers", ()), (b"connection", b"close")]
            if not any(name.lower() == b"date" for name, _ in lines):
                lines += self._state.default_headers
            self.transport.write(_head(message["status"], lines))
        elif kind == "websocket.close":
            self._answered = True
            self.transport.write(Refused(403, "The WebSocket was refused.").answer(self._state.default_headers))
            self._close()
        else:
            raise RuntimeError(f"Unexpected ASGI message '{kind}' before the handshake's answer.")

    def _accept(self, headers: HeaderList) -> None:
        self._answered = self._complete = True
        switch = [(b"upgrade", b"websocket"), (b"connection", b"Upgrade"), *headers]
        self.transport.write(_head(101, switch))
        self._tunnel.begin(bytes(self._early))
        self._early.clear()
        self._connection = None

    def _close(self) -> None:
        """Close behind the answer; nothing that follows is read as a request or carried anywhere (#1347)."""
        self._complete = True
        self._early.clear()
        if self.transport.is_closing():
            return
        self.transport.resume_reading()
        if finish_writing(self.transport):
            self._loop.call_later(self._linger_seconds, self.transport.abort)


@dataclass(frozen=True, slots=True)
class _Terminated:
    """uvicorn's own WebSocket protocol, speaking for an application that was started before it."""

    receive: Callable[[], Awaitable[Any]]
    send: Callable[[Any], Awaitable[None]]
    go_on: Callable[[], None]
    """Reading begins after the handshake's answer: that protocol knows no frames before it."""


async def _terminate(handshake: Handshake, connection: "GatewayProtocol") -> _Terminated:
    """Hand the transport over and wait for that protocol to call its application."""
    ready: asyncio.Future[_Terminated] = connection.loop.create_future()

    def go_on() -> None:
        if early:
            protocol.data_received(early)
        if not protocol.read_paused:
            handshake.transport.resume_reading()

    async def application(_scope: Any, receive: Any, send: Any) -> None:
        ready.set_result(_Terminated(receive, send, go_on))
        await handshake.task

    config = copy.copy(connection.config)
    config.loaded_app = application
    protocol = WebSocketsSansIOProtocol(config, connection.server_state, connection.app_state, connection.loop)
    early = handshake.hand_over()
    protocol.connection_made(handshake.transport)
    handshake.transport.set_protocol(protocol)
    handshake.transport.pause_reading()
    protocol.data_received(_essentials(handshake.scope))
    if protocol.close_sent:  # the library has refused the handshake and closed
        return _Terminated(_refused_receive, _refused_send, _ignore)
    return await ready


def _ignore() -> None:
    """Nothing to go on with."""


async def _refused_receive() -> dict[str, Any]:
    return {"type": "websocket.disconnect", "code": 1006}


async def _refused_send(_message: Any) -> None:
    return None


def _essentials(scope: Scope) -> bytes:
    """The handshake as the terminating library needs it: its parser has limits of its own for long cookies."""
    lines = [b"GET ", scope["raw_path"], b" HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"]
    for name, value in scope["headers"]:
        if name in {b"host", b"origin"} or name.startswith(b"sec-websocket-"):
            lines += [name, b": ", value, b"\r\n"]
    lines.append(b"\r\n")
    return b"".join(lines)


def _websocket_scope(scope: dict[str, Any], tunnel: Tunnel) -> dict[str, Any]:
    """The scope of a handshake, from that of its request."""
    offered = [value for name, value in scope["headers"] if name == b"sec-websocket-protocol"]
    subprotocols = [item.strip() for value in offered for item in value.decode("latin-1").split(",")]
    websocket = {
        **scope,
        "type": "websocket",
        "asgi": {**scope["asgi"], "spec_version": "2.4"},
        "scheme": "wss" if scope["scheme"] == "https" else "ws",
        "subprotocols": [item for item in subprotocols if item],
        "extensions": {"websocket.http.response": {}, "gateway.tunnel": tunnel},
    }
    del websocket["method"]
    return websocket


def _head(status: int, headers: HeaderList) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    lines = [f"HTTP/1.1 {status} {phrase}\r\n".encode()]
    for name, value in headers:
        lines += [name, b": ", value, b"\r\n"]
    lines.append(b"\r\n")
    return b"".join(lines)


def without_upgrade(scope: Any, target: bytes) -> bytes:
    """The head of a request once more, without the upgrade that it offered (RFC 9110 §7.8: a server may ignore it)."""
    lines = [f"{scope['method']} ".encode(), target, f" HTTP/{scope['http_version']}\r\n".encode()]
    for name, value in scope["headers"]:
        kept = _without_options(value) if name == b"connection" else value
        if name not in _UPGRADE_ONLY and (kept or name != b"connection"):
            lines += [name, b": ", kept, b"\r\n"]
    lines.append(b"\r\n")
    return b"".join(lines)


def _without_options(connection: bytes) -> bytes:
    options = [option.strip(b" \t") for option in connection.split(b",")]
    return b", ".join(option for option in options if option and option.lower() not in _UPGRADE_ONLY)
