"""The pool: reuse, bounds, queueing, safe retry, deadlines, several servers."""

import asyncio
import socket

import pytest

from gateway.proxy.options import UpstreamOptions, UpstreamTimeouts
from tests.support.wire import HOST, OK, answering, connected, get, proxied, read_answer, scripted, talk, until

pytestmark = pytest.mark.network

REQUEST = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"


def dying(*, after: int = 1):
    """Answers so many requests, and closes on the next one without a word."""

    async def play(peer):
        for _ in range(after):
            await peer.head()
            await peer.send(OK)
        await peer.head()

    return play


async def test_connections_are_reused_last_in_first_out():
    """After a burst, single requests keep to one connection, so that the others may time out."""
    release = asyncio.Event()

    async def play(peer):
        while await peer.head():
            await release.wait()
            await peer.send(OK)

    async with scripted(play) as upstream, proxied(upstream) as server:
        burst = asyncio.gather(*(get(server) for _ in range(3)))
        await until(lambda: [bool(peer.received) for peer in upstream.peers] == [True] * 3)
        release.set()
        await burst
        before = [len(peer.received) for peer in upstream.peers]
        for _ in range(5):
            await get(server)
        grown = [len(peer.received) > size for peer, size in zip(upstream.peers, before, strict=True)]
    assert sorted(grown) == [False, False, True]


async def test_the_bound_holds_and_the_queue_is_served():
    """`max_connections` is never exceeded; who waits gets the connection that comes free."""
    async with scripted(answering(OK)) as upstream:
        options = UpstreamOptions(servers=(upstream.url,), max_connections=2)
        async with proxied(options) as server:
            answers = await asyncio.gather(*(get(server) for _ in range(20)))
    assert all(answer.endswith(b"ok") for answer in answers)
    assert len(upstream.peers) <= 2


async def test_a_full_queue_is_503_in_time():
    """Nobody gives a connection back: 503 after the queue's time."""

    async def play(peer):
        await peer.head()
        await peer.gone()

    async with scripted(play) as upstream:
        options = UpstreamOptions(servers=(upstream.url,), max_connections=1, timeouts=UpstreamTimeouts(queue=0.1))
        async with proxied(options) as server:
            first = asyncio.ensure_future(get(server))
            await until(lambda: upstream.received)
            assert (await get(server)).startswith(b"HTTP/1.1 503 ")
            first.cancel()


async def test_a_kept_connection_that_died_is_replaced_once():
    """The keep-alive race: a GET whose reused connection ends without a byte is sent again on a new one."""
    async with scripted(dying()) as upstream, proxied(upstream) as server:
        for _ in range(4):
            assert (await get(server)).endswith(b"ok")


@pytest.mark.parametrize("method", [b"POST", b"PATCH"])
async def test_what_may_not_be_repeated_is_not(method):
    """Nobody can tell whether the request was processed: 502, and the upstream saw it once (RFC 9110 §9.2.2)."""
    async with scripted(dying()) as upstream, proxied(upstream) as server:
        await get(server)
        answer = await get(server, method=method)
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert upstream.received.count(method) == 1


