"""Request bodies: framing, 100-continue, early answers, bounds, and clients that leave."""

import asyncio

import pytest

from gateway.proxy.options import UpstreamOptions
from gateway.server import Limits
from tests.support.wire import HOST, OK, answering, connected, get, in_turn, proxied, read_answer, scripted, talk, until

pytestmark = pytest.mark.network

POST = b"POST / HTTP/1.1\r\n" + HOST
BRIEF = Limits(half_closed_seconds=0.2)
CHUNKED = b"Transfer-Encoding: chunked\r\n"


async def read_chunked(peer) -> bytes:
    """The body of a chunked request."""
    body = b""
    while size := int(await peer.reader.readuntil(b"\r\n"), 16):
        body += await peer.reader.readexactly(size)
        assert await peer.reader.readexactly(2) == b"\r\n"
    assert await peer.reader.readuntil(b"\r\n") == b"\r\n"
    return body


async def test_post_is_byte_exact():
    """The upstream receives the head with one Content-Length, then the bytes."""
    async with scripted(answering(OK)) as upstream, proxied(upstream) as server:
        await talk(server, POST + b"Content-Length: 5\r\nConnection: close\r\n\r\nhe\0lo")
    assert upstream.received == b"POST / HTTP/1.1\r\nhost: app.test\r\ncontent-length: 5\r\n\r\nhe\0lo"


async def test_an_empty_post_says_so():
    """`Content-Length: 0` is kept (RFC 9110 §8.6), and nothing follows it."""
    async with scripted(answering(OK)) as upstream, proxied(upstream) as server:
        await talk(server, POST + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
    assert upstream.received == b"POST / HTTP/1.1\r\nhost: app.test\r\ncontent-length: 0\r\n\r\n"


async def test_a_chunked_body_is_framed_anew_and_loses_its_trailers():
    """A5: what an upload's trailer section says is forwarded neither as trailer nor as header."""
    bodies = []

    async def play(peer):
        while await peer.head():
            bodies.append(await read_chunked(peer))
            await peer.send(OK)

    async with scripted(play) as upstream, proxied(upstream) as server:
        body = b"3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Amzn-Oidc-Identity: admin\r\n\r\n"
        answer = await talk(server, POST + b"Trailer: x\r\n" + CHUNKED + b"Connection: close\r\n\r\n" + body)
    assert answer.endswith(b"ok")
    assert bodies == [b"abcde"]
    assert upstream.received == b"POST / HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_the_upload_streams():
    """A piece reaches the upstream before the next one is sent: nothing is buffered whole."""
    seen = asyncio.Event()

    async def play(peer):
        await peer.head()
        assert await peer.body(3) == b"one"
        seen.set()
        assert await peer.body(3) == b"two"
        await peer.send(OK)

    async with scripted(play) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(POST + b"Content-Length: 6\r\n\r\none")
        await seen.wait()
        await client.send(b"two")
        assert (await read_answer(client)).endswith(b"ok")


async def test_continue_goes_end_to_end():
    """F5: `Expect` reaches the upstream, and the client is told to go on only when the upstream says so."""
    go = asyncio.Event()

    async def play(peer):
        assert b"expect: 100-continue\r\n" in await peer.head()
        await go.wait()
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await peer.body(2) == b"hi"
        await peer.send(OK)

    async with scripted(play) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        early = asyncio.ensure_future(client.head())
        await until(lambda: upstream.received)
        assert not early.done()
        go.set()
        assert await early == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"hi")
        assert (await read_answer(client)).endswith(b"ok")


async def test_a_refusal_instead_of_continue_reaches_the_client():
    """F5: the upstream's final answer to `Expect` is the client's, and no body is asked for."""

    async def play(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno")
        await peer.gone()

    async with scripted(play) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        answer = await read_answer(client)
        assert answer.startswith(b"HTTP/1.1 417 Expectation Failed\r\ncontent-length: 2\r\n")
        assert answer.endswith(b"no")
    assert len(upstream.peers) == 1


async def test_a_body_goes_after_a_second_without_continue():
    """F5: an upstream that ignores `Expect` gets the body after a second (RFC 9110 §10.1.1)."""
    async with scripted(answering(OK)) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await read_answer(client)).endswith(b"ok")
    assert upstream.received.endswith(b"\r\n\r\nhi")


