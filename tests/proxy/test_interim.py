"""Interim responses: forwarded to clients that know them, filtered, bounded (RFC 9110 §15.2)."""

import asyncio
from typing import Any

import pytest

from gateway.core.asgi import INTERIM
from gateway.proxy.app import ReverseProxy
from gateway.proxy.options import UpstreamOptions
from gateway.proxy.parsing import MAX_INTERIM
from gateway.server import running
from tests.support.raw_http import status, statuses, talk
from tests.support.wire import HOST, OK, answering, connected, get, proxied, scripted
from tests.support.world import World

pytestmark = pytest.mark.network

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nX : y \r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
FINAL = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


@pytest.mark.parametrize("code", [102, 103, 104, 150, 199])
async def test_interim_responses_pass(code):
    """A proxy must forward 1xx responses: 103, 102 and those that nobody knows yet, with their header lines."""
    answer = b"HTTP/1.1 %d X\r\nLink: </a>\r\nX-Y: z\r\n\r\n" % code
    async with scripted(answering(answer + answer + OK)) as upstream, proxied(upstream) as server:
        seen = await get(server)
    first, second, *rest = seen.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 %d " % code)
    assert first.endswith(b"\r\nlink: </a>\r\nx-y: z")
    assert second == first
    assert b"\r\n\r\n".join(rest) == FINAL


async def test_an_interim_response_does_not_wait_for_the_final_one():
    """A hint is of use only while the upstream still works."""
    go = asyncio.Event()

    async def play(peer):
        await peer.head()
        await peer.send(HINTS)
        await go.wait()
        await peer.send(OK)

    async with (
        scripted(play) as upstream,
        proxied(upstream) as server,
        connected(server) as client,
        asyncio.timeout(10),
    ):
        await client.send(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert await client.head() == b"HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\nx: y\r\n\r\n"
        go.set()
        assert status(await client.head()) == 200


async def test_http_1_0_clients_get_none():
    """T6: a client of HTTP/1.0 would take it for the response, and the response for the next one."""
    async with scripted(answering(HINTS + PROCESSING + OK)) as upstream, proxied(upstream) as server:
        seen = await talk(server, b"GET / HTTP/1.0\r\n" + HOST + b"\r\n")
    assert statuses(seen) == [200]
    assert seen.endswith(b"\r\n\r\nok")


async def test_lines_of_the_hop_end_here():
    """T6: hop-by-hop lines of an interim response, and those that its Connection names, go no further."""
    hop = b"HTTP/1.1 103 E\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: x\r\nLink: </a>\r\n\r\n"
    async with scripted(answering(hop + OK)) as upstream, proxied(upstream) as server:
        seen = await get(server)
    assert seen == b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + FINAL


async def test_a_pipeline_keeps_its_order():
    """T6: interim responses stand before the final one of their own request, never of another."""
    second = b"HTTP/1.1 102 X\r\nN: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo"
    async with scripted(answering(HINTS + OK, second)) as upstream, proxied(upstream) as server:
        request = b"GET / HTTP/1.1\r\n" + HOST
        seen = await talk(server, request + b"\r\n" + request + b"Connection: close\r\n\r\n")
    assert statuses(seen) == [103, 200, 102, 200]
    assert seen.endswith(b"two")


async def test_an_expectation_is_met_besides():
    """A 103 before the 100 takes nothing from it: the body is still asked for."""

    async def play(peer):
        await peer.head()
        await peer.send(HINTS + b"HTTP/1.1 100 Continue\r\n\r\n")
        await peer.body(3)
        await peer.send(OK)

    async with (
        scripted(play) as upstream,
        proxied(upstream) as server,
        connected(server) as client,
        asyncio.timeout(10),
    ):
        await client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        seen = [status(await client.head()), status(await client.head())]
        assert sorted(seen) == [100, 103]
        await client.send(b"abc")
        assert status(await client.head()) == 200


@pytest.mark.parametrize(("count", "code"), [(MAX_INTERIM, 200), (MAX_INTERIM + 1, 502)])
async def test_interim_responses_are_bounded_in_number(count, code):
    """T6: an upstream cannot feed a client with them for ever."""
    async with scripted(answering(PROCESSING * count + OK)) as upstream, proxied(upstream) as server:
        assert statuses(await get(server))[-1] == code


async def test_interim_responses_are_bounded_in_bytes():
    """T6: all heads of one exchange together are no larger than one head may be."""
    large = b"HTTP/1.1 103 E\r\nX: " + b"a" * 30_000 + b"\r\n\r\n"
    async with scripted(answering(large * 3 + OK)) as upstream, proxied(upstream) as server:
        assert statuses(await get(server))[-1] == 502


async def test_an_application_cannot_set_our_cookies_in_an_interim_response():
    """T6: filtered as the final response is."""
    evil = b"HTTP/1.1 103 E\r\nSet-Cookie: __Host-cg_session=x\r\nSet-Cookie: a=b\r\nLink: </a>\r\n\r\n"
    async with scripted(answering(evil + OK)) as upstream:
        proxy = ReverseProxy([UpstreamOptions(servers=(upstream.url,))])
        world = World(app=proxy)
        async with running(world.gateway, grace=0.2, lifespan=proxy) as server:
            seen = await talk(server, b"GET /public/x HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert statuses(seen) == [103, 200]
    assert b"cg_session" not in seen
    assert b"set-cookie: a=b\r\n" in seen
    assert b"link: </a>\r\n" in seen


async def application(message, scope_seen=None):
    """An application that sends one interim message, then its response."""

    async def app(scope, receive, send):
        if scope["type"] != "http":
            raise RuntimeError("no lifespan here")
        if scope_seen is not None:
            scope_seen.append(scope)
        await send(message)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    return app


async def test_an_application_may_send_early_hints():
    """ASGI's own extension, as other servers offer it."""
    scopes: list[dict[str, Any]] = []
    app = await application({"type": "http.response.early_hint", "links": [b"</a>", b"</b>"]}, scopes)
    async with running(app) as server:
        seen = await talk(server, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        old = await talk(server, b"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
    assert seen.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nlink: </b>\r\n\r\nHTTP/1.1 204 ")
    assert statuses(old) == [204]
    assert [sorted(scope["extensions"]) for scope in scopes] == [[INTERIM, "http.response.early_hint"], []]


@pytest.mark.parametrize(
    ("code", "headers"),
    [
        (100, []),
        (101, []),
        (200, []),
        (99, []),
        (103, [(b"content-length", b"1")]),
        (103, [(b"x", b"a\r\nHTTP/1.1 200 OK")]),
    ],
)
async def test_what_is_no_interim_response_is_an_error_of_the_application(code, headers):
    """T6, F6: only 102 to 199, without a body, and one message stays one."""
    app = await application({"type": INTERIM, "status": code, "headers": headers})
    async with running(app) as server:
        seen = await talk(server, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert statuses(seen) == [500]
