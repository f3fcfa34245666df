"""Raw HTTP over real sockets: a scripted upstream, the proxy in front of it, and a client that sends bytes."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ssl import SSLContext

from gateway.errors import GatewayError
from gateway.proxy.app import ReverseProxy
from gateway.proxy.options import UpstreamOptions
from gateway.server import Limits, Running, running

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HOST = b"Host: app.test\r\n"
_DATE = re.compile(rb"date: [^\r]*\r\n", re.IGNORECASE)


@dataclass
class Peer:
    """One connection that the upstream accepted."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    received: bytes = b""

    async def head(self) -> bytes:
        """The next request's head, empty when the connection ended."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        self.received += head
        return head

    async def body(self, size: int) -> bytes:
        body = await self.reader.readexactly(size)
        self.received += body
        return body

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> bytes:
        """What still comes until the other side closes."""
        try:
            rest = await self.reader.read()
        except ConnectionError:
            rest = b""
        self.received += rest
        return rest

    def abort(self) -> None:
        self.writer.transport.abort()


Play = Callable[[Peer], Awaitable[None]]


@dataclass
class Scripted:
    """A server that plays a script on each connection. `peers` holds them in order of arrival."""

    port: int = 0
    path: str = ""
    peers: list[Peer] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"unix:{self.path}" if self.path else f"http://127.0.0.1:{self.port}"

    @property
    def received(self) -> bytes:
        return b"".join(peer.received for peer in self.peers)


@asynccontextmanager
async def scripted(
    play: Play, *, path: str = "", ssl: SSLContext | None = None, port: int = 0
) -> AsyncIterator[Scripted]:
    """Listen on a free port (or a unix socket) and play."""
    upstream = Scripted(path=path)
    tasks: set[asyncio.Task[None] | None] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        upstream.peers.append(peer)
        tasks.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.CancelledError):
            await play(peer)
        writer.close()

    if path:
        server = await asyncio.start_unix_server(connected, path)
    else:
        server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=ssl)
        upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        for peer in upstream.peers:
            peer.abort()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)


def answering(*answers: bytes) -> Play:
    """Read a request (its Content-Length too), give the next answer, the last one for ever; keep the connection."""

    async def play(peer: Peer) -> None:
        left = list(answers)
        while head := await peer.head():
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if length:
                await peer.body(int(length[1]))
            await peer.send(left.pop(0) if len(left) > 1 else left[0])

    return play


def in_turn(*plays: Play) -> Play:
    """A play for each connection, the last one for all that follow."""
    left = list(plays)

    async def play(peer: Peer) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(peer)

    return play


def rendered(app):
    """What the web layer does with an error that comes before the answer."""

    async def call(scope, receive, send):
        started = False

        async def watched(message):
            nonlocal started
            started = True
            await send(message)

        try:
            await app(scope, receive, watched)
        except GatewayError as exc:
            if started:
                raise
            headers = [(b"content-length", b"%d" % len(exc.public))]
            await send({"type": "http.response.start", "status": exc.status, "headers": headers})
            await send({"type": "http.response.body", "body": exc.public.encode()})

    return call


@asynccontextmanager
async def proxied(*upstreams: Scripted | UpstreamOptions, limits: Limits | None = None) -> AsyncIterator[Running]:
    """The reverse proxy on a real server, in front of these."""
    options = [one if isinstance(one, UpstreamOptions) else UpstreamOptions(servers=(one.url,)) for one in upstreams]
    async with running(rendered(ReverseProxy(options)), limits=limits, grace=0.2) as server:
        yield server


@asynccontextmanager
async def connected(server: Running, *, receives: int = 0) -> AsyncIterator[Peer]:
    """A client's connection. `receives`: bytes that its kernel takes before the client reads them."""
    sock = socket.socket()
    sock.settimeout(0)
    if receives:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        # The server's kernel keeps ten segments and more of what the client does not take; loopback's have 64 KiB.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    await asyncio.get_running_loop().sock_connect(sock, (server.host, server.port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=receives or 2**16)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()


async def until(holds: Callable[[], object]) -> None:
    """Let the loop turn until it does."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in another part of the test
            await asyncio.sleep(0)


async def talk(server: Running, data: bytes) -> bytes:
    """Send `data`, give back all that comes until the server closes, without its Date lines."""
    async with connected(server) as client:
        await client.send(data)
        return _DATE.sub(b"", await asyncio.wait_for(client.gone(), 10))


async def get(server: Running, path: bytes = b"/", *, method: bytes = b"GET", lines: bytes = b"") -> bytes:
    """One request on a connection of its own."""
    return await talk(server, b"%b %b HTTP/1.1\r\n%bConnection: close\r\n%b\r\n" % (method, path, HOST, lines))


async def read_answer(client: Peer) -> bytes:
    """One answer with a Content-Length, on a connection that stays open."""
    head = await client.head()
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return _DATE.sub(b"", head) + (await client.body(int(length[1])) if length else b"")
