"""WebSockets through the tunnel: real sockets, with the `websockets` library at both ends or raw bytes."""

import asyncio
import os
import weakref
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from websockets.asyncio.server import serve
from websockets.typing import Subprotocol

from gateway.core.frames import close_frame
from gateway.errors import BadUpstreamAnswer, UpstreamError, UpstreamTimeout
from gateway.proxy.handshake import accept_key, handshake_request
from gateway.proxy.websocket import WebSocketUpstream, forward, is_origin_allowed
from gateway.server import Limits, running
from tests.support.raw_http import head, status, statuses, talk

pytestmark = pytest.mark.network
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

    def __init__(self, port: int, **options):
        self.port = port
        self.options = options
        self.handshakes: list[weakref.ref[Any]] = []
        self.errors: list[UpstreamError] = []
        self.requests: list[bytes] = []
        self.ended = asyncio.Event()  # the application
        self.gone = asyncio.Event()  # the first tunnel, without the garbage collector's help

    @property
    def tunnel(self):
        tunnel = self.handshakes[0]()
        assert tunnel is not None
        return tunnel

    async def connect(self, factory):
        transport, _ = await asyncio.get_running_loop().create_connection(factory, "127.0.0.1", self.port)
        return transport

    async def __call__(self, scope, receive, send):
        if scope["type"] == "websocket":
            tunnel = scope["extensions"]["gateway.tunnel"]
            self.handshakes.append(weakref.ref(tunnel))
            weakref.finalize(tunnel, self.gone.set)
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
async def tunnelled(*answers: bytes, **options):
    """A raw tunnel: (gate, client's reader and writer, upstream's reader and writer, what the upstream was asked)."""
    async with raw_upstream(*(answers or [SWITCH])) as (port, peers):
        gate = Gate(port, **options)
        async with running(gate, grace=1) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(handshake())
            _, up_reader, up_writer = await peers.get()
            assert status(await reader.readuntil(b"\r\n\r\n")) == 101
            yield gate, (reader, writer), (up_reader, up_writer)
            writer.transport.abort()


def choose(_connection, offered):
    return "chat" if "chat" in offered else None


async def echo(ws):
    try:
        async for message in ws:
            await ws.send(message)
    except websockets.ConnectionClosedError:
        pass


# ---- the library at both ends


@pytest.fixture
async def echoed():
    """A WebSocket URL that ends at an echo server, through the gateway's server."""
    async with serve(echo, "127.0.0.1", 0, max_size=2**25, select_subprotocol=choose) as upstream:
        gate = Gate(upstream.sockets[0].getsockname()[1])
        async with running(gate, grace=1) as server:
            yield server.url.replace("http", "ws"), gate


async def test_text_binary_compression_and_subprotocol_pass(echoed):
    """Issue 3: both kinds of message keep their kind; the upstream chooses sub-protocol and compression."""
    url, _ = echoed
    async with websockets.connect(url, subprotocols=[Subprotocol("other"), Subprotocol("chat")]) as ws:
        assert ws.subprotocol == "chat"
        assert ws.response is not None
        assert "permessage-deflate" in ws.response.headers["Sec-WebSocket-Extensions"]
        for message in ("\u00e4" * 1000, b"\xff\x00" * 1000, "", b""):
            await ws.send(message)
            assert await ws.recv() == message
        assert await (await ws.ping()) >= 0


async def test_a_16_mib_message_in_fragments_passes(echoed):
    """Issue 3: large messages and their fragments, with back-pressure."""
    url, _ = echoed
    data = os.urandom(2**24)
    async with websockets.connect(url, compression=None, max_size=2**25) as ws:
        await ws.send([data[at : at + 2**21] for at in range(0, 2**24, 2**21)])
        assert await ws.recv() == data


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_the_clients_close_code_reaches_the_upstream_and_back(echoed, code):
    """Issue 3: close codes pass unchanged."""
    url, gate = echoed
    async with websockets.connect(url) as ws:
        await ws.close(code, "why")
    assert (ws.close_code, ws.close_reason) == (code, "why")
    await asyncio.wait_for(gate.gone.wait(), 5)


