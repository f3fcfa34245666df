"""White space round the values of a request's header lines: it is no part of them (RFC 9110 §5.5)."""

import pytest

from gateway.server import running
from tests.support.raw_http import Recorder, head, status, statuses, talk
from tests.support.wire import answering, connected, proxied, scripted

pytestmark = pytest.mark.network

BLANKS = [b"", b" ", b"\t", b" \t "]

CLOSE = b"Connection: close\r\n"
POST = b"POST / HTTP/1.1\r\nHost: h\r\n"


@pytest.mark.parametrize("before", BLANKS)
@pytest.mark.parametrize("after", BLANKS)
@pytest.mark.parametrize(
    ("name", "value", "body"),
    [
        (b"Content-Length", b"3", b"abc"),
        (b"Transfer-Encoding", b"chunked", b"3\r\nabc\r\n0\r\n\r\n"),
        (b"Transfer-Encoding", b"CHUNKED", b"3\r\nabc\r\n0\r\n\r\n"),
    ],
)
async def test_white_space_does_not_change_how_a_request_is_framed(name, value, body, before, after):
    """T1: the body is read to its end, in one piece or several, and the next request behind it is another one."""
    app = Recorder()
    sent = POST + name + b":" + before + value + after + b"\r\n\r\n" + body
    sent += b"GET /next HTTP/1.1\r\nHost: h\r\n" + CLOSE + b"\r\n"
    edge = sent.index(b"\r\n\r\n")
    async with running(app) as server:
        for pieces in ([sent], *([sent[: edge + cut], sent[edge + cut :]] for cut in (0, 1, 4))):
            app.requests.clear()
            assert statuses(await talk(server, *pieces)) == [200, 200]
            assert app.requests == [("POST", b"/", b"", b"abc"), ("GET", b"/next", b"", b"")]
    assert dict(app.scopes[0]["headers"])[name.lower()].lower() == value.lower()


@pytest.mark.parametrize("after", BLANKS)
async def test_the_proxy_sends_values_without_white_space(after):
    """T1: what an upstream receives has none of it, whatever the header."""
    lines = b"".join(
        line + after + b"\r\n"
        for line in (b"Host: app.test", b"Content-Length: 3", b"X-A:\t1", b"Cookie: a=b", b"Expect: 100-continue")
    )
    async with (
        scripted(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as upstream,
        proxied(upstream) as server,
        connected(server) as client,
    ):
        await client.send(b"POST / HTTP/1.1\r\n" + CLOSE + lines + b"\r\nabc")
        said = await client.gone()
    assert 200 in statuses(said)
    for line in (b"host: app.test", b"content-length: 3", b"x-a: 1", b"cookie: a=b", b"expect: 100-continue"):
        assert line + b"\r\n" in upstream.received


@pytest.mark.parametrize("after", BLANKS)
async def test_an_expectation_in_white_space_is_met(after):
    """T1: `Expect: 100-continue ` gets its 100; without it the client would wait for ever."""
    async with running(Recorder()) as server, connected(server) as client:
        await client.send(POST + b"Content-Length: 3\r\nExpect: 100-continue" + after + b"\r\n\r\n")
        assert status(await client.head()) == 100
        await client.send(b"abc")
        assert status(await client.head()) == 200


@pytest.mark.parametrize("after", BLANKS)
@pytest.mark.parametrize("before", BLANKS)
async def test_a_last_request_in_white_space_is_the_last(before, after):
    """T1: `Connection: close` closes, however it is spaced."""
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, b"GET / HTTP/1.1\r\nHost: h\r\nConnection:" + before + b"close" + after + b"\r\n\r\n")
    assert head(said)[b"connection"] == b"close"
    assert len(app.requests) == 1


@pytest.mark.parametrize("after", BLANKS)
async def test_a_handshake_in_white_space_is_a_handshake(after):
    """T1: Upgrade and Connection in white space open a WebSocket."""
    kinds = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan here")
        kinds.append(scope["type"])
        await receive()
        await send({"type": "websocket.close"})

    lines = [
        b"Host: h",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    async with running(app) as server:
        said = await talk(server, b"GET / HTTP/1.1\r\n" + b"".join(line + after + b"\r\n" for line in lines) + b"\r\n")
    assert (kinds, status(said)) == (["websocket"], 403)


@pytest.mark.parametrize("colon", [b" :", b"\t:", b" \t :"])
@pytest.mark.parametrize("name", [b"X", b"Content-Length", b"Transfer-Encoding", b"Host", b"Cookie"])
async def test_white_space_before_the_colon_of_a_request_is_refused(name, colon):
    """T1, F1: RFC 9112 §5.1: 400, and nobody is asked."""
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, POST + name + colon + b" 1\r\n\r\n")
    assert (status(said), app.reached) == (400, False)
