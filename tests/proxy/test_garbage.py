"""What has ended is free at once: memory must not wait for a collector that comes by late."""

import gc
import logging
from collections.abc import Iterator

import pytest

from gateway.proxy.options import UpstreamOptions, UpstreamTimeouts
from gateway.proxy.wire import Connection
from gateway.server import GatewayProtocol, Limits
from gateway.server.cycle import Cycle
from tests.support.wire import HOST, Peer, connected, proxied, scripted, until

pytestmark = pytest.mark.network

GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"


@pytest.fixture(autouse=True)
def no_collector(caplog) -> Iterator[None]:
    """Only what nothing refers to goes, and only what is made from now on is counted."""
    for logger in ("gateway.proxy", "uvicorn.error"):
        caplog.set_level(logging.CRITICAL, logger)  # pytest keeps log records, and with them what they name
    gc.collect()
    gc.freeze()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()


def left() -> list[object]:
    """What belongs to a connection of a client or of an upstream."""
    return [each for each in gc.get_objects() if isinstance(each, GatewayProtocol | Cycle | Connection)]


def told(answer: bytes):
    """An upstream that says this to each request, and then nothing until the other end goes."""

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)
        await peer.gone()

    return play


@pytest.mark.parametrize("sent", [GET, POST])
@pytest.mark.parametrize("answer", [b"", STREAM])
async def test_a_client_that_leaves_in_the_middle(sent, answer):
    """Its connection, its exchange and the upstream's connection."""
    limits = Limits(half_closed_seconds=0.2)
    async with scripted(told(answer)) as upstream, proxied(upstream, limits=limits) as server:
        async with connected(server) as client:
            await client.send(sent)
            await until(lambda: upstream.received)
            assert left()  # else nothing would be proved
        await until(lambda: not left())


@pytest.mark.parametrize("answer", [b"", STREAM, b"nonsense\r\n\r\n"])
async def test_an_upstream_that_fails(answer):
    """An error that was raised refers to frames, and so to all that they hold."""

    async def play(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)

    async with scripted(play) as upstream, proxied(upstream) as server:
        async with connected(server) as client:
            await client.send(GET)
            await until(lambda: upstream.received)
            await client.head()
        await until(lambda: not left())


async def test_an_upstream_that_is_too_slow():
    """The same, when the error came from the clock."""
    async with scripted(told(b"")) as upstream:
        options = UpstreamOptions(servers=(upstream.url,), timeouts=UpstreamTimeouts(first_byte=0.1))
        async with proxied(options) as server:
            async with connected(server) as client:
                await client.send(GET)
                await client.head()
            await until(lambda: not left())
