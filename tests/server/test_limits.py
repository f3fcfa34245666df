"""What one client may ask of the server, through real sockets."""

import asyncio
import gc
from typing import Any

import pytest

from gateway.server import GatewayProtocol, Limits, running
from tests.support.raw_http import Recorder, head, status, statuses, talk

HOST = b"Host: h\r\n"
pytestmark = pytest.mark.network


async def answer(limits: Limits, *pieces: bytes) -> tuple[bytes, Recorder]:
    app = Recorder()
    async with running(app, limits=limits) as server:
        return await talk(server, *pieces), app


def request(*lines: bytes, target: bytes = b"/") -> bytes:
    return (
        b"GET "
        + target
        + b" HTTP/1.1\r\n"
        + HOST
        + b"".join(line + b"\r\n" for line in lines)
        + b"Connection: close\r\n\r\n"
    )


async def test_header_bytes_at_the_limit_pass_and_one_more_is_431():
    """F13: 32 KiB of field lines by default; the limit itself still passes."""
    fixed = len("Host: h\r\nConnection: close\r\nA: \r\n")
    fits = request(b"A: " + b"x" * (1000 - fixed))
    limits = Limits(header_bytes=1000)
    assert status((await answer(limits, fits))[0]) == 200
    refused, app = await answer(limits, fits.replace(b"A: ", b"A: x"))
    assert (status(refused), app.reached, head(refused)[b"connection"]) == (431, False, b"close")


@pytest.mark.parametrize("line", [b"A: " + b"x" * 200_000, b"A" * 200_000 + b": x", b"\r\n".join([b"A: x"] * 50_000)])
async def test_a_header_bomb_is_cut_off_before_it_is_read(line):
    """F13: a head beyond the limit is refused while it is still coming."""
    refused, app = await answer(Limits(), b"GET / HTTP/1.1\r\n" + HOST + line)
    assert (status(refused), app.reached) == (431, False)


async def test_header_count_at_the_limit_passes_and_one_more_is_431():
    """F13: 128 field lines by default; each Cookie line counts (Envoy CVE-2026-47774)."""
    limits = Limits(header_count=10)
    assert status((await answer(limits, request(*[b"Cookie: a=b"] * 8)))[0]) == 200
    assert status((await answer(limits, request(*[b"Cookie: a=b"] * 9)))[0]) == 431


async def test_request_line_over_the_limit_is_414():
    """F13: a target of 16 KiB passes by default, a longer one is refused, also before its end has come."""
    assert status((await answer(Limits(), request(target=b"/" + b"a" * 16_000)))[0]) == 200
    assert status((await answer(Limits(), request(target=b"/" + b"a" * 17_000)))[0]) == 414
    assert status((await answer(Limits(), b"GET /" + b"a" * 100_000))[0]) == 414
    assert status((await answer(Limits(), b"GET " + b" " * 100_000))[0]) == 414


async def test_a_slow_head_is_408():
    """F13: slow loris; the time counts from the first byte of the request."""
    refused, app = await answer(Limits(header_seconds=0.1), b"GET / HTTP/1.1\r\n", HOST)
    assert (status(refused), app.reached) == (408, False)


async def test_a_slow_second_head_is_408_too():
    """F13: a kept connection gives no more time than a new one."""
    both, app = await answer(Limits(header_seconds=0.1), b"GET / HTTP/1.1\r\n" + HOST + b"\r\nGET /2 HTT")
    assert (statuses(both), len(app.requests)) == ([200, 408], 1)


async def test_a_silent_connection_is_closed_without_a_word():
    """F13: nothing asked, nothing answered; empty lines before a request ask nothing."""
    assert (await answer(Limits(header_seconds=0.1)))[0] == b""
    assert (await answer(Limits(header_seconds=0.1), b"\r\n\r\n"))[0] == b""


async def test_a_kept_connection_is_closed_when_it_stays_idle():
    """F13: after the keep-alive time, without an answer that nobody asked for."""
    both, _ = await answer(Limits(keep_alive_seconds=0.1), b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert statuses(both) == [200]


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 9\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
)
async def test_a_body_that_stops_is_408_and_the_application_sees_a_disconnect(framing):
    """F13: the application never takes a cut body for a whole one."""
    refused, app = await answer(Limits(body_idle_seconds=0.1), b"POST / HTTP/1.1\r\n" + HOST + framing)
    assert (status(refused), app.requests, app.cut_off) == (408, [], 1)