async def test_the_gateway_closes_with_4401(echoed):
    """A session that ends closes its WebSockets with a code that the page can tell from a failure."""
    url, gate = echoed
    async with websockets.connect(url) as ws:
        await ws.send("before")
        assert await ws.recv() == "before"
        gate.tunnel.close(4401, "session ended")
        with pytest.raises(websockets.ConnectionClosedError):
            await ws.recv()
    assert (ws.close_code, ws.close_reason) == (4401, "session ended")
    await asyncio.wait_for(gate.gone.wait(), 5)


async def test_stopping_the_server_says_going_away():
    """RFC 6455 §7.4.1: 1001, so that pages connect again elsewhere."""
    async with serve(echo, "127.0.0.1", 0) as upstream:
        async with running(Gate(upstream.sockets[0].getsockname()[1]), grace=1) as server:
            ws = await websockets.connect(server.url.replace("http", "ws"))
        with pytest.raises(websockets.ConnectionClosedOK):
            await ws.recv()
        assert ws.close_code == 1001


# ---- bytes


async def test_bytes_pass_unchanged_both_ways():
    """Issue 3: bad UTF-8, reserved bits, unknown opcodes: ends that speak WebSocket judge them, not the tunnel."""
    async with tunnelled() as (_, (reader, writer), (up_reader, up_writer)):
        wild = b"\xf7\x85\x01\x02\x03\x04hello" + b"\x81\x02\xff\xfe" + bytes(range(256))
        writer.write(wild)
        assert await up_reader.readexactly(len(wild)) == wild
        down = b"\x81\x02\xff\xfe\x0f\x01x\x89\x00"
        up_writer.write(down)
        assert await reader.readexactly(len(down)) == down


async def test_what_came_with_the_handshakes_is_not_lost():
    """Early frames of the client, and frames in the upstream's 101 packet, are carried first."""
    async with raw_upstream(SWITCH + b"\x81\x02!?") as (port, peers), running(Gate(port)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake() + b"\x82\x80\x00\x00\x00\x00")
        _, up_reader, _ = await peers.get()
        assert (await reader.readuntil(b"!?")).endswith(b"\r\n\r\n\x81\x02!?")
        assert await up_reader.readexactly(6) == b"\x82\x80\x00\x00\x00\x00"
        writer.transport.abort()


async def test_the_handshake_travels_with_its_lines():
    """Issue 3: raw path and query byte for byte, Sec-WebSocket-* untouched and in order, hop-by-hop lines made new."""
    lines = (b"Sec-WebSocket-Protocol: a, b", b"Sec-WebSocket-Extensions: x; y=1", b"X-User: ada", b"X-Drop: 1")
    async with raw_upstream(SWITCH) as (port, peers), running(Gate(port)) as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake(*lines, connection=b"keep-alive, Upgrade, X-Drop", path=b"/a%2Fb//c;d?q=%20&r"))
        asked, *_ = await peers.get()
        assert asked == (
            b"GET /a%2Fb//c;d?q=%20&r HTTP/1.1\r\nhost: app.test\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-key: " + KEY + b"\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: a, b\r\n"
            b"sec-websocket-extensions: x; y=1\r\nx-user: ada\r\n\r\n"
        )
        writer.transport.abort()


@pytest.mark.parametrize(
    "connection", [b"keep-alive, Upgrade", b"UPGRADE", b"upgrade,keep-alive", b"x\r\nConnection: upgrade"]
)
async def test_connection_is_a_list(connection):
    """Q15: `Connection: keep-alive, Upgrade` (Firefox) is a WebSocket request."""
    async with raw_upstream(SWITCH) as (port, peers), running(Gate(port)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake(connection=connection))
        await peers.get()
        assert status(await reader.readuntil(b"\r\n\r\n")) == 101
        writer.transport.abort()


async def test_a_close_frame_waits_for_the_frame_in_transit():
    """Issue 3: 4401 goes between two frames, never into one; what the upstream says after it is dropped."""
    async with tunnelled() as (gate, (reader, writer), (_, up_writer)):
        up_writer.write(b"\x82\x7e\x01\x00" + b"a" * 100)
        await reader.readexactly(104)
        gate.tunnel.close(4401)
        gate.tunnel.close(4000)
        up_writer.write(b"b" * 156 + b"\x81\x05never")
        assert await reader.read() == b"b" * 156 + close_frame(4401)
        writer.close()
        await asyncio.wait_for(gate.gone.wait(), 5)


