"""WebSockets that the application itself accepts: the server terminates them, as ASGI has it."""

import asyncio

import pytest
import websockets
from websockets.typing import Subprotocol

from gateway.server import running
from tests.support.raw_http import status, statuses, talk

pytestmark = pytest.mark.network
HANDSHAKE = (
    b"GET /ws?x HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Echo:
    """Accepts and echoes until the client leaves."""

    def __init__(self):
        self.scopes = []
        self.codes = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "websocket":
            raise RuntimeError(f"no {scope['type']} here")
        self.scopes.append(scope)
        assert (await receive())["type"] == "websocket.connect"
        chosen = scope["subprotocols"][0] if scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": chosen, "headers": [(b"x-mine", b"1")]})
        while (message := await receive())["type"] == "websocket.receive":
            await send({**message, "type": "websocket.send"})
        self.codes.append(message["code"])


async def test_an_application_may_accept_as_usual():
    """In middleware mode the inner application's WebSocket just works, with sub-protocol, kinds and close code."""
    app = Echo()
    async with running(app) as server:  # noqa: SIM117 - the address comes first
        async with websockets.connect(
            server.url.replace("http", "ws") + "/a?b", subprotocols=[Subprotocol("chat")]
        ) as ws:
            assert (ws.subprotocol, ws.response and ws.response.headers["X-Mine"]) == ("chat", "1")
            for message in ("text", b"binary"):
                await ws.send(message)
                assert await ws.recv() == message
            await ws.close(4000)
    assert app.codes == [4000]
    [scope] = app.scopes
    assert (scope["type"], scope["scheme"], scope["path"], scope["query_string"]) == ("websocket", "ws", "/a", b"b")
    assert "method" not in scope


async def test_long_cookies_do_not_stop_a_handshake():
    """The terminating library's own line limit (8 KiB) is below ours."""
    async with running(Echo()) as server:
        headers = {"Cookie": "a=" + "x" * 20_000}
        async with websockets.connect(server.url.replace("http", "ws"), additional_headers=headers) as ws:
            await ws.send("hi")
            assert await ws.recv() == "hi"


async def test_frames_sent_with_the_handshake_are_not_lost():
    """A client may speak before it has its answer."""
    frame = b"\x81\x82\x00\x00\x00\x00hi"
    async with running(Echo()) as server, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(HANDSHAKE + frame)
        assert status(await reader.readuntil(b"\r\n\r\n")) == 101
        assert await reader.readexactly(4) == b"\x81\x02hi"
        writer.write(b"\x88\x80\x00\x00\x00\x00")
        assert await reader.read() == b"\x88\x00"
        writer.close()


async def test_a_handshake_that_the_library_refuses_is_400():
    """A wrong key: the application hears of a disconnect, and the connection is closed."""
    async with running(Echo()) as server:
        assert status(await talk(server, HANDSHAKE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"short"))) == 400


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([{"type": "websocket.close", "code": 1008}], 403),
        ([], 500),
        (
            [
                {"type": "websocket.http.response.start", "status": 401, "headers": [(b"content-length", b"2")]},
                {"type": "websocket.http.response.body", "body": b"no"},
            ],
            401,
        ),
    ],
)
async def test_a_handshake_that_the_application_refuses(messages, expected):
    """#1347: refused with close, with an answer of its own, or by doing nothing; what follows is not read."""

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError
        await receive()
        for message in messages:
            await send(message)

    async with running(app) as server:
        said = await talk(server, HANDSHAKE + b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n")
    assert statuses(said) == [expected]


async def test_an_application_that_fails_is_a_500():
    """Not a tunnel, not a hanging connection."""

    async def app(scope, receive, send):
        raise ConnectionError("the store is down")

    async with running(app) as server:
        assert statuses(await talk(server, HANDSHAKE)) == [500]


async def test_the_application_hears_of_a_client_that_leaves_early():
    """A disconnect while the application decides."""
    heard = asyncio.Event()

    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            await receive()
            assert (await receive())["type"] == "websocket.disconnect"
            heard.set()

    async with running(app) as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(HANDSHAKE)
        writer.close()
        await asyncio.wait_for(heard.wait(), 5)


@pytest.mark.parametrize("size", [70_000, 500_000])
async def test_frames_in_the_segment_of_a_handshake_reach_the_application(size):
    """T3: a message that comes with its handshake, larger than a head may be, is echoed."""
    mask = bytes(4)  # RFC 6455 §5.3: a client masks; zeros change nothing
    frame = b"\x82" + bytes([0x80 | 127]) + size.to_bytes(8, "big") + mask + b"m" * size
    async with running(Echo()) as server, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(HANDSHAKE + frame)
        assert status(await reader.readuntil(b"\r\n\r\n")) == 101
        assert await reader.readexactly(10) == b"\x82\x7f" + size.to_bytes(8, "big")
        assert await reader.readexactly(size) == b"m" * size
        writer.transport.abort()
