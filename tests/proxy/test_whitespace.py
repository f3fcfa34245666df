"""White space round the names and values of a response's header lines: it is no part of them (RFC 9110 §5.5)."""

import asyncio

import pytest

from gateway.errors import BadUpstreamAnswer
from gateway.proxy.heads import Heads, normal
from gateway.server import running
from tests.support.raw_http import head, status
from tests.support.tunnels import SWITCH, Gate, handshake, raw_upstream
from tests.support.wire import OK, answering, get, proxied, scripted

pytestmark = pytest.mark.network

BLANKS = [b"", b" ", b"\t \t"]
CHUNKS = b"2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize("before", BLANKS)
@pytest.mark.parametrize("after", BLANKS)
@pytest.mark.parametrize("colon", BLANKS)
@pytest.mark.parametrize(
    ("name", "value", "body"),
    [
        (b"Content-Length", b"2", b"ok"),
        (b"Transfer-Encoding", b"chunked", CHUNKS),
        (b"Transfer-Encoding", b"Chunked", CHUNKS),
    ],
)
async def test_white_space_does_not_change_how_a_response_is_framed(name, value, body, before, after, colon):
    """T1: the body arrives whole, the line once and tidy, and the connection serves the next request."""
    line = name + colon + b":" + before + value + after + b"\r\n"
    bad = b"HTTP/1.1 200 OK\r\nX" + colon + b":" + before + b"a b" + after + b"\r\n" + line + b"\r\n" + body
    async with scripted(answering(bad, OK)) as upstream, proxied(upstream) as server:
        first, second = await get(server), await get(server)
    assert status(first) == 200
    assert head(first)[b"x"] == b"a b"
    assert first.endswith(b"\r\n\r\n" + body)
    assert second.endswith(b"\r\n\r\nok")
    assert len(upstream.peers) == 1


@pytest.mark.parametrize("blank", BLANKS)
async def test_a_connection_header_in_white_space_is_heard(blank):
    """T1: `Connection: close` and what it names, however it is spaced."""
    answer = (
        b"HTTP/1.1 200 OK\r\nConnection" + blank + b":" + blank + b"X-Hop" + blank + b"," + blank + b"close" + blank
        + b"\r\nX-Hop" + blank + b": 1\r\nContent-Length: 2\r\n\r\nok"
    )  # fmt: skip
    async with scripted(answering(answer)) as upstream, proxied(upstream) as server:
        first, second = await get(server), await get(server)
    assert b"x-hop" not in first + second
    assert (status(first), status(second)) == (200, 200)
    assert len(upstream.peers) == 2


@pytest.mark.parametrize("size", range(1, 8))
async def test_a_head_in_pieces_is_the_same_head(size):
    """T1: white space counts for nothing wherever the network cuts."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length : 2 \r\nX\t:\t1\t\r\n\r\nok"

    async def play(peer):
        await peer.head()
        for start in range(0, len(answer), size):
            await peer.send(answer[start : start + size])
            await asyncio.sleep(0)

    async with scripted(play) as upstream, proxied(upstream) as server:
        seen = await get(server)
    assert seen == b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: 1\r\nconnection: close\r\n\r\nok"


async def test_a_handshake_survives_white_space():
    """T1: the 101 of a WebSocket, with white space in every place."""
    lines = SWITCH.removesuffix(b"\r\n\r\n").split(b"\r\n")
    spaced = b"\r\n".join([lines[0], *(line.replace(b":", b" \t:\t ") + b" \t" for line in lines[1:])]) + b"\r\n\r\n"
    async with raw_upstream(spaced) as (port, _peers), running(Gate(port)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake())
        assert status(await reader.readuntil(b"\r\n\r\n")) == 101
        writer.transport.abort()


def test_a_usual_head_is_not_touched():
    """What has no odd white space is the same object: nothing is copied."""
    usual = b"HTTP/1.1 200 OK\r\nA: b c\r\nD:\r\n\r\n"
    assert normal(usual) is usual


@pytest.mark.parametrize("minor", range(2, 10))
def test_a_higher_minor_version_is_read_as_the_highest_known(minor):
    """RFC 9110 §2.5: `HTTP/1.2` is processed as HTTP/1.1."""
    assert normal(b"HTTP/1.%d 200 OK\r\n\r\n" % minor) == b"HTTP/1.1 200 OK\r\n\r\n"


def test_heads_end_at_their_bound():
    """All heads of one response count together, the last one too."""
    heads = Heads(50)
    heads.add(b"HTTP/1.1 102 Processing\r\n\r\n")
    assert heads.next() == b"HTTP/1.1 102 Processing\r\n\r\n"
    heads.add(b"HTTP/1.1 200 OK\r\n\r\n")
    assert heads.next() is not None
    heads.add(b"HTTP/1.1 200 OK\r\n\r\n")
    with pytest.raises(BadUpstreamAnswer):
        heads.next()


@pytest.mark.parametrize(
    "start", [b"H", b"HTTP/1.", b"S", b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/0.9 200 OK\r\n\r\n", b"\r\n"]
)
def test_what_is_not_http_is_seen_at_its_first_bytes(start):
    """An upstream that speaks another protocol, or another major version, is not waited for."""
    heads = Heads(1000)
    heads.add(start)
    if b"HTTP/1.".startswith(start):
        assert heads.next() is None
    else:
        with pytest.raises(BadUpstreamAnswer):
            heads.next()


@pytest.mark.parametrize(
    ("version", "code"),
    [(b"HTTP/1.2", 200), (b"HTTP/1.9", 200), (b"HTTP/1.0", 200), (b"HTTP/2.0", 502), (b"HTTP/0.9", 502)],
)
async def test_the_version_of_a_response(version, code):
    """T2: a later HTTP/1.x is understood, another major version is not."""
    answer = version + b" 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with scripted(answering(answer)) as upstream, proxied(upstream) as server:
        assert status(await get(server)) == code
