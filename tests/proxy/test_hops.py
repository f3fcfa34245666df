"""What a forwarded request says of its way: Via, loops, Max-Forwards."""

import asyncio

import pytest

from gateway.errors import LoopDetected
from gateway.proxy.app import ReverseProxy
from gateway.proxy.hops import MAX_PASSES, Hops, forwards_left, passes
from gateway.proxy.options import UpstreamOptions
from gateway.server import running
from tests.support.raw_http import head, status
from tests.support.tunnels import SWITCH, handshake, raw_upstream
from tests.support.wire import HOST, OK, answering, get, rendered, scripted, talk

pytestmark = pytest.mark.network
NAMED = Hops("cg-1", via=True)
MARK = b"cdn-loop: cg-1\r\n"


async def received(hops: Hops, request: bytes) -> tuple[bytes, bytes]:
    """(what the upstream received, what the client did)."""
    async with scripted(answering(OK)) as upstream:
        proxy = ReverseProxy([UpstreamOptions(servers=(upstream.url,))], hops)
        async with running(rendered(proxy), grace=0.2) as server:
            said = await talk(server, request)
        await proxy.aclose()
    return upstream.received, said


async def test_via_comes_last():
    """RFC 9110 §7.6.3: our entry stands behind those of earlier intermediaries, which stay."""
    sent, _ = await received(
        NAMED, b"GET / HTTP/1.1\r\n" + HOST + b"Via: 1.0 fred\r\nConnection: close, x\r\nX: 1\r\n\r\n"
    )
    assert sent.endswith(b"via: 1.0 fred\r\n" + MARK + b"via: 1.1 cognito-gateway\r\n\r\n")


async def test_via_names_the_version_in_which_the_request_came():
    """RFC 9110 §7.6.3: the received protocol, not the one that is sent."""
    sent, _ = await received(NAMED, b"GET / HTTP/1.0\r\n" + HOST + b"\r\n")
    assert b"via: 1.0 cognito-gateway\r\n" in sent


async def test_via_can_be_left_out():
    """`via: false`: an nginx behind us then compresses; loops are found all the same."""
    sent, _ = await received(Hops("cg-1"), b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert b"via" not in sent
    assert MARK in sent


async def test_connection_cannot_name_our_lines():
    """T4, A1: a client that lists them as hop-by-hop takes its own away, not ours."""
    lines = b"Connection: close, via, cdn-loop\r\nVia: 1.0 x\r\nCDN-Loop: x\r\n"
    sent, _ = await received(NAMED, b"GET / HTTP/1.1\r\n" + HOST + lines + b"\r\n")
    assert sent.endswith(b"\r\n" + MARK + b"via: 1.1 cognito-gateway\r\n\r\n")
    assert sent.count(b"via:") == sent.count(b"cdn-loop:") == 1


@pytest.mark.parametrize("method", [b"GET", b"POST", b"OPTIONS", b"PROPFIND"])
async def test_a_gateway_that_calls_itself_stops(method):
    """T4: with its own address as upstream, one request comes by a few times and ends in 508."""
    seen = []
    inner: list[ReverseProxy] = []

    async def app(scope, receive, send):
        if scope["type"] == "http":
            seen.append(scope["headers"])
        await inner[0](scope, receive, send)

    async with running(rendered(app), grace=0.2) as server:
        inner.append(ReverseProxy([UpstreamOptions(servers=(server.url,))], NAMED))
        said = await get(server, method=method)
        await inner[0].aclose()
    assert status(said) == 508
    assert len(seen) == MAX_PASSES + 1


async def test_two_gateways_that_call_each_other_stop():
    """T4: a loop through another gateway is found too: each adds its entry and keeps the other's."""
    seen = []
    other: list[ReverseProxy] = []

    async def app(scope, receive, send):
        seen.append(scope["headers"])
        await other[0](scope, receive, send)

    async with running(rendered(app), grace=0.2) as first:
        second = ReverseProxy([UpstreamOptions(servers=(first.url,))], Hops("cg-2"))
        async with running(rendered(second), grace=0.2) as server:
            other.append(ReverseProxy([UpstreamOptions(servers=(server.url,))], Hops("cg-1")))
            assert status(await get(server)) == 508
            await other[0].aclose()
        await second.aclose()
    assert len(seen) <= MAX_PASSES + 2  # and the lifespan


async def test_a_chain_of_gateways_is_no_loop():
    """T4: ten gateways behind one another, each with its own name: the request arrives."""
    async with scripted(answering(OK)) as upstream:
        proxies = [ReverseProxy([UpstreamOptions(servers=(upstream.url,))], Hops("cg-0"))]
        servers = []
        for number in range(1, 10):
            server = running(rendered(proxies[-1]), grace=0.2)
            servers.append(server)
            up = await server.__aenter__()
            proxies.append(ReverseProxy([UpstreamOptions(servers=(up.url,))], Hops(f"cg-{number}")))
        async with running(rendered(proxies[-1]), grace=0.2) as front:
            assert status(await get(front)) == 200
        for proxy in proxies:
            await proxy.aclose()
        for server in reversed(servers):
            await server.__aexit__(None, None, None)
    assert [b"cdn-loop: cg-%d\r\n" % number in upstream.received for number in range(10)] == [True] * 10


async def test_a_handshake_that_came_by_too_often_is_refused():
    """T4: a WebSocket that calls itself is a loop as well."""
    async with raw_upstream(SWITCH) as (port, peers):
        proxy = ReverseProxy([UpstreamOptions(servers=(f"http://127.0.0.1:{port}",))], NAMED)
        looped = {"type": "websocket", "raw_path": b"/", "path": "/", "headers": [(b"cdn-loop", b"cg-1")] * MAX_PASSES}
        with pytest.raises(LoopDetected):
            await proxy(looped, unused, unused)
        async with running(proxy, grace=0.2) as server:
            await talk_to_101(server)
            asked, *_ = await peers.get()
        await proxy.aclose()
    assert asked.endswith(b"\r\n" + MARK + b"via: 1.1 cognito-gateway\r\n\r\n")


async def unused(*_args):
    raise AssertionError("nobody is asked and nothing said")


async def talk_to_101(server):
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(handshake())
    async with asyncio.timeout(10):
        assert status(await reader.readuntil(b"\r\n\r\n")) == 101
    writer.transport.abort()


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ([], 0),
        ([b"cg-1"], 1),
        ([b"cg-1;x=1, other", b"cg-1"], 2),
        ([b" cg-1\t;y", b"cg-1,cg-1"], 3),
        ([b"cg-11, xcg-1, cg-1x, CG-1, x;cg-1"], 0),
    ],
)
def test_passes_are_counted_by_whole_entries(values, count):
    """RFC 8586 §2: a list of entries with parameters."""
    assert passes([(b"cdn-loop", value) for value in values], b"cg-1") == count