EARLY = [200, 201, 204, 302, 304, 400, 401, 403, 404, 413, 417, 429, 500, 503]
HIDDEN = b"GET /secret HTTP/1.1\r\nHost: app.test\r\n\r\n"
"""A request that an attacker puts into a body."""


def early(status: int) -> tuple[bytes, bytes]:
    """A response that keeps the connection open, in two pieces."""
    head = b"HTTP/1.1 %d X\r\nConnection: keep-alive\r\n" % status
    return (head + b"\r\n", b"") if status in (204, 304) else (head + b"Content-Length: 5\r\n\r\nea", b"rly")


@pytest.mark.parametrize("status", EARLY)
@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"], ids=["plain", "expect"])
@pytest.mark.parametrize("framing", [b"Content-Length: %d\r\n" % (len(HIDDEN) + 1), CHUNKED], ids=["length", "chunked"])
async def test_a_connection_whose_request_was_not_written_whole_is_not_reused(status, expect, framing):
    """S1: an upstream that responds before it has the body reads the next request as that body, whatever the status."""
    go_on = asyncio.Event()

    async def play(peer):
        head, rest = early(status)
        await peer.head()
        await peer.send(head)
        await go_on.wait()
        await peer.send(rest)
        await peer.gone()

    async with (
        scripted(in_turn(play, answering(OK))) as upstream,
        proxied(upstream) as server,
        connected(server) as attacker,
    ):
        piece = HIDDEN[:-2]
        await attacker.send(POST + framing + expect + b"\r\n" + (b"1\r\nx\r\n" if framing == CHUNKED else b"x"))
        assert b" %d " % status in await attacker.head()
        await attacker.send(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == CHUNKED else piece)
        await get(server, b"/meanwhile")
        go_on.set()
        await get(server, b"/meanwhile")
        assert (await get(server, b"/mine")).endswith(b"ok")
    assert b"/mine" not in upstream.peers[0].received
    assert b"/mine" in upstream.peers[1].received


@pytest.mark.parametrize("rest", [b"", b"2\r\nlo\r\n0\r\n\r\n"], ids=["never", "late"])
async def test_a_body_that_ends_behind_its_response_takes_the_connection_with_it(rest):
    """S1: whether an upstream reads the rest of a body after it has responded is not known: no request follows."""
    seen = asyncio.Event()

    async def play(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        await seen.wait()
        await peer.send(b"0\r\n\r\n")
        await peer.gone()

    async with (
        scripted(in_turn(play, answering(OK))) as upstream,
        proxied(upstream) as server,
        connected(server) as client,
    ):
        await client.send(POST + CHUNKED + b"\r\n3\r\nhel\r\n")
        await client.head()
        await client.send(rest)
        await get(server, b"/meanwhile")
        seen.set()
        await get(server, b"/meanwhile")
        assert (await get(server, b"/mine")).endswith(b"ok")
    assert b"/mine" not in upstream.peers[0].received


async def test_a_body_sent_without_continue_takes_the_connection_with_it():
    """S1: without `100 Continue`, a final response may have crossed the body, which nobody then expects."""
    async with scripted(answering(OK)) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi")
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await read_answer(client)).endswith(b"ok")
        await get(server, b"/mine")
    assert len(upstream.peers) == 2


async def test_a_request_written_whole_leaves_its_connection_for_the_next():
    """Uploads that the upstream took before it responded cost no new connection, chunked or not."""
    async with scripted(answering(OK)) as upstream, proxied(upstream) as server:
        for _ in range(3):
            await talk(server, POST + b"Content-Length: 2\r\nConnection: close\r\n\r\nhi")
    assert len(upstream.peers) == 1


