"""`lenient: true`: what old upstreams get wrong and browsers forgive, for responses of that upstream alone."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.proxy.heads import Heads, forgiven, normal
from gateway.proxy.options import UpstreamOptions
from gateway.server import running
from tests.support.raw_http import head, status, statuses
from tests.support.tunnels import SWITCH, Gate, handshake, raw_upstream
from tests.support.wire import OK, answering, get, proxied, scripted

pytestmark = pytest.mark.network

CHUNKS = b"2\r\nok\r\n0\r\n\r\n"
ODD = {
    "a folded line": (b"HTTP/1.1 200 OK\r\nX: a\r\n  b\r\n\tc\r\nContent-Length: 2\r\n\r\nok", b"a b c"),
    "a folded line without a value": (b"HTTP/1.1 200 OK\r\nX:\r\n a b c\r\nContent-Length: 2\r\n\r\nok", b"a b c"),
    "bare line feeds": (b"HTTP/1.1 200 OK\nX: a b c\nContent-Length: 2\n\nok", b"a b c"),
    "a bare line feed at the end": (b"HTTP/1.1 200 OK\r\nX: a b c\r\nContent-Length: 2\r\n\nok", b"a b c"),
    "a bare line feed before the end": (b"HTTP/1.1 200 OK\r\nX: a b c\r\nContent-Length: 2\n\r\nok", b"a b c"),
    "two equal lengths": (b"HTTP/1.1 200 OK\r\nX: a b c\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nok", b"a b c"),
    "a list of equal lengths": (b"HTTP/1.1 200 OK\r\nX: a b c\r\nContent-Length: 2, 2 ,2\r\n\r\nok", b"a b c"),
    "chunked twice": (b"HTTP/1.1 200 OK\r\nX: a b c\r\nTransfer-Encoding: chunked, Chunked\r\n\r\n" + CHUNKS, b"a b c"),
    "two lines of chunked": (
        b"HTTP/1.1 200 OK\r\nX: a b c\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
        b"a b c",
    ),
    "an interim response with bare line feeds": (
        b"HTTP/1.1 103 E\nA: b\n\nHTTP/1.1 200 OK\nX: a b c\nContent-Length: 2\n\nok",
        b"a b c",
    ),
}
STILL_BAD = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
    "lengths that are one number in two spellings": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 02\r\n\r\nok",
    "a signed length twice": b"HTTP/1.1 200 OK\r\nContent-Length: +2, +2\r\n\r\nok",
    "a folded length": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n 0\r\n\r\nok",
    "length and coding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "another coding twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, gzip\r\n\r\n" + CHUNKS,
    "a fold in front of all fields": b"HTTP/1.1 200 OK\r\n X: a\r\nContent-Length: 2\r\n\r\nok",
    "a bare carriage return": b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok",
    "a nul": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
    "a line without a colon": b"HTTP/1.1 200 OK\nX\nContent-Length: 2\n\nok",
    "another version": b"HTTP/2.0 200 OK\nContent-Length: 2\n\nok",
    "a huge head": b"HTTP/1.1 200 OK\n" + b"X: a\n b\n" * 40_000 + b"Content-Length: 2\n\nok",
}


def lenient(upstream, **options) -> UpstreamOptions:
    return UpstreamOptions(servers=(upstream.url,), lenient=True, **options)


@pytest.mark.parametrize(("answer", "value"), ODD.values(), ids=ODD.keys())
async def test_a_lenient_upstream_is_understood(answer, value):
    """The response is whole and tidy, and the connection carries the next one."""
    async with scripted(answering(answer, OK)) as upstream, proxied(lenient(upstream)) as server:
        first, second = await get(server), await get(server)
    final = first[first.rindex(b"HTTP/1.1 ") :]  # behind interim responses, which pass too
    assert (status(final), head(final)[b"x"]) == (200, value)
    assert first.endswith((b"\r\n\r\nok", b"\r\n\r\n" + CHUNKS))
    assert second.endswith(b"\r\n\r\nok")
    assert len(upstream.peers) == 1


@pytest.mark.parametrize("answer", [answer for answer, _ in ODD.values()], ids=ODD.keys())
async def test_leniency_is_for_the_upstream_that_has_it(answer):
    """T5: off by default, and next to a lenient upstream the others are read strictly."""
    async with scripted(answering(answer)) as one, scripted(answering(answer)) as other:
        strict = UpstreamOptions(servers=(other.url,), prefix="/strict")
        async with proxied(lenient(one), strict) as server:
            assert status(await get(server, b"/strict/x")) == 502
            assert statuses(await get(server, b"/x"))[-1] == 200


@pytest.mark.parametrize("answer", STILL_BAD.values(), ids=STILL_BAD.keys())
async def test_what_is_ambiguous_stays_refused(answer):
    """T5, F6: leniency takes away no doubt about where a body ends."""
    async with scripted(answering(answer)) as upstream, proxied(lenient(upstream)) as server:
        seen = await get(server)
    assert status(seen) == 502
    assert b"set-cookie" not in seen


@pytest.mark.parametrize(
    "lines",
    [
        b"Host: h\r\nX: a\r\n b\r\n\r\n",
        b"Host: h\nX: a\n\n",
        b"Host: h\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        b"Host: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_requests_to_a_lenient_upstream_are_read_strictly(lines):
    """T5, F1: never for requests."""
    async with scripted(answering(OK)) as upstream, proxied(lenient(upstream)) as server:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(b"POST / HTTP/1.1\r\n" + lines)
            assert status(await reader.readuntil(b"\r\n\r\n")) == 400
            writer.transport.abort()
    assert upstream.received == b""


@pytest.mark.parametrize("size", range(1, 6))
async def test_a_lenient_head_in_pieces_is_the_same_head(size):
    """Wherever the network cuts."""
    answer = b"HTTP/1.1 200 OK\nX: a\r\n b\n\tc\r\nContent-Length: 2\n\r\nok"

    async def play(peer):
        await peer.head()
        for start in range(0, len(answer), size):
            await peer.send(answer[start : start + size])
            await asyncio.sleep(0)

    async with scripted(play) as upstream, proxied(lenient(upstream)) as server:
        seen = await get(server)
    assert seen == b"HTTP/1.1 200 OK\r\nx: a b c\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


async def test_a_lenient_handshake_is_understood():
    """The 101 of an old WebSocket server, with bare line feeds and a fold."""
    odd = SWITCH.replace(b"\r\n\r\n", b"\r\nX: a\r\n b\r\n\r\n").replace(b"\r\n", b"\n")
    async with raw_upstream(odd) as (port, _peers), running(Gate(port, lenient=True)) as server, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake())
        said = await reader.readuntil(b"\r\n\r\n")
        assert (status(said), head(said)[b"x"]) == (101, b"a b")
        writer.transport.abort()


@pytest.mark.property
@given(st.lists(st.sampled_from([b"a", b":", b" ", b"\t", b"\r", b"\n", b"\r\n", b"content-length", b"1", b","])))
def test_what_was_forgiven_has_one_reading(pieces):
    """T5: whatever the head was, each of its lines ends in CR LF, and none goes on in the next."""
    heads = Heads(10_000, lenient=True)
    heads.add(b"HTTP/1.1 200 OK\r\nX:" + b"".join(pieces) + b"\r\n\r\n")
    first, *lines = (heads.next() or b"").split(b"\r\n")[:-2]
    assert first == b"HTTP/1.1 200 OK"
    assert all(b"\n" not in line for line in lines)
    assert not any(line[:1] in (b" ", b"\t") for line in lines)


def test_a_tidy_head_stays_as_it_is():
    """Nothing is forgiven where nothing is wrong."""
    tidy = b"HTTP/1.1 200 OK\r\nA: b\r\nB: c\r\n\r\n"
    assert normal(forgiven(tidy)) == tidy