async def test_a_body_is_not_repeated():
    """PUT is idempotent, but its body is gone."""

    async def play(peer):
        await peer.head()
        await peer.send(OK)
        await peer.head()

    async with scripted(play) as upstream, proxied(upstream) as server:
        await get(server)
        answer = await talk(server, b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nConnection: close\r\n\r\nx")
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert upstream.received.count(b"PUT") == 1


async def test_a_new_connection_that_dies_is_not_retried():
    """Only the keep-alive race is retried, not a failing upstream."""
    async with scripted(dying(after=0)) as upstream, proxied(upstream) as server:
        assert (await get(server)).startswith(b"HTTP/1.1 502 ")
    assert upstream.received.count(b"GET") == 1


async def test_half_an_answer_is_not_retried():
    """A byte came, so the request was processed."""

    async def play(peer):
        await peer.head()
        await peer.send(OK)
        await peer.head()
        await peer.send(b"HTTP/1.1 2")

    async with scripted(play) as upstream, proxied(upstream) as server:
        await get(server)
        assert (await get(server)).startswith(b"HTTP/1.1 502 ")
    assert upstream.received.count(b"GET") == 2


@pytest.mark.parametrize("line", [b"Connection: close\r\n", b""])
async def test_a_connection_that_will_close_is_not_kept(line):
    """`Connection: close`, or HTTP/1.0 without keep-alive."""
    version = b"1.1" if line else b"1.0"
    answer = b"HTTP/" + version + b" 200 OK\r\n" + line + b"Content-Length: 2\r\n\r\nok"
    async with scripted(answering(answer)) as upstream, proxied(upstream) as server:
        for _ in range(2):
            assert (await get(server)).endswith(b"ok")
    assert len(upstream.peers) == 2


async def test_unused_connections_are_closed():
    """After `keep_alive` seconds, from our side."""
    closed = asyncio.Event()

    async def play(peer):
        while await peer.head():
            await peer.send(OK)
        closed.set()

    async with scripted(play) as upstream:
        options = UpstreamOptions(servers=(upstream.url,), timeouts=UpstreamTimeouts(keep_alive=0.1))
        async with proxied(options) as server:
            await get(server)
            await asyncio.wait_for(closed.wait(), 5)


async def test_old_connections_are_not_reused():
    """After `max_age` seconds a connection is replaced, so that a changed DNS answer is noticed."""
    async with scripted(answering(OK)) as upstream:
        options = UpstreamOptions(servers=(upstream.url,), timeouts=UpstreamTimeouts(max_age=0))
        async with proxied(options) as server, connected(server) as client:
            while len(upstream.peers) < 2:
                await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
                await read_answer(client)


SLOW = {
    "first byte": (b"", UpstreamTimeouts(first_byte=0.2)),
    "head": (b"HTTP/1.1 200 OK\r\nX: ", UpstreamTimeouts(first_byte=0.2)),
    "total": (b"", UpstreamTimeouts(total=0.2)),
}


@pytest.mark.parametrize(("part", "timeouts"), SLOW.values(), ids=SLOW.keys())
async def test_a_silent_upstream_is_504(part, timeouts):
    """Bounded time, also when the head has begun (slow loris from behind)."""

    async def play(peer):
        await peer.head()
        await peer.send(part)
        await peer.gone()

    async with (
        scripted(play) as upstream,
        proxied(UpstreamOptions(servers=(upstream.url,), timeouts=timeouts)) as server,
    ):
        assert (await asyncio.wait_for(get(server), 3)).startswith(b"HTTP/1.1 504 ")


async def test_a_stalled_body_is_cut_off():
    """After `idle` seconds without a byte the answer ends, visibly incomplete."""

    async def play(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await peer.gone()

    async with scripted(play) as upstream:
        options = UpstreamOptions(servers=(upstream.url,), timeouts=UpstreamTimeouts(idle=0.2))
        async with proxied(options) as server:
            assert (await asyncio.wait_for(get(server), 3)).endswith(b"\r\n\r\nabc")


async def test_connecting_takes_bounded_time():
    """A host that does not answer at all: 502 after `connect` seconds."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        for filler in (first, second):  # a full backlog drops what comes, like a host that is not there
            filler.settimeout(0)
            filler.connect_ex(full.getsockname())
        options = UpstreamOptions(
            servers=(f"http://127.0.0.1:{full.getsockname()[1]}",), timeouts=UpstreamTimeouts(connect=0.2)
        )
        async with proxied(options) as server:
            assert (await asyncio.wait_for(get(server), 3)).startswith(b"HTTP/1.1 502 ")


async def test_the_least_busy_server_is_asked():
    """Two servers, one of them stuck in a request: the next ones go to the other."""
    hold = asyncio.Event()

    async def play(peer):
        while head := await peer.head():
            if b"/slow" in head:
                await hold.wait()
            await peer.send(OK)

    async with scripted(play) as one, scripted(play) as two:
        options = UpstreamOptions(servers=(one.url, two.url))
        async with proxied(options) as server:
            slow = asyncio.ensure_future(get(server, b"/slow"))
            await until(lambda: one.received or two.received)
            for _ in range(3):
                await get(server)
            hold.set()
            await slow
    stuck, other = (one, two) if b"/slow" in one.received else (two, one)
    assert stuck.received.count(b"GET") == 1
    assert other.received.count(b"GET") == 3


async def test_a_dead_server_is_passed_over_and_comes_back():
    """Refused: the other server answers the same request, POST too; the dead one is asked again when it lives."""
    async with scripted(answering(OK)) as one, scripted(answering(OK)) as gone:
        port = gone.port
        gone_url = gone.url
        options = UpstreamOptions(servers=(gone_url, one.url))
    async with scripted(answering(OK), port=one.port) as one, proxied(options) as server:
        assert (await get(server, method=b"POST")).endswith(b"ok")
        async with scripted(answering(OK), port=port) as back:
            await until(lambda: back.peers)
            await asyncio.gather(*(get(server) for _ in range(4)))
            assert back.received
    assert one.received


async def test_the_only_server_is_never_ejected():
    """It answers again as soon as it lives: no waiting for a probe."""
    async with scripted(answering(OK)) as upstream:
        port = upstream.port
    async with proxied(UpstreamOptions(servers=(f"http://127.0.0.1:{port}",))) as server:
        for _ in range(5):
            assert (await get(server)).startswith(b"HTTP/1.1 502 ")
        async with scripted(answering(OK), port=port):
            assert (await get(server)).endswith(b"ok")


async def test_bytes_nobody_asked_for_end_an_idle_connection():
    """G4: they are not kept for the next request."""
    go, gone = asyncio.Event(), asyncio.Event()

    async def play(peer):
        await peer.head()
        await peer.send(OK)
        await go.wait()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await peer.gone()
        gone.set()

    async with scripted(play) as upstream, proxied(upstream) as server:
        assert (await get(server)).endswith(b"ok")
        go.set()
        await asyncio.wait_for(gone.wait(), 5)
        assert (await get(server)).endswith(b"ok")
    assert len(upstream.peers) == 2


async def test_a_server_that_only_fails_is_left_out():
    """Three exchanges in a row without an answer: the other server gets them all, until a probe connects."""

    async def fail(peer):
        await peer.head()

    async with scripted(fail) as bad, scripted(answering(OK)) as good:
        options = UpstreamOptions(servers=(bad.url, good.url))
        async with proxied(options) as server:
            answers = [await get(server) for _ in range(10)]
    failed = [answer for answer in answers if answer.startswith(b"HTTP/1.1 502 ")]
    assert len(failed) == 3
    assert answers[-1].endswith(b"ok")
