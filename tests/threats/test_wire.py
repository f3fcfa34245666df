"""The assembled gateway on a real socket before a real upstream socket: what travels, byte for byte."""

import re
from contextlib import asynccontextmanager

import pytest

from gateway.proxy.app import ReverseProxy
from gateway.proxy.options import UpstreamOptions
from gateway.server import running
from tests.support.raw_http import head, status, statuses
from tests.support.tokens import SUB
from tests.support.wire import answering, connected, read_answer, scripted, talk, until
from tests.support.world import World

pytestmark = pytest.mark.network
HOST = b"Host: app.test\r\n"
CLOSE = b"Connection: close\r\n"
HTML = b"Accept: text/html\r\n"
FORGED = b"X-Forwarded-User: evil\r\nX_Forwarded_Groups: evil\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno"
UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@asynccontextmanager
async def served(*answers):
    """(the server, the upstream, the Cookie line of somebody signed in)."""
    async with scripted(answering(*answers)) as upstream:
        proxy = ReverseProxy([UpstreamOptions(servers=(upstream.url,))])
        world = World(app=proxy)
        visitor = world.visitor()
        await visitor.sign_in()
        cookie = f"Cookie: __Host-cg_session={visitor.cookies['__Host-cg_session']}\r\n".encode()
        async with running(world.gateway, grace=0.2) as server:
            yield server, upstream, cookie
        await proxy.aclose()


@pytest.mark.parametrize("answer", [NOT_FOUND, OK])
async def test_nothing_is_tunnelled_behind_a_refused_upgrade(answer):
    """#1347, #1348, F2: Upgrade to a path that is no WebSocket; the request that waits behind it, with forged identity
    headers, never reaches the upstream."""
    second = b"GET /admin HTTP/1.1\r\n" + HOST + FORGED + b"\r\n"
    async with served(answer) as (server, upstream, cookie):
        said = await talk(server, b"GET /no-ws HTTP/1.1\r\n" + HOST + UPGRADE + cookie + b"\r\n" + second)

    assert statuses(said) == [status(answer)]
    assert upstream.received.count(b"HTTP/1.1\r\n") == 1
    assert b"/admin" not in upstream.received
    assert b"evil" not in upstream.received


@pytest.mark.parametrize("cookie_of", ["nobody", "somebody"])
async def test_an_upgrade_is_judged_before_it_is_forwarded(cookie_of):
    """A8, #1347: a handshake without a session, or to a path for nobody, is refused by the gateway itself."""
    async with served(OK) as (server, upstream, cookie):
        lines = cookie if cookie_of == "somebody" else b""
        path = b"/closed/ws" if cookie_of == "somebody" else b"/ws"
        said = await talk(server, b"GET " + path + b" HTTP/1.1\r\n" + HOST + UPGRADE + FORGED + lines + b"\r\n")

    assert status(said) in {401, 403}
    assert upstream.received == b""


@pytest.mark.parametrize("announced", [b"Trailer: X-Forwarded-User, X-Admin\r\n", b"", b"TE: trailers\r\n"])
@pytest.mark.parametrize("path", [b"/upload", b"/public/x"])
async def test_trailers_never_arrive(announced, path):
    """A5: a trailer section with our names, announced or not, on protected and public paths: gone, body intact."""
    body = b"3\r\nabc\r\n0\r\nX-Forwarded-User: evil\r\nX-Admin: evil\r\n\r\n"
    start = b"POST " + path + b" HTTP/1.1\r\n" + HOST + CLOSE + announced + b"Transfer-Encoding: chunked\r\n"
    async with served(OK) as (server, upstream, cookie):
        async with connected(server) as client:
            await client.send(start + cookie + b"\r\n" + body)
            await until(lambda: upstream.peers and b"\r\n\r\n" in upstream.received)
            said = await client.gone()
        sent = upstream.received

    assert status(said) == 200
    assert b"evil" not in sent
    assert b"trailer" not in sent.lower()
    assert (b"x-forwarded-user: " + SUB.encode() in sent) is True


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE", b"connect", b"TRACK"])
async def test_no_tunnel_and_no_echo(method):
    """F2: CONNECT, TRACE and what looks like them are refused to everybody, and the upstream is not asked."""
    target = b"app.test:443" if method.upper() == b"CONNECT" else b"/"
    async with served(OK) as (server, upstream, cookie):
        said = await talk(server, method + b" " + target + b" HTTP/1.1\r\n" + HOST + CLOSE + cookie + b"\r\n")

    assert status(said) in {400, 405, 501}
    assert upstream.received == b""


AMBIGUOUS = [
    b"GET http://evil.example/public/x HTTP/1.1\r\n" + HOST,
    b"GET https://app.test@evil.example/ HTTP/1.1\r\n" + HOST,
    b"GET /public/x#/../admin HTTP/1.1\r\n" + HOST,
    b"GET /public/x HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n",
    b"GET /public/x HTTP/1.1\r\nHost: app.test, evil.example\r\n",
    b"GET /public/x HTTP/1.1\r\nHost: app.test@evil.example\r\n",
    b"GET /public/x HTTP/1.1\r\nHost: " + b"a" * 300 + b"\r\n",
    b"GET /public/x HTTP/1.1\r\n",
    b"GET /public/x HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n",
    b"GET /public/x HTTP/1.1\r\n" + HOST + b"X-Forwarded-User : evil\r\n",
    b"GET /public/x HTTP/1.1\r\n" + HOST + b" X-Forwarded-User: evil\r\n",
    b"GET public/x HTTP/1.1\r\n" + HOST,
    b"GET ?x HTTP/1.1\r\n" + HOST,
    b"GET * HTTP/1.1\r\n" + HOST,
]


