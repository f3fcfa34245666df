"""Several requests on one connection: each is answered in its turn, and nothing is left over for the next."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.config import Config
from uvicorn.server import ServerState

from gateway.server import Limits, make_protocol, running
from tests.support.raw_http import Recorder, statuses, talk

HOST = b"Host: h\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


# ---- requests, valid ones and others


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\nTrailer: t\r\n\r\n"


@st.composite
def requests(draw):
    """(the bytes, what the application must see)."""
    path = b"/" + draw(st.binary(max_size=8)).hex().encode()
    query = draw(st.sampled_from([b"", b"a=b", b"x?y"]))
    target = path + (b"?" + query if query else b"")
    lines = draw(st.lists(st.sampled_from([b"A: b\r\n", b"Cookie: " + b"x" * 300 + b"\r\n", b"X_y:\r\n"]), max_size=3))
    start = b" HTTP/1.1\r\n" + HOST + b"".join(lines)
    kind = draw(st.sampled_from(["none", "length", "chunked", "upgrade"]))
    if kind == "none":
        return b"GET " + target + start + b"\r\n", ("GET", path, query, b"")
    body = draw(st.binary(max_size=300))
    if kind == "chunked":
        framing = b"Transfer-Encoding: chunked\r\n\r\n" + chunked(body, draw(st.integers(1, 100)))
    else:
        framing = b"Content-Length: %d\r\n\r\n" % len(body) + body
    if kind == "upgrade":
        framing = b"Connection: upgrade\r\nUpgrade: h2c\r\n" + framing
    return b"POST " + target + start + framing, ("POST", path, query, body)


malformed = st.sampled_from(
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /#x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\x00\x01",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 2100 + b"\r\n\r\n",
    ]
)
streams = st.lists(requests(), max_size=6)


# ---- a connection without a socket


class Pipe(asyncio.Transport):
    """Keeps what is written; `ended` when the server has closed."""

    def __init__(self):
        super().__init__()
        self.written = b""
        self.ended = asyncio.Event()
        self.paused = False

    def write(self, data):
        assert not self.ended.is_set()
        self.written += data

    def can_write_eof(self):
        return True

    def close(self):
        self.ended.set()

    abort = write_eof = close

    def is_closing(self):
        return False

    def get_write_buffer_size(self):
        return 0

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False


async def through_a_pipe(pieces) -> tuple[bytes, list[tuple[str, bytes, bytes, bytes]], int]:
    app = Recorder()
    config = Config(app, log_config=None, lifespan="off")
    config.load()
    state = ServerState()
    protocol = make_protocol(Limits(header_bytes=2000))(config=config, server_state=state, app_state={})
    pipe = Pipe()
    protocol.connection_made(pipe)
    for piece in pieces:
        protocol.data_received(piece)
    await asyncio.wait_for(pipe.ended.wait(), 5)
    protocol.connection_lost(None)
    return pipe.written, app.requests, app.cut_off


@pytest.mark.property
@given(streams, st.none() | malformed)
def test_byte_by_byte_gives_what_the_whole_gives(requests_, bad):
    """Law: how the network cuts a stream changes neither what the application sees nor what the client gets."""
    stream = b"".join(data for data, _ in requests_) + (bad or b"") + LAST
    whole = asyncio.run(through_a_pipe([stream]))
    single = asyncio.run(through_a_pipe([bytes([byte]) for byte in stream]))
    assert (single[0], single[1]) == (whole[0], whole[1])
    expected = [seen for _, seen in requests_]
    assert whole[1] == (expected if bad else [*expected, ("GET", b"/last", b"", b"")])
    assert statuses(whole[0])[: len(expected)] == [200] * len(expected)


@pytest.mark.property
@given(streams, st.lists(st.integers(1, 700), max_size=6))
def test_valid_requests_arrive_as_exactly_those_requests(requests_, cuts):
    """Law: any sequence of valid requests on one connection is those requests, through a real socket."""

    async def scenario():
        app = Recorder()
        stream = b"".join(data for data, _ in requests_) + LAST
        pieces, at = [], 0
        for cut in cuts:
            pieces.append(stream[at : at + cut])
            at += cut
        async with running(app) as server:
            said = await talk(server, *pieces, stream[at:])
        assert app.requests == [*(seen for _, seen in requests_), ("GET", b"/last", b"", b"")]
        assert statuses(said) == [200] * (len(requests_) + 1)

    asyncio.run(scenario())


# ---- turns


class Gated(Recorder):
    """Answers nothing before `gate` is open."""

    def __init__(self):
        super().__init__()
        self.gate = asyncio.Event()
        self.entered = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            self.entered.set()
            await self.gate.wait()
        await super().__call__(scope, receive, send)


@pytest.mark.network
@pytest.mark.parametrize("bad", [b"garbage\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"TRACE / HTTP/1.1\r\nHost: h\r\n\r\n"])
async def test_a_refusal_waits_for_earlier_answers(bad):
    """F12: the answer to the bad request never takes the place of an earlier one's, and what follows is not parsed."""
    app = Gated()
    async with running(app) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET /1 HTTP/1.1\r\n" + HOST + b"\r\nGET /2 HTTP/1.1\r\n" + HOST + b"\r\n" + bad + LAST)
        await app.entered.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
        app.gate.set()
        said = await reader.read()
        writer.close()
    assert statuses(said)[:2] == [200, 200]
    assert statuses(said)[2] >= 400
    assert [request[1] for request in app.requests] == [b"/1", b"/2"]


@pytest.mark.network
async def test_a_queued_request_whose_body_is_bad_never_starts():
    """F1: its application would otherwise wait for the rest of a body that cannot come."""
    app = Gated()
    async with running(app) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET /1 HTTP/1.1\r\n" + HOST + b"\r\n")
        writer.write(b"POST /2 HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\naXX" + LAST)
        await app.entered.wait()
        app.gate.set()
        assert statuses(await reader.read()) == [200, 400]
        writer.close()
    assert [request[1] for request in app.requests] == [b"/1"]


@pytest.mark.network
async def test_a_flood_of_pipelined_requests_is_not_read_ahead():
    """F13: requests wait in the client's buffers, not in ours, also when applications wait for a disconnect."""
    started = asyncio.Event()

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await receive()
            started.set()
            await receive()  # the disconnect

    async with running(app, grace=0.1) as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        one = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
        writer.transport.set_write_buffer_limits(high=0)
        writer.write(one * 500_000)  # 14 MB
        await started.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.3)
        assert writer.transport.get_write_buffer_size() > 5_000_000
        writer.transport.abort()


@pytest.mark.network
async def test_all_of_a_long_pipeline_is_answered():
    """What is held back while the queue is full is parsed when it empties."""
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * 5000 + LAST, seconds=30)
    assert len(app.requests) == 5001
    assert statuses(said) == [200] * 5001


@pytest.mark.network
async def test_an_answer_without_reading_the_body_ends_the_connection():
    """F12: the rest of a body is never parsed as a request, and never read without end."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})

    body = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
    async with running(app) as server:
        said = await talk(server, b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 9999\r\n\r\n" + body)
        assert (statuses(said), said[-2:]) == ([200], b"ok")
        expect = b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        assert statuses(await talk(server, expect + body + LAST)) == [200]
