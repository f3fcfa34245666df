"""Clients that close their side, send on after a response, or read slowly; and a server that stops."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from gateway.errors import BadUpstreamAnswer, RequestTooLarge
from gateway.server import Limits, running
from tests.support.raw_http import Recorder, head, status, statuses
from tests.support.wire import Peer, connected

pytestmark = pytest.mark.network

HOST = b"Host: h\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


async def pause(seconds: float) -> None:
    """Let real time go by: kernels and peers have no other clock."""
    loop = asyncio.get_running_loop()
    awake = loop.create_future()
    loop.call_later(seconds, awake.set_result, None)
    await awake


class Waiting:
    """Answers when it is told to; `begun` sends a first piece at once."""

    def __init__(self, *, begun: bool = False) -> None:
        self.entered, self.go_on, self.gone = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.begun = begun

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        assert (await receive())["type"] == "http.request"
        if self.begun:
            await self.start(send)
        self.entered.set()
        disconnect = asyncio.ensure_future(self.until_disconnect(receive))
        go_on = asyncio.ensure_future(self.go_on.wait())
        done, left = await asyncio.wait((disconnect, go_on), return_when=asyncio.FIRST_COMPLETED)
        for each in left:
            each.cancel()
        if disconnect in done:
            self.gone.set()
            return
        if not self.begun:
            await self.start(send)
        await send({"type": "http.response.body", "body": b"end"})

    async def until_disconnect(self, receive):
        while (await receive())["type"] != "http.disconnect":
            pass

    async def start(self, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
        await send({"type": "http.response.body", "body": b"begin", "more_body": True})


@pytest.mark.parametrize("begun", [False, True], ids=["waiting", "begun"])
@pytest.mark.parametrize(
    "request_",
    [GET, b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nhi", b"GET / HTTP/1.0\r\n" + HOST + b"\r\n"],
    ids=["get", "post", "http/1.0"],
)
async def test_a_client_that_half_closes_gets_its_response(request_, begun):
    """`shutdown(SHUT_WR)` behind a request says that no other follows, not that nobody reads (RFC 9112 §9.6)."""
    app = Waiting(begun=begun)
    async with running(app) as server, connected(server) as client:
        await client.send(request_)
        client.writer.write_eof()
        await app.entered.wait()
        await pause(0.05)
        app.go_on.set()
        response = await asyncio.wait_for(client.gone(), 5)
    assert status(response) == 200
    assert response.endswith(b"beginend")


async def test_all_requests_before_the_half_close_get_their_responses():
    """Pipelined ones too; what was not sent whole gets none."""
    app = Recorder()
    async with running(app) as server, connected(server) as client:
        await client.send(GET * 5 + b"GET /half HTT")
        client.writer.write_eof()
        assert statuses(await asyncio.wait_for(client.gone(), 5)) == [200] * 5
    assert len(app.requests) == 5


@pytest.mark.parametrize("begun", [False, True], ids=["waiting", "begun"])
async def test_a_half_closed_client_that_takes_nothing_is_gone(begun):
    """F8: a browser that closes a page looks the same at first: after a while the exchange ends."""
    app = Waiting(begun=begun)
    async with running(app, limits=Limits(half_closed_seconds=0.2)) as server, connected(server) as client:
        await client.send(GET)
        client.writer.write_eof()
        await asyncio.wait_for(app.gone.wait(), 5)


async def test_a_half_close_in_the_middle_of_a_body_is_the_end():
    """The application sees a disconnect at once, never a body that looks whole."""
    app = Waiting()
    async with running(app) as server, connected(server) as client:
        await client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhi")
        client.writer.write_eof()
        await asyncio.wait_for(app.gone.wait(), 5)


async def test_a_half_close_between_requests_is_the_end():
    """An idle connection is closed."""
    async with running(Recorder()) as server, connected(server) as client:
        await client.send(GET)
        await client.head()
        client.writer.write_eof()
        assert await asyncio.wait_for(client.gone(), 5) == b"1"


async def early(scope, receive, send):
    """Responds to an upload before it has read it."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"early"})


async def test_an_upload_that_goes_on_after_its_response_is_read():
    """A client that reads only when it has sent everything still gets the response, however long that takes."""
    async with running(early, limits=Limits(linger_seconds=0.2)) as server, connected(server) as client:
        await client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 800000\r\n\r\n")
        for _ in range(8):
            await pause(0.1)
            await client.send(b"x" * 100_000)
        assert (await client.gone()).endswith(b"early")


@pytest.mark.parametrize("every", [0.02, 0.6], ids=["too long", "silent"])
async def test_reading_on_after_a_response_has_an_end(every):
    """A client that goes on for too long, or falls silent, is cut."""

    async def send_on(client):
        while True:
            await client.send(b"x")
            await pause(every)

    limits = Limits(linger_seconds=0.2, linger_total_seconds=0.5)
    async with running(early, limits=limits) as server, connected(server) as client:
        await client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 800000\r\n\r\n")
        await client.gone()
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send_on(client), 10)


async def test_a_client_that_reads_slowly_is_not_taken_for_one_that_reads_nothing():
    """Each byte that leaves the kernel is progress, even where the window never has room for a whole segment."""
    size = 2**22

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % size)]})
            await send({"type": "http.response.body", "body": b"x" * size})

    async with running(app, limits=Limits(write_seconds=1.5)) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            client.connect((server.host, server.port))
            client.send(GET)
            for _ in range(60):
                await pause(0.1)
                assert client.recv(1500, socket.MSG_DONTWAIT)


@pytest.mark.parametrize("error", [BadUpstreamAnswer("closed in the middle"), RequestTooLarge("a body over its bound")])
@pytest.mark.parametrize("begun", [False, True])
async def test_a_failure_that_was_logged_where_it_happened_is_not_logged_again(error, begun, caplog):
    """No traceback for an upstream that dies: the proxy has said so in a line. The response is not whole."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            if begun:
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
            raise error

    async with running(app) as server, connected(server) as client:
        await client.send(GET)
        response = await client.gone()
    assert status(response) == (200 if begun else 500)
    assert not response.endswith(b"begin")
    assert not caplog.records


@asynccontextmanager
async def cut_off(app: Waiting, *request: bytes):
    """A client whose request a server had no time for when it stopped."""
    async with running(app, grace=0.05) as server:
        client = Peer(*await asyncio.open_connection(server.host, server.port))
        for piece in request:
            await client.send(piece)
            await app.entered.wait()
    try:
        yield client
    finally:
        client.abort()


async def test_a_request_that_a_stop_cuts_off_gets_503(caplog):
    """With Retry-After, so that the client comes again; one line in the log, without a traceback."""
    async with cut_off(Waiting(), GET) as client:
        response = await client.gone()
    assert (status(response), head(response)[b"retry-after"], head(response)[b"connection"]) == (503, b"1", b"close")
    assert [record.getMessage() for record in caplog.records] == ["The server stops: a GET request is cut off."]
    assert not caplog.records[0].exc_info


async def test_a_response_that_a_stop_cuts_off_is_not_whole(caplog):
    """What has begun cannot become a 503: it ends too early, and one line says so."""
    async with cut_off(Waiting(begun=True), GET) as client:
        assert (await client.gone()).endswith(b"begin")
    assert [record.getMessage() for record in caplog.records] == ["The server stops: a GET request is cut off."]


async def test_an_upload_that_a_stop_cuts_off_gets_503():
    """The response is not lost in a reset, although the client is still sending."""
    upload = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n" + b"x" * 10
    async with cut_off(Waiting(), upload, b"x" * 1000) as client:
        assert status(await client.gone()) == 503