async def test_an_early_answer_reaches_a_client_that_still_sends():
    """413 in the middle of an upload arrives whole, without a reset; the upstream's connection is not used again."""

    async def play(peer):
        await peer.head()
        await peer.body(1)
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await peer.gone()

    async with scripted(play) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(POST + b"Content-Length: 50000000\r\n\r\n" + b"x" * 100_000)
        answer = await client.head()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert await client.body(3) == b"big"
    assert len(upstream.received) < 50_000_000


async def test_a_client_that_leaves_during_its_upload_ends_the_exchange():
    """The upstream sees its connection end, never a body that looks complete."""
    ended = asyncio.Event()

    async def play(peer):
        await peer.head()
        await peer.gone()
        ended.set()

    async with scripted(play) as upstream, proxied(upstream) as server:
        async with connected(server) as client:
            await client.send(POST + CHUNKED + b"\r\n3\r\nabc\r\n")
            await until(lambda: upstream.peers)
        await asyncio.wait_for(ended.wait(), 5)
    assert not upstream.received.endswith(b"0\r\n\r\n")


async def test_a_client_that_leaves_while_it_waits_ends_the_exchange():
    """F8: nobody is there for the answer, so the upstream is told to stop."""
    ended = asyncio.Event()

    async def play(peer):
        await peer.head()
        await peer.gone()
        ended.set()

    async with scripted(play) as upstream, proxied(upstream, limits=BRIEF) as server:
        async with connected(server) as client:
            await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await until(lambda: upstream.received)
        await asyncio.wait_for(ended.wait(), 5)


async def test_a_client_that_leaves_during_a_stream_ends_the_exchange():
    """An endless answer ends with its reader."""

    async def play(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
        await peer.gone()
        ended.set()

    ended = asyncio.Event()
    async with scripted(play) as upstream, proxied(upstream, limits=BRIEF) as server:
        async with connected(server) as client:
            await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await client.head()
            await client.body(6)
        await asyncio.wait_for(ended.wait(), 5)
    assert upstream.peers


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 11\r\n\r\n" + b"x" * 11, CHUNKED + b"\r\nb\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n"]
)
async def test_a_body_over_the_bound_is_answered_413(framing):
    """`max_body` holds for told and for untold lengths."""
    async with scripted(answering(OK)) as upstream:
        options = UpstreamOptions(servers=(upstream.url,), max_body=10)
        async with proxied(options) as server:
            assert (await talk(server, POST + b"Connection: close\r\n" + framing)).startswith(b"HTTP/1.1 413 ")
    assert b"x" * 11 not in upstream.received


async def test_a_slow_upstream_holds_the_client_back():
    """Back-pressure: what the upstream does not read is not taken from the client either."""
    go = asyncio.Event()
    size = 64 * 2**20

    async def play(peer):
        await peer.head()
        await go.wait()
        left = size
        while left:
            left -= len(await peer.reader.read(2**20))
        await peer.send(OK)

    async with scripted(play) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(POST + b"Content-Length: %d\r\n\r\n" % size)
        written, piece = 0, b"x" * 2**20
        while True:
            client.writer.write(piece)
            written += len(piece)
            try:
                await asyncio.wait_for(client.writer.drain(), 0.5)
            except TimeoutError:
                break
        assert written < 32 * 2**20
        go.set()
        while written < size:
            client.writer.write(piece)
            written += len(piece)
            await client.writer.drain()
        assert (await read_answer(client)).endswith(b"ok")
    assert upstream.peers


async def test_a_slow_client_holds_the_upstream_back():
    """Back-pressure: what the client does not read is not taken from the upstream either."""
    stuck = asyncio.Event()
    size = 64 * 2**20
    written = 0

    async def play(peer):
        nonlocal written
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        piece = b"x" * 2**20
        while written < size:
            peer.writer.write(piece)
            written += len(piece)
            try:
                await asyncio.wait_for(peer.writer.drain(), 0.5)
            except TimeoutError:
                stuck.set()
                await peer.writer.drain()
        await peer.gone()

    async with scripted(play) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        await stuck.wait()
        assert written < 48 * 2**20
        await client.head()
        assert await client.body(size) == b"x" * size
    assert upstream.peers