async def test_the_client_going_ends_the_upstream_and_back():
    """Neither end is left open when the other is gone."""
    async with tunnelled() as (gate, (_, writer), (up_reader, _)):
        writer.close()
        assert await up_reader.read() == b""
    async with tunnelled() as (gate, (reader, writer), (_, up_writer)):
        up_writer.write(b"\x88\x00")
        up_writer.close()
        assert await reader.read() == b"\x88\x00"
        writer.close()
        await asyncio.wait_for(gate.gone.wait(), 5)


async def test_a_slow_reader_stops_the_upstream():
    """Back-pressure: what a client does not read is not read from the upstream either."""
    async with tunnelled() as (_, (_, writer), (_, up_writer)):
        writer.transport.pause_reading()
        up_writer.transport.set_write_buffer_limits(high=0)
        up_writer.write(b"\x82\x7f" + (2**26).to_bytes(8, "big") + b"x" * 2**26)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(up_writer.drain(), 0.3)
        assert up_writer.transport.get_write_buffer_size() > 2**24
        up_writer.transport.abort()


# ---- refusals


async def test_a_refused_handshake_is_passed_on_and_nothing_is_tunnelled_after_it():
    """#1347: upgrade to a path that is no WebSocket, then `GET /admin` with forged headers on the same connection."""
    refusal = (
        b"HTTP/1.1 404 Not Found\r\nX-Why: none\r\nKeep-Alive: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"4\r\nnope\r\n0\r\nT: x\r\n\r\n"
    )
    async with raw_upstream(refusal) as (port, peers):
        gate = Gate(port)
        async with running(gate) as server:
            said = await talk(
                server, handshake() + b"GET /admin HTTP/1.1\r\nHost: h\r\nX-Forwarded-User: admin\r\n\r\n"
            )
            _, up_reader, _ = await peers.get()
            assert await up_reader.read() == b""
    assert (statuses(said), said.split(b"\r\n\r\n", 1)[1]) == ([404], b"nope")
    assert (head(said)[b"x-why"], head(said)[b"connection"]) == (b"none", b"close")
    assert not {b"keep-alive", b"transfer-encoding"} & set(head(said))
    assert gate.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        SWITCH.replace(ACCEPT, b"x" * 28),
        SWITCH.replace(b"Upgrade: websocket\r\n", b""),
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 404 X\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    ],
)
async def test_answers_that_are_no_answers_are_502(answer):
    """F2: a 101 that does not match the key, or switches to nothing, or what is not HTTP: the tunnel never opens."""
    async with raw_upstream(answer) as (port, _):
        gate = Gate(port)
        async with running(gate) as server:
            assert status(await talk(server, handshake())) == 502
        assert isinstance(gate.errors[0], BadUpstreamAnswer)


async def test_a_200_to_an_upgrade_is_no_tunnel():
    """F2 (Envoy CVE-2024-23326): an ordinary answer is passed on as one."""
    async with (
        raw_upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (port, _),
        running(Gate(port)) as server,
    ):
        said = await talk(server, handshake() + b"\x81\x80\x00\x00\x00\x00")
    assert (statuses(said), said[-2:]) == ([200], b"ok")


async def test_informational_answers_are_skipped():
    """A 100 or 103 before the 101 changes nothing."""
    async with tunnelled(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + SWITCH):
        pass


async def test_an_upstream_that_says_nothing_is_504_in_time():
    """Bounded time; the upstream connection is closed."""
    async with raw_upstream(b"HTTP/1.1 101") as (port, peers):
        gate = Gate(port, first_byte_seconds=0.1)
        async with running(gate) as server:
            assert status(await talk(server, handshake())) == 504
            assert await (await peers.get())[1].read() == b""
        assert isinstance(gate.errors[0], UpstreamTimeout)


async def test_a_refusal_that_breaks_off_is_seen_as_incomplete():
    """A well-formed short answer would be a lie."""
    cut = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nsome"
    async with raw_upstream(cut, then_close=True) as (port, _):
        gate = Gate(port)

        async def app(scope, receive, send):
            await forward(scope, receive, send, WebSocketUpstream(connect=gate.connect))

        async with running(app) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(handshake())
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(10_000)
            writer.close()


