"""One exchange through real sockets: what the upstream receives and what the client receives, byte for byte."""

import asyncio

import pytest

from gateway.proxy.options import UpstreamOptions
from tests.support.wire import HOST, OK, answering, connected, get, proxied, read_answer, scripted, talk

pytestmark = pytest.mark.network

CLOSE = b"connection: close\r\n"


async def exchanged(answer: bytes, path: bytes = b"/", **request) -> tuple[bytes, bytes]:
    """(what the upstream received, what the client received)."""
    async with scripted(answering(answer)) as upstream, proxied(upstream) as server:
        seen = await get(server, path, **request)
    return upstream.received, seen


async def test_a_plain_exchange_is_byte_exact():
    """Request line, order, repeats and bytes of the header lines travel unchanged both ways."""
    answer = (
        b"HTTP/1.1 200 OK\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\nEmpty:\r\nObs: \xe9\xff\r\n"
        b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nhi"
    )
    received, seen = await exchanged(
        answer, b"/a%2Fb/../c;p?x=1&&y=%zz", lines=b"X-1: a\r\nx-2: \xe9\r\nX-1: b\r\nX-3:\r\n"
    )
    assert received == (
        b"GET /a%2Fb/../c;p?x=1&&y=%zz HTTP/1.1\r\nhost: app.test\r\nx-1: a\r\nx-2: \xe9\r\nx-1: b\r\nx-3: \r\n\r\n"
    )
    assert seen == (
        b"HTTP/1.1 200 OK\r\nx-b: 1\r\nx-a: 2\r\nx-b: 3\r\nempty: \r\nobs: \xe9\xff\r\n"
        b"set-cookie: a=1\r\nset-cookie: b=2\r\ncontent-length: 2\r\n" + CLOSE + b"\r\nhi"
    )


async def test_a_chunked_answer_is_chunked_again():
    """Chunks are decoded and framed anew; their extensions end at this hop."""
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    _, seen = await exchanged(answer)
    assert seen.partition(b"\r\n\r\n")[2] == b"5\r\nabcde\r\n0\r\n\r\n"


async def test_trailers_of_an_answer_are_dropped():
    """A5: fields of a trailer section never become header lines of this answer or the next one."""
    head = b"HTTP/1.1 200 OK\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = head + b"1\r\na\r\n0\r\nX-T: evil\r\nETag: y\r\n\r\n"
    async with scripted(answering(answer, OK)) as upstream, proxied(upstream) as server:
        first, second = await get(server), await get(server)
    assert first.endswith(b"\r\n\r\n1\r\na\r\n0\r\n\r\n")
    assert b"x-t" not in first + second
    assert b"etag" not in first + second
    assert second.endswith(b"\r\n\r\nok")
    assert len(upstream.peers) == 1


