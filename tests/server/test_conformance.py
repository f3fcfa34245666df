"""Small rules of RFC 9110 and 9112 that a client can see, through real sockets."""

import re

import pytest

from gateway.core.asgi import BARE_QUERY
from gateway.server import Limits, running
from tests.support.raw_http import Recorder, head, status, statuses, talk
from tests.support.wire import answering, connected, get, proxied, scripted

pytestmark = pytest.mark.network

DATE = re.compile(rb"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize(
    "method", [b"FOO", b"get", b"Get", b"GETX", b"TRACK", b"SOURCE", b"DESCRIBE", b"X" * 100, b"!#$%&'*+-.^_`|~"]
)
@pytest.mark.parametrize("before", [b"", GET, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nGET x\n"])
async def test_a_method_that_is_not_known_is_not_implemented(method, before):
    """RFC 9110 §9.1: 501, on a new connection and behind other requests."""
    app = Recorder()
    async with running(app) as server:
        said = await talk(server, before + method + b" /x HTTP/1.1\r\nHost: h\r\n\r\n")
    assert statuses(said) == ([200] if before else []) + [501]
    assert all(request[1] == b"/" for request in app.requests)


@pytest.mark.parametrize("method", [b"G@T", b"", b"G\xc9T", b"(", b"GET\x00"])
async def test_what_is_no_method_is_a_bad_request(method):
    """RFC 9110 §9.1: a method is a token."""
    async with running(Recorder()) as server:
        assert status(await talk(server, method + b" /x HTTP/1.1\r\nHost: h\r\n\r\n")) == 400


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"FOO / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\0",
        GET.replace(b"/ ", b"/" + b"a" * 20_000 + b" "),
        b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: h\r\n\r\n",
        b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
)
async def test_refusals_have_a_date(sent):
    """RFC 9110 §6.6.1: an origin server with a clock sends one, 4xx included."""
    async with running(Recorder()) as server:
        said = await talk(server, sent)
    assert status(said) >= 400
    assert DATE.fullmatch(head(said)[b"date"])


async def test_refusals_for_want_of_connections_have_a_date():
    """RFC 9110 §6.6.1: the 503 that no request was read for."""
    async with running(Recorder(), limits=Limits(connections=1)) as server, connected(server) as first:
        await first.send(GET)
        await first.head()
        said = await talk(server)
    assert status(said) == 503
    assert DATE.fullmatch(head(said)[b"date"])


@pytest.mark.parametrize("how", ["close", "raise", "answer", "answer with a date"])
async def test_refusals_of_a_handshake_have_one_date(how):
    """RFC 9110 §6.6.1: ours, and those of an application that gives none."""
    own = [(b"Date", b"Thu, 01 Jan 1970 00:00:00 GMT")]

    async def app(scope, receive, send):
        if how == "raise" or scope["type"] != "websocket":
            raise RuntimeError(how)
        await receive()
        if how == "close":
            await send({"type": "websocket.close"})
            return
        lines = [(b"content-length", b"0"), *(own if how == "answer with a date" else [])]
        await send({"type": "websocket.http.response.start", "status": 404, "headers": lines})
        await send({"type": "websocket.http.response.body", "body": b""})

    async with running(app) as server:
        said = await talk(server, HANDSHAKE)
    assert status(said) in {403, 404, 500}
    assert said.lower().count(b"\r\ndate: ") == 1
    assert DATE.fullmatch(head(said)[b"date"])


@pytest.mark.parametrize(
    ("target", "sent"),
    [
        (b"/a?", b"/a?"),
        (b"/a", b"/a"),
        (b"/a??", b"/a??"),
        (b"/?", b"/?"),
        (b"/a?b", b"/a?b"),
        (b"http://app.test/a?", b"/a?"),
        (b"http://app.test?", b"/?"),
    ],
)
async def test_a_bare_question_mark_is_kept(target, sent):
    """RFC 3986 §6.2.3: `/a?` and `/a` are not the same; the upstream gets what was asked for."""
    async with scripted(answering(OK)) as upstream, proxied(upstream) as server:
        await get(server, target)
    assert upstream.received.startswith(b"GET " + sent + b" HTTP/1.1\r\n")


async def test_the_next_request_has_no_question_mark_of_the_one_before():
    """Each request has a scope of its own."""
    app = Recorder()
    async with running(app) as server:
        await talk(
            server,
            b"GET /a? HTTP/1.1\r\nHost: h\r\n\r\n" + GET + b"GET /? HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        )
    assert [BARE_QUERY in scope for scope in app.scopes] == [True, False, True]


async def test_options_for_the_server_itself_arrive():
    """RFC 9112 §3.2.4: `OPTIONS *`, and the absolute form that means it."""
    async with scripted(answering(OK)) as upstream, proxied(upstream) as server:
        for target in (b"*", b"http://app.test"):
            assert status(await get(server, target, method=b"OPTIONS")) == 200
    assert upstream.received.count(b"OPTIONS * HTTP/1.1\r\n") == 2


@pytest.mark.parametrize("host", [b"app.test:", b"app.test"])
async def test_the_application_sees_a_host_without_an_empty_port(host):
    """F4: RFC 3986 §6.2.3: however often it comes on one connection."""
    app = Recorder()
    request = b"GET /a HTTP/1.1\r\nHost: " + host + b"\r\n"
    absolute = b"GET http://" + host + b"/b HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
    async with running(app) as server:
        said = await talk(server, (request + b"\r\n") * 2 + absolute)
    assert statuses(said) == [200] * 3
    assert [dict(scope["headers"])[b"host"] for scope in app.scopes] == [b"app.test"] * 3


@pytest.mark.parametrize(
    "host", [b"app.test:99999", b"[::1", b"[:::]", b"[1.2.3.4]", b"[fe80::1%25eth0]", b"app.test::"]
)
async def test_a_host_that_is_none_is_refused(host):
    """F4: ports that do not exist, and what looks like an IPv6 address, in both places."""
    app = Recorder()
    async with running(app) as server:
        assert status(await talk(server, b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")) == 400
        absolute = b"GET http://" + host + b"/ HTTP/1.1\r\nHost: app.test\r\n\r\n"
        assert status(await talk(server, absolute)) == 400
    assert not app.reached
