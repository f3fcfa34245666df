"""The reverse proxy as an ASGI application, driven directly."""

import asyncio
from typing import Any

import pytest

from gateway.errors import UpstreamUnreachable
from gateway.proxy.app import ReverseProxy
from gateway.proxy.options import UpstreamOptions
from tests.support.wire import OK, answering, get, proxied, scripted

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [(b"host", b"app.test")],
}


async def nobody():
    """A client that sends nothing and stays."""
    await asyncio.Event().wait()


async def asked(proxy, **scope):
    """The messages that the server gets."""
    sent = []

    async def send(message):
        sent.append(message)

    await proxy({**SCOPE, **scope}, nobody, send)
    return sent


@pytest.mark.network
async def test_early_hints_pass_where_the_server_can_send_them():
    """103: the links, before the answer (ASGI's early hint extension)."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nX: y\r\n\r\n"

    async with scripted(answering(hints + OK)) as upstream:
        proxy = ReverseProxy([UpstreamOptions(servers=(upstream.url,))])
        sent = await asked(proxy, extensions={"http.response.early_hint": {}})
        await proxy.aclose()
    # Hints that come in one packet with the answer may be too late; they are never behind it.
    assert [message["type"] for message in sent][-2:] == ["http.response.start", "http.response.body"]
    assert all(message["links"] == [b"</a>; rel=preload"] for message in sent[:-2])
    assert sent[0]["type"] == "http.response.early_hint"


@pytest.mark.network
async def test_a_small_answer_is_two_messages():
    """Its head, and its body whole: a server can write both at once."""
    async with scripted(answering(OK)) as upstream:
        proxy = ReverseProxy([UpstreamOptions(servers=(upstream.url,))])
        sent = await asked(proxy)
        await proxy.aclose()
    assert sent == [
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]},
        {"type": "http.response.body", "body": b"ok", "more_body": False},
    ]


@pytest.mark.network
async def test_the_lifespan_ends_with_the_connections():
    """Startup is confirmed, shutdown closes what is kept and what is under way."""
    begun = asyncio.Event()

    async def play(peer):
        await peer.head()
        begun.set()
        await peer.gone()

    messages: asyncio.Queue[Any] = asyncio.Queue()
    told: asyncio.Queue[Any] = asyncio.Queue()
    async with scripted(play) as upstream:
        proxy = ReverseProxy([UpstreamOptions(servers=(upstream.url,))])
        lifespan = asyncio.ensure_future(proxy({"type": "lifespan"}, messages.get, told.put))
        await messages.put({"type": "lifespan.startup"})
        assert await told.get() == {"type": "lifespan.startup.complete"}
        under_way = asyncio.ensure_future(asked(proxy))
        await begun.wait()
        await messages.put({"type": "lifespan.shutdown"})
        assert await told.get() == {"type": "lifespan.shutdown.complete"}
        await lifespan
        with pytest.raises(UpstreamUnreachable):
            await under_way


@pytest.mark.network
async def test_each_upstream_gets_its_own():
    """By path, with the prefix cut off; and nothing configured is 404."""
    async with scripted(answering(OK)) as one, scripted(answering(OK)) as two:
        options = (
            UpstreamOptions(servers=(one.url,), prefix="/one"),
            UpstreamOptions(servers=(two.url,), prefix="/two", strip_prefix=True),
        )
        async with proxied(*options) as server:
            await get(server, b"/one/x?y")
            await get(server, b"/two/x?y")
            assert (await get(server, b"/three")).startswith(b"HTTP/1.1 404 ")
    assert one.received.startswith(b"GET /one/x?y HTTP/1.1\r\n")
    assert two.received.startswith(b"GET /x?y HTTP/1.1\r\n")
