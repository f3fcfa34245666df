"""Upstreams that answer what is not HTTP, contradict themselves, or die: 502, or visibly incomplete."""

import socket
import struct

import pytest

from gateway.proxy.options import UpstreamOptions
from tests.support.wire import HOST, OK, answering, connected, get, proxied, scripted

pytestmark = pytest.mark.network

BAD = {
    "not http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "length and coding": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    "coding and length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
    "a signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "two codings": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "a bare carriage return": b"HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 2\r\n\r\nok",
    "a nul": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
    "a folded first line": b"HTTP/1.1 200 OK\r\n X : a\r\nContent-Length: 2\r\n\r\nok",
    "space in a name": b"HTTP/1.1 200 OK\r\nX Y : a\r\nContent-Length: 2\r\n\r\nok",
    "space for a name": b"HTTP/1.1 200 OK\r\n : a\r\nContent-Length: 2\r\n\r\nok",
    "coding and length, spaced": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\nTransfer-Encoding\t: chunked\r\n\r\nok",
    "status 99": b"HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok",
    "status 600": b"HTTP/1.1 600 Odd\r\nContent-Length: 2\r\n\r\nok",
    "an upgrade nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    + OK,
    "an interim answer with a body": b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nok" + OK,
    "a huge head": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 400_000 + b"\r\nContent-Length: 2\r\n\r\nok",
    "very many lines": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 1000 + b"Content-Length: 2\r\n\r\nok",
    "endless interim answers": b"HTTP/1.1 102 Processing\r\n\r\n" * 40_000,
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD.keys())
async def test_a_bad_answer_becomes_502(answer, caplog):
    """F6: nothing of it reaches the client, the reason is logged, and its connection is not used again."""
    async with scripted(answering(answer, OK)) as upstream, proxied(upstream) as server:
        first, second = await get(server), await get(server)
    assert first.startswith(b"HTTP/1.1 502 ")
    assert b"set-cookie" not in first
    assert second.startswith(b"HTTP/1.1 502 ") or second.endswith(b"ok")  # a new connection begins the script anew
    assert len(upstream.peers) >= 2  # a test beside this one may ask a port that was its own a moment ago
    assert all(peer.received.count(b"GET ") <= 1 for peer in upstream.peers)
    assert "BadUpstreamAnswer" in caplog.text


@pytest.mark.parametrize(
    "part",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    ],
)
async def test_an_answer_that_breaks_off_is_seen_as_incomplete(part):
    """The client gets the bytes there were, then a closed connection, never a well-formed short message."""

    async def play(peer):
        await peer.head()
        await peer.send(part)

    async with scripted(play) as upstream, proxied(upstream) as server:
        seen = await get(server)
    head, _, body = seen.partition(b"\r\n\r\n")
    assert b"abc" in body
    if b"content-length: 10" in head:
        assert len(body) < 10
    else:
        assert b"0\r\n\r\n" not in body


async def test_a_reset_until_close_is_incomplete():
    """A body that ends with its connection, and whose connection is reset, did not end."""

    async def play(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nabc")
        peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.abort()

    async with scripted(play) as upstream, proxied(upstream) as server:
        seen = await get(server)
    assert not seen.endswith(b"0\r\n\r\n")


async def test_endless_trailers_end():
    """A trailer section that never ends is cut off, and so is the connection."""

    async def play(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
        while True:
            await peer.send(b"X: " + b"a" * 10_000 + b"\r\n")

    async with scripted(play) as upstream, proxied(upstream) as server:
        seen = await get(server)
    assert not seen.endswith(b"0\r\n\r\n")


async def test_bytes_behind_an_answer_belong_to_nobody():
    """G4, F12: a second answer to one request is thrown away with its connection."""
    evil = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    async with scripted(answering(OK + evil, OK)) as upstream, proxied(upstream) as server:
        seen = [await get(server) for _ in range(3)]
    assert [answer.rpartition(b"\r\n\r\n")[2] for answer in seen] == [b"ok"] * 3
    assert len(upstream.peers) == 3


async def test_bytes_on_an_idle_connection_belong_to_nobody():
    """G4: what comes while no request is under way ends the connection."""

    async def play(peer):
        while await peer.head():
            await peer.send(OK)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    async with scripted(play) as upstream, proxied(upstream) as server, connected(server) as client:
        for _ in range(3):
            await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await client.head()
            assert await client.body(2) == b"ok"
    assert upstream.peers


async def test_a_body_in_answer_to_head_is_thrown_away():
    """Bytes after the head of an answer to HEAD are nobody's."""
    async with scripted(answering(OK, OK)) as upstream, proxied(upstream) as server:
        first, second = await get(server, method=b"HEAD"), await get(server)
    assert first.endswith(b"\r\n\r\n")
    assert second.endswith(b"\r\n\r\nok")
    assert len(upstream.peers) == 2


async def test_an_unreachable_upstream_is_502():
    """Nobody listens: answered at once, in words that tell nothing of the network."""
    async with scripted(answering(OK)) as upstream:
        url = upstream.url
    async with proxied(UpstreamOptions(servers=(url,))) as server:
        seen = await get(server)
    assert seen.startswith(b"HTTP/1.1 502 ")
    assert seen.endswith(b"The service behind this gateway cannot be reached.")


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE"])
async def test_tunnels_and_echoes_are_refused(method):
    """F2: CONNECT and TRACE never reach an upstream."""
    async with scripted(answering(OK)) as upstream, proxied(upstream) as server:
        assert (await get(server, b"app.test:443", method=method)).startswith(b"HTTP/1.1 4")
    assert not upstream.peers