async def test_a_client_that_leaves_ends_the_attempt():
    """The upstream is not asked on behalf of nobody."""
    async with raw_upstream() as (port, peers):
        gate = Gate(port)
        async with running(gate) as server:
            _, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(handshake())
            _, up_reader, _ = await peers.get()
            writer.close()
            assert await up_reader.read() == b""
            await asyncio.wait_for(gate.ended.wait(), 5)


async def test_a_handshake_with_a_body_or_in_a_queue_is_refused():
    """F2: `Upgrade` with a body; and an upgrade behind a request that is not answered yet."""
    gate = Gate(1)
    async with running(gate, limits=Limits(linger_seconds=0.2)) as server:
        assert status(await talk(server, handshake(b"Content-Length: 5") + b"GET /")) == 400
        assert status(await talk(server, handshake(b"Transfer-Encoding: chunked") + b"0\r\n\r\n")) == 400
    assert gate.handshakes == []


# ---- the Origin


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        *[
            (origin, True)
            for origin in (b"https://app.test", b"http://APP.test", b"https://app.test:443", b"https://public.test")
        ],
        *[(origin, True) for origin in (b"https://friend.test",)],
        *[
            (origin, False)
            for origin in (b"https://app.test.evil", b"https://evil.test", b"null", b"", b"https://app.test:444")
        ],
        *[
            (origin, False)
            for origin in (b"https://u@app.test", b"https://app.test/", b"file://app.test", b"app.test", b"//app.test")
        ],
        *[(origin, False) for origin in (b"https://[", b"https://app.test, https://evil.test")],
    ],
)
def test_pages_of_other_hosts_open_no_websocket(origin, allowed):
    """Cross-site WebSocket hijacking: cookies travel with a handshake, and no CORS check stands before it."""
    headers = [(b"host", b"app.test"), (b"x-forwarded-host", b"public.test"), (b"origin", origin)]
    assert is_origin_allowed(headers, frozenset({"https://friend.test"})) is allowed
    assert is_origin_allowed(headers, None)


def test_programs_send_no_origin_and_nobody_sends_two():
    """A missing Origin is a program's; two are nobody's."""
    assert is_origin_allowed([(b"host", b"a")], frozenset())
    assert not is_origin_allowed([(b"host", b"a"), (b"origin", b"http://a"), (b"origin", b"http://a")], frozenset())


async def test_a_foreign_origin_is_403_and_reaches_no_upstream():
    """The default allows the request's own host alone."""
    async with raw_upstream(SWITCH) as (port, peers), running(Gate(port)) as server:
        assert status(await talk(server, handshake(b"Origin: https://evil.test"))) == 403
        assert peers.empty()


# ---- pieces


async def test_without_the_extension_the_answer_is_501():
    """On a foreign server the stand-alone proxy cannot tunnel, and says so."""
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    async def connect(factory):
        raise AssertionError

    scope = {"type": "websocket", "headers": [], "extensions": {"websocket.http.response": {}}}
    await forward(scope, receive, send, WebSocketUpstream(connect=connect))
    assert sent[0]["status"] == 501
    sent.clear()
    await forward({"type": "websocket", "headers": []}, receive, send, WebSocketUpstream(connect=connect))
    assert sent == [{"type": "websocket.close", "code": 1011}]


def test_the_accept_key_is_the_rfcs():
    """RFC 6455 §1.3's example."""
    assert accept_key([(b"sec-websocket-key", KEY)]) == ACCEPT


@pytest.mark.parametrize("value", [b"a\r\nb", b"a\nb", b"a\x00b"])
def test_a_line_that_would_split_the_head_is_an_error(value):
    """A20: whatever put it there."""
    scope = {"raw_path": b"/", "query_string": b"", "headers": [(b"host", b"h"), (b"x", value)]}
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        handshake_request(scope, None)


def test_the_host_can_be_replaced():
    """Host policy."""
    scope = {"raw_path": b"/", "query_string": b"", "headers": [(b"host", b"h")]}
    assert b"host: upstream:80\r\n" in handshake_request(scope, b"upstream:80")