async def test_a_body_until_close_is_passed_on_and_ended():
    """An answer without a length ends with its connection, and reaches the client whole."""

    async def play(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nab")
        await peer.send(b"cd")

    async with scripted(play) as upstream, proxied(upstream) as server:
        seen = await get(server)
    assert seen.endswith(b"0\r\n\r\n")
    assert b"".join(seen.partition(b"\r\n\r\n")[2].split(b"\r\n")[1:-3:2]) == b"abcd"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_answers_without_content_keep_the_connection(status):
    """204 and 304 have no body, whatever their Content-Length says (RFC 9110 §8.6, §15.3.5)."""
    answer = b"HTTP/1.1 %b\r\nContent-Length: 5\r\nETag: x\r\n\r\n" % status
    async with scripted(answering(answer, OK)) as upstream, proxied(upstream) as server:
        first, second = await get(server), await get(server)
    assert first == b"HTTP/1.1 %b\r\netag: x\r\n%b\r\n" % (status, CLOSE)
    assert second.endswith(b"ok")
    assert len(upstream.peers) == 1


async def test_205_passes():
    """205 is framed like any other answer (RFC 9110 §15.3.6)."""
    _, seen = await exchanged(b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")
    assert seen == b"HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n" + CLOSE + b"\r\n"


@pytest.mark.parametrize("framing", [b"Content-Length: 1000\r\n", b"Transfer-Encoding: chunked\r\n", b""])
async def test_the_answer_to_head_has_no_body(framing):
    """HEAD: the length that is told is not waited for, and the connection is used again."""
    answer = b"HTTP/1.1 200 OK\r\nX: y\r\n" + framing + b"\r\n"
    async with scripted(answering(answer, OK)) as upstream, proxied(upstream) as server:
        first, second = await get(server, method=b"HEAD"), await get(server)
    kept = framing.lower() if framing.startswith(b"Content") else b""
    assert first == b"HTTP/1.1 200 OK\r\nx: y\r\n" + kept + CLOSE + b"\r\n"
    assert second.endswith(b"ok")
    assert len(upstream.peers) == 1


async def test_connection_named_lines_end_here():
    """What Connection names is hop-by-hop, in an answer too (RFC 9110 §7.6.1)."""
    answer = (
        b"HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
        b"Proxy-Authenticate: x\r\nUpgrade: h2c\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n"
    )
    received, seen = await exchanged(
        answer, lines=b"Connection: x-mine\r\nX-Mine: 1\r\nTE: trailers\r\nProxy-Authorization: x\r\nX-End: 3\r\n"
    )
    assert received == b"GET / HTTP/1.1\r\nhost: app.test\r\nx-end: 3\r\n\r\n"
    assert seen == b"HTTP/1.1 200 OK\r\nx-end: 2\r\ncontent-length: 0\r\n" + CLOSE + b"\r\n"


async def test_options_asterisk_travels():
    """`OPTIONS *` asks about the server as a whole."""
    received, _ = await exchanged(OK, b"*", method=b"OPTIONS")
    assert received.startswith(b"OPTIONS * HTTP/1.1\r\n")


async def test_a_very_long_target_travels():
    """A target near the server's limit is passed on whole."""
    path = b"/" + b"a" * 12_000 + b"?" + b"b" * 3_000
    received, _ = await exchanged(OK, path)
    assert received.startswith(b"GET " + path + b" HTTP/1.1\r\n")


async def test_pieces_reach_the_client_at_once():
    """SSE: no piece waits for the next one, nor for the answer's end."""
    go = asyncio.Event()

    async def play(peer):
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ndata: 1\r\n")
        await go.wait()
        await peer.send(b"7\r\ndata: 2\r\n0\r\n\r\n")

    async with scripted(play) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        await client.head()
        assert await client.body(12) == b"7\r\ndata: 1\r\n"
        go.set()
        assert await client.body(17) == b"7\r\ndata: 2\r\n0\r\n\r\n"


async def test_an_answer_in_single_bytes_is_the_same_answer():
    """How the upstream's bytes are cut into packets means nothing."""

    async def play(peer):
        await peer.head()
        for byte in b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello":
            await peer.send(bytes((byte,)))
            await asyncio.sleep(0)

    async with scripted(play) as upstream, proxied(upstream) as server:
        assert (await get(server)).endswith(b"a: b\r\ncontent-length: 5\r\n" + CLOSE + b"\r\nhello")


async def test_pipelined_requests_are_answered_in_order():
    """Two requests in one packet: each gets its own answer, and the upstream sees one at a time."""
    answers = [b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % n for n in (1, 2)]
    async with scripted(answering(*answers)) as upstream, proxied(upstream) as server:
        request = b"GET /%d HTTP/1.1\r\n" + HOST + b"%b\r\n"
        seen = await talk(server, request % (1, b"") + request % (2, b"Connection: close\r\n"))
    assert [line for line in upstream.received.split(b"\r\n") if line.startswith(b"GET")] == [
        b"GET /1 HTTP/1.1",
        b"GET /2 HTTP/1.1",
    ]
    assert seen.index(b"\r\n\r\n1") < seen.index(b"\r\n\r\n2")


@pytest.mark.parametrize(("policy", "host"), [("pass", b"app.test"), ("replace", None)])
async def test_the_host_policy(policy, host):
    """`pass` keeps the client's Host; `replace` puts the upstream's own authority in its place, first."""
    async with scripted(answering(OK)) as upstream:
        options = UpstreamOptions(servers=(upstream.url,), host_policy=policy)
        async with proxied(options) as server:
            await get(server)
    host = host or f"127.0.0.1:{upstream.port}".encode()
    assert upstream.received.startswith(b"GET / HTTP/1.1\r\nhost: " + host + b"\r\n")


async def test_a_unix_socket_serves(tmp_path):
    """`unix:/path` is an upstream like any other."""
    async with scripted(answering(OK), path=str(tmp_path / "s")) as upstream, proxied(upstream) as server:
        assert (await get(server)).endswith(b"ok")


async def test_keep_alive_carries_many_exchanges():
    """One client connection and one upstream connection serve request after request."""
    async with scripted(answering(OK)) as upstream, proxied(upstream) as server, connected(server) as client:
        for _ in range(5):
            await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            assert (await read_answer(client)).endswith(b"ok")
    assert len(upstream.peers) == 1