def test_a_gateway_without_a_name_finds_no_loops():
    """Nothing is compared with an empty name."""
    Hops().check([(b"cdn-loop", b",,,,,")])


@pytest.mark.parametrize(("given", "sent"), [(b"1", b"0"), (b"10", b"9"), (b"007", b"6")])
async def test_max_forwards_counts_down(given, sent):
    """RFC 9110 §7.6.2: what is forwarded may go one hop less far."""
    seen, said = await received(
        NAMED, b"OPTIONS / HTTP/1.1\r\n" + HOST + b"Max-Forwards: " + given + b"\r\nConnection: close\r\n\r\n"
    )
    assert status(said) == 200
    assert b"max-forwards: " + sent + b"\r\n" in seen
    assert seen.count(b"max-forwards") == 1


@pytest.mark.parametrize("target", [b"/", b"*", b"/a/b?c"])
async def test_max_forwards_of_nothing_ends_here(target):
    """RFC 9110 §7.6.2: with 0 left we answer, and the upstream is not asked."""
    seen, said = await received(
        NAMED, b"OPTIONS " + target + b" HTTP/1.1\r\n" + HOST + b"Max-Forwards: 0\r\nConnection: close\r\n\r\n"
    )
    assert (seen, status(said)) == (b"", 204)
    assert b"OPTIONS" in head(said)[b"allow"]


@pytest.mark.parametrize("method", [b"GET", b"POST", b"HEAD"])
async def test_max_forwards_is_for_options(method):
    """RFC 9110 §7.6.2: other methods pass it on as it is."""
    seen, _ = await received(
        NAMED, method + b" / HTTP/1.1\r\n" + HOST + b"Max-Forwards: 0\r\nConnection: close\r\n\r\n"
    )
    assert b"max-forwards: 0\r\n" in seen


@pytest.mark.parametrize("values", [[], [b"x"], [b"-1"], [b""], [b"1, 2"], [b"\xb2"], [b"9" * 5000], [b"1", b"x"]])
def test_a_limit_that_cannot_be_read_is_none(values):
    """It passes on as it came."""
    assert forwards_left([(b"max-forwards", value) for value in values]) is None


async def test_options_for_the_server_itself_pass():
    """RFC 9112 §3.2.4: `OPTIONS *` arrives as such."""
    seen, said = await received(NAMED, b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert (seen[:20], status(said)) == (b"OPTIONS * HTTP/1.1\r\n", 200)