@pytest.mark.parametrize("start", AMBIGUOUS)
async def test_a_request_with_two_readings_is_nobody_s(start):
    """E3, F1, F3, F4: a target or Host that two readers take for two things is refused, on public paths too."""
    async with served(OK) as (server, upstream, cookie):
        said = await talk(server, start + CLOSE + cookie + b"\r\n")

    assert status(said) in {400, 401}
    assert upstream.received == b""


async def test_a_refused_upload_s_body_is_never_a_request():
    """F9, F12, O1: the gateway answers 401 to an upload before its body is there: what comes then is not read as
    requests, and the upstream hears of none of it."""
    smuggled = b"GET /public/x HTTP/1.1\r\n" + HOST + FORGED + b"\r\n"
    start = b"POST /upload HTTP/1.1\r\n" + HOST + b"Content-Length: 100000\r\n\r\n"
    async with served(OK) as (server, upstream, _):
        said = await talk(server, start + smuggled * 20)

    assert statuses(said) == [401]
    assert head(said)[b"connection"] == b"close"
    assert upstream.received == b""


async def test_an_expectation_is_refused_before_the_body():
    """F5: who may not upload hears 401, never `100 Continue`."""
    start = b"POST /upload HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    async with served(OK) as (server, upstream, _):
        said = await talk(server, start)

    assert statuses(said) == [401]
    assert upstream.received == b""


@pytest.mark.parametrize(
    "target", [b"/oauth2/logout", b"/oauth2/callback", b"/closed/x", b"/livez", b"/readyz", b"/", b"/oauth2/login"]
)
async def test_head_has_no_body_and_the_next_answer_is_whole(target):
    """F12: HEAD on our own pages, refusals and redirects sends no body: the next answer on the connection is whole."""
    both = (
        b"HEAD "
        + target
        + b" HTTP/1.1\r\n"
        + HOST
        + HTML
        + b"\r\n"
        + b"GET /livez HTTP/1.1\r\n"
        + HOST
        + CLOSE
        + b"\r\n"
    )
    async with served(OK) as (server, _, _):
        said = await talk(server, both)

    first, rest = said.split(b"\r\n\r\n", 1)
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n"), (first, rest[:80])
    assert rest.endswith(b"\r\n\r\nok\n")


async def test_the_upstream_s_cookies_pass_and_ours_do_not():
    """C6, F6: on the wire: an upstream's Set-Cookie lines with our names are gone, in any case and with odd spaces."""
    lines = (
        b"Set-Cookie: __Host-cg_session=evil; Path=/; Secure\r\n"
        b"SET-COOKIE:\t cg_session=evil\r\nset-cookie: =__Host-cg_bind_AAAA=evil\r\n"
    )
    answer = b"HTTP/1.1 200 OK\r\n" + lines + b"Set-Cookie: theirs=1\r\nContent-Length: 2\r\n\r\nok"
    async with served(answer) as (server, _, _):
        said = await talk(server, b"GET /public/x HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")

    assert b"evil" not in said
    assert re.findall(rb"(?i)set-cookie: (.*)\r", said) == [b"theirs=1"]


async def test_our_cookies_and_forged_lines_stay_on_this_side():
    """A3, O9, Q11, Q14, C8: one signed-in request with everything forged at once: the upstream reads our words only."""
    forged = (
        FORGED
        + b"X-Forwarded-For: 127.0.0.1\r\nX-Original-URL: /admin\r\nForwarded: for=evil\r\nX.Forwarded.Email: evil\r\n"
    )
    async with served(OK) as (server, upstream, cookie):
        own = cookie.replace(b"\r\n", b"; theirs=1; __Host-cg_bind_AAAA=x\r\n")
        said = await talk(server, b"GET /x HTTP/1.1\r\n" + HOST + CLOSE + forged + own + b"\r\n")
        sent = upstream.received.lower()

    assert status(said) == 200
    assert b"evil" not in sent
    assert b"cg_" not in sent
    assert b"cookie: theirs=1\r\n" in sent
    assert sent.count(b"x-forwarded-user: ") == 1
    assert b"x-original-url" not in sent


async def test_one_connection_s_people_are_kept_apart():
    """G4, A7: requests of somebody signed in, of nobody, and of somebody again, on one kept connection: each is judged
    and marked by its own cookie."""
    ask = b"GET /public/x HTTP/1.1\r\n" + HOST
    async with served(OK) as (server, upstream, cookie):
        async with connected(server) as client:
            for lines in (cookie, b"", cookie):
                await client.send(ask + lines + b"\r\n")
                assert status(await read_answer(client)) == 200
        requests = upstream.received.split(b"GET ")[1:]

    assert [SUB.encode() in request for request in requests] == [True, False, True]


@pytest.mark.parametrize("raw", [b"/caf\xc3\xa9", b"/\xff\xfe", b"/a\x80b"])
async def test_bytes_in_a_path_that_are_no_ascii_break_nothing(raw):
    """F3, E10: raw bytes in the request target: refused, or sent to sign in with a safe return address; never a 5xx."""
    async with served(OK) as (server, upstream, _):
        said = await talk(server, b"GET " + raw + b" HTTP/1.1\r\n" + HOST + CLOSE + HTML + b"\r\n")

    assert status(said) in {302, 400}
    assert upstream.received == b""
    assert said.split(b"\r\n\r\n")[0].isascii()
