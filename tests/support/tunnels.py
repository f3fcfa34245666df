"""A proxy's WebSocket part between a raw client and a raw upstream."""

import asyncio
import ssl
import weakref
from contextlib import asynccontextmanager, suppress
from typing import Any

import websockets

from gateway.errors import UpstreamError
from gateway.proxy.websocket import WebSocketUpstream, forward
from gateway.server import Limits, running
from tests.support.raw_http import status

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455 §1.3
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    + ACCEPT
    + b"\r\n\r\n"
)


def handshake(*lines: bytes, connection: bytes = b"Upgrade", path: bytes = b"/ws?a=%20") -> bytes:
    start = [b"GET " + path + b" HTTP/1.1", b"Host: app.test", b"Connection: " + connection, b"Upgrade: websocket"]
    return b"\r\n".join([*start, b"Sec-WebSocket-Key: " + KEY, b"Sec-WebSocket-Version: 13", *lines, b"", b""])


class Gate:
    """The proxy's part as an application: forwards to one port, and remembers what was raised."""

    def __init__(self, port: int, *, tls: ssl.SSLContext | None = None, **options):
        self.port = port
        self.tls = tls
        self.options = options
        self.handshakes: list[weakref.ref[Any]] = []
        self.errors: list[UpstreamError] = []
        self.requests: list[bytes] = []
        self.ended = asyncio.Event()  # the application
        # Both without the garbage collector's help:
        self.freed = asyncio.Event()  # the first handshake: what the server kept for it
        self.gone = asyncio.Event()  # the first tunnel

    @property
    def tunnel(self):
        tunnel = self.handshakes[0]()
        assert tunnel is not None
        return tunnel

    async def connect(self, factory):
        transport, _ = await asyncio.get_running_loop().create_connection(
            factory, "127.0.0.1", self.port, ssl=self.tls, server_hostname="localhost" if self.tls else None
        )
        return transport

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            tunnel = scope["extensions"]["gateway.tunnel"]
            self.handshakes.append(weakref.ref(tunnel))
            weakref.finalize(tunnel, self.gone.set)
            weakref.finalize(receive.__self__, self.freed.set)
            del tunnel
            try:
                await forward(scope, receive, send, WebSocketUpstream(connect=self.connect, **self.options))
            except UpstreamError as error:
                self.errors.append(error)
                head_ = {"type": "websocket.http.response.start", "status": error.status, "headers": []}
                await send(head_)
                await send({"type": "websocket.http.response.body", "body": b""})
            finally:
                self.ended.set()
        elif scope["type"] == "http":
            self.requests.append(scope["raw_path"])


@asynccontextmanager
async def raw_upstream(*answers: bytes, then_close=False):
    """An upstream that answers the handshake with these bytes; yields (port, connections' reader-writer queue)."""
    peers: asyncio.Queue[Any] = asyncio.Queue()
    writers = []

    async def on_connect(reader, writer):
        writers.append(writer)
        asked = await reader.readuntil(b"\r\n\r\n")
        for answer in answers:
            writer.write(answer)
        if then_close:
            writer.close()
        peers.put_nowait((asked, reader, writer))

    server = await asyncio.start_server(on_connect, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], peers
    finally:
        server.close()
        for writer in writers:
            writer.close()
            writer.transport.abort()


@asynccontextmanager
async def tunnelled(*answers: bytes, limits: Limits | None = None, **options):
    """A raw tunnel: (gate, client's reader and writer, upstream's reader and writer, what the upstream was asked)."""
    async with raw_upstream(*(answers or [SWITCH])) as (port, peers):
        gate = Gate(port, **options)
        async with running(gate, grace=1, limits=limits) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(handshake())
            _, up_reader, up_writer = await peers.get()
            assert status(await reader.readuntil(b"\r\n\r\n")) == 101
            yield gate, (reader, writer), (up_reader, up_writer)
            writer.transport.abort()


def choose(_connection, offered):
    """The sub-protocol of the library's server."""
    return "chat" if "chat" in offered else None


async def echo(ws):
    """The library's server."""
    with suppress(websockets.ConnectionClosedError):
        async for message in ws:
            await ws.send(message)