async def test_a_body_that_goes_on_slowly_is_read():
    """The body's time is between two pieces, not over all of them."""
    app = Recorder()
    async with running(app, limits=Limits(body_idle_seconds=0.4)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"POST / HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)
            writer.write(b"x")
        assert status(await reader.read()) == 200
        writer.close()
    assert app.requests == [("POST", b"/", b"", b"xxxxxx")]


async def test_a_client_that_waits_for_100_continue_is_not_slow():
    """F5: the time for the body begins when the application asks for it."""
    asked = asyncio.Event()

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await asked.wait()
            await Recorder()(scope, receive, send)

    async with running(app, limits=Limits(body_idle_seconds=0.05)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(
            b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\n"
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.3)
        asked.set()
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"x")
        assert status(await reader.read()) == 200
        writer.close()


@pytest.mark.parametrize(
    "overhead", [b"0\r\nT: " + b"x" * 200_000, b"1;" + b"x" * 200_000, b"0\r\n" + b"T: x\r\n" * 50_000]
)
async def test_trailers_and_chunk_extensions_are_bounded(overhead):
    """F13: what is neither head nor body must not grow in memory."""
    start = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    refused, app = await answer(Limits(), start, *[overhead[at : at + 8192] for at in range(0, len(overhead), 8192)])
    assert (status(refused), app.requests) == (431, [])


async def test_connections_over_the_limit_get_503():
    """F13: the limit counts open connections; one that closes makes room."""
    app = Recorder()
    async with running(app, limits=Limits(connections=1)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        await reader.readuntil(b"1")
        refused = await talk(server, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (status(refused), head(refused)[b"retry-after"]) == (503, b"1")
        assert len(app.requests) == 1
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        await reader.read()
        writer.close()
        assert status(await talk(server, request())) == 200


async def test_a_refused_upload_can_read_its_answer():
    """413 during an upload: the client reads the answer, since the connection is not reset under it."""

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"5")]})
            await send({"type": "http.response.body", "body": b"large"})

    async with running(app) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 100000000\r\n\r\n")
        for _ in range(20):
            writer.write(b"x" * 100_000)
        said = await reader.read()
        assert (status(said), head(said)[b"connection"], said[-5:]) == (413, b"close", b"large")
        writer.close()


@pytest.mark.parametrize("pieces", [1, 64])
async def test_a_client_that_never_reads_its_answer_is_cut_in_time(pieces):
    """Unsent bytes wait `write_seconds` at most: the application hears of it, and the client sees no whole answer."""
    size = 2**26
    gone = asyncio.Event()

    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        await receive()
        headers = [(b"content-length", b"%d" % size)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(pieces):
            await send({"type": "http.response.body", "body": b"x" * (size // pieces), "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        gone.set()

    async with running(app, limits=Limits(write_seconds=0.2)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        transport: Any = writer.transport
        transport.pause_reading()
        writer.write(request())
        await asyncio.wait_for(gone.wait(), 10)
        transport.resume_reading()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(size)
        writer.transport.abort()


async def test_a_client_that_reads_slowly_is_served():
    """What is bounded is standstill, not the whole answer."""
    size = 2**24

    async def app(scope, receive, send):
        if scope["type"] == "http":
            headers = [(b"content-length", b"%d" % size)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b"x" * size})

    async with running(app, limits=Limits(write_seconds=1)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(request())
        await reader.readuntil(b"\r\n\r\n")
        loop, pause = asyncio.get_running_loop(), 0.15
        for _ in range(8):  # longer than the limit, taken together
            await reader.readexactly(size // 8)
            awake = loop.create_future()
            loop.call_later(pause, awake.set_result, None)
            await awake
        writer.transport.abort()


@pytest.mark.parametrize(
    "abuse",
    [
        b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        request() + request(),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"A: x\r\n" * 200 + b"\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_was_refused_is_forgotten(abuse):
    """F13: a refusal that is raised more than once would keep every connection that it ended."""
    app = Recorder()
    async with running(app, limits=Limits(linger_seconds=0.1)) as server:
        for _ in range(3):
            await talk(server, abuse)
    gc.collect()
    kept = [each for each in gc.get_objects() if type(each) is GatewayProtocol]
    assert not [each for each in kept if each.app is app]


async def test_a_connection_that_is_over_is_free_at_once():
    """Many short connections leave no garbage for a collector that comes by late."""
    app = Recorder()
    upload = b"POST / HTTP/1.1\r\n" + HOST + b"Connection: close\r\nContent-Length: 1\r\n\r\nx"
    async with running(app) as server:
        gc.collect()
        gc.disable()
        try:
            for sent in (request(), b"GET / HTTP/1.1\r\n" + HOST + b"\r\n" + upload):
                await talk(server, sent)
            await asyncio.sleep(0)  # connection_lost runs in the next turn of the loop
            kept = [each for each in gc.get_objects() if type(each) is GatewayProtocol]
            assert not [each for each in kept if each.app is app]
        finally:
            gc.enable()
