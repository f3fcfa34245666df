"""Slow clients, and others who want a connection to the upstream while they hold them."""

import asyncio
import resource
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from gateway.proxy import upload
from gateway.proxy.options import UpstreamOptions, UpstreamTimeouts
from gateway.proxy.pressure import address_of, slowest
from gateway.server import Limits
from tests.support.wire import HOST, OK, answering, connected, get, proxied, read_answer, scripted, until

pytestmark = pytest.mark.network

SLOW = 600
USERS = 20
LARGE = 8 * 2**20
PATIENT = Limits(body_idle_seconds=600, write_seconds=0)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
POST = b"POST /slow HTTP/1.1\r\n" + HOST
KINDS = {
    "one byte of a long body": POST + b"Content-Length: 1000000\r\n\r\nx",
    "one chunk of a body without an end": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    "a body that never comes": POST + b"Content-Length: 10\r\n\r\n",
    "a chunked body that never comes": POST + b"Transfer-Encoding: chunked\r\n\r\n",
    "an upload that the upstream answers early": POST.replace(b"slow", b"early") + b"Content-Length: 99\r\n\r\nx",
    "Expect without a body": POST + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n",
    "a large response that nobody reads": b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n",
}


async def play(peer):
    """Serves `/large` in full, the head of a response to `/early` before the body, and anything else after its body."""
    while head := await peer.head():
        if b"/live" in head:
            while await peer.reader.readuntil(b"\r\n") != b"0\r\n":
                pass
            await peer.send(OK)
        elif head.startswith(b"GET /large "):
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
            for _ in range(LARGE // 2**16):
                await peer.send(b"x" * 2**16)
        elif head.startswith(b"POST /early"):
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            await peer.gone()
        elif head.startswith(b"POST"):
            await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            await peer.gone()
        else:
            await peer.send(OK)


@pytest.fixture(autouse=True)
def many_files():
    """Both ends of all these connections are in this process."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@asynccontextmanager
async def busy(connections: int, *, streaming: bool = False):
    """The upstream, and the proxy in front of it with so many connections."""
    async with scripted(play) as upstream:
        times = UpstreamTimeouts(queue=0.5 if streaming else 5)
        options = UpstreamOptions(
            servers=(upstream.url,), max_connections=connections, streaming=streaming, timeouts=times
        )
        async with proxied(options, limits=PATIENT) as server:
            yield upstream, server


@asynccontextmanager
async def crowd(server, request: bytes, size: int):
    """So many clients that have sent `request` and do nothing more."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(server, receives=4096)) for _ in range(size)]
        for client in clients:
            await client.send(request)
        yield clients


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})], ids=["uvloop"])
@pytest.mark.parametrize("kind", KINDS)
async def test_slow_clients_leave_room_for_everybody_else(kind):
    """S3: 600 clients that hold what they do not use, and all requests of 20 ordinary users are answered."""
    async with busy(256) as (upstream, server), crowd(server, KINDS[kind], SLOW):
        await until(lambda: len(upstream.peers) >= 256)
        for _ in range(3):
            answers = await asyncio.gather(*(get(server) for _ in range(USERS)))
            assert {answer[:15] for answer in answers} == {b"HTTP/1.1 200 OK"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_slow_client_that_is_ended_is_told_so(kind, caplog):
    """S3: 408 where no response has begun, else the end of the connection; nothing is logged as a fault."""
    async with busy(2) as (upstream, server), crowd(server, KINDS[kind], 2) as clients:
        await until(lambda: len(upstream.peers) == 2)
        assert (await get(server)).endswith(b"ok")
        end = await ended(clients)
    assert b" 200 OK" in end or end.removeprefix(CONTINUE).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert not [record for record in caplog.records if record.exc_info]


async def ended(clients):
    """What came on the first of these connections that ends; each is read once that can be."""
    ends = [asyncio.ensure_future(client.gone()) for client in clients]
    done, waiting = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    return done.pop().result()


async def test_nobody_is_ended_while_nobody_waits():
    """An upload that pauses, and a reader that does, go on when all connections but one wait for such clients."""
    async with busy(8) as (upstream, server), crowd(server, KINDS["one byte of a long body"], 7) as clients:
        await until(lambda: len(upstream.peers) == 7)
        for _ in range(20):
            assert (await get(server)).endswith(b"ok")
        assert not any(client.reader.at_eof() for client in clients)
    assert len(upstream.peers) == 8


async def test_a_streaming_upstream_keeps_its_clients():
    """`streaming: true`: nobody is ended, and who comes too many waits as in any queue."""
    many = KINDS["one byte of a long body"]
    async with busy(2, streaming=True) as (upstream, server), crowd(server, many, 2) as clients:
        await until(lambda: len(upstream.peers) == 2)
        assert (await get(server)).startswith(b"HTTP/1.1 503 ")
        assert not any(client.reader.at_eof() for client in clients)


async def test_a_download_at_the_pace_of_a_phone_outlives_the_slow_clients_beside_it():
    """S3: who takes something of the response is not the slowest, even from an address that all share."""
    async with busy(8) as (_, server), connected(server) as phone:
        await phone.send(KINDS["a large response that nobody reads"])
        await phone.head()
        async with crowd(server, KINDS["one byte of a long body"], 40):
            left = LARGE
            while left:
                piece = await phone.reader.read(2**16)
                assert piece
                left -= len(piece)
                if left % 2**20 < 2**16:
                    assert (await get(server)).endswith(b"ok")


async def test_a_live_upload_outlives_the_slow_clients_beside_it():
    """S3: a chunk now and then is more than what the clients send that hold connections for nothing."""
    many = KINDS["a chunked body that never comes"]
    async with busy(8) as (_, server), connected(server) as client:
        await client.send(b"POST /live HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n")
        async with crowd(server, many, 20):
            for _ in range(10):
                await client.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
                await get(server)
        await client.send(b"0\r\n\r\n")
        assert (await read_answer(client)).endswith(b"ok")


async def test_no_connection_is_taken_before_the_first_piece_of_the_body(monkeypatch):
    """S3: for a short time, a request without the body that it announced holds nothing of the upstream."""
    monkeypatch.setattr(upload, "FIRST_PIECE", 60)
    async with scripted(answering(OK)) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(POST + b"Content-Length: 2\r\n\r\n")
        assert (await get(server, b"/other")).endswith(b"ok")
        assert b"/slow" not in upstream.received
        await client.send(b"hi")
        assert (await read_answer(client)).endswith(b"ok")


async def test_a_response_before_the_first_piece_of_the_body_comes_through():
    """A client that wants to hear from the upstream before it sends anything is not held up for long."""

    async def early(peer):
        await peer.head()
        await peer.send(OK)
        await peer.gone()

    async with scripted(early) as upstream, proxied(upstream) as server, connected(server) as client:
        await client.send(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        assert (await read_answer(client)).endswith(b"ok")
    assert upstream.peers


class Held:
    """A connection as far as `slowest` looks at it: one that waits for its client."""

    def __init__(self, name, address="192.0.2.1", *, pace=0.0, handed=-1, age=100):
        self.name, self.pace, self.handed, self.age = name, pace, handed, age
        self.scope = {"headers": [(b"x-forwarded-for", address.encode())], "client": ("127.0.0.1", 1)}
        self.sending, self.reader, self.write_paused, self.moved = True, object(), False, 0


def names(held, bound):
    return "".join(held[held.index(each)].name for each in slowest(held, bound))


def test_the_slowest_goes_first():
    """Of clients with equal rights, those that move least are ended, and no more than the bound asks for."""
    held = [Held("a", "192.0.2.1", pace=300), Held("b", "192.0.2.2", pace=5), Held("c", "192.0.2.3", pace=50)]
    assert names(held, 3) == ""
    assert names(held, 2) == "b"
    assert names(held, 1) == "bc"


def test_an_address_with_more_than_its_share_goes_first():
    """Many connections of one address do not push out the slower one of another."""
    held = [Held("x", "192.0.2.9", pace=1), *(Held(name, pace=1000) for name in "abcd")]
    assert names(held, 4) == "a"
    assert names(held, 2) == "abc"


def test_a_network_of_ipv6_is_one_address():
    """Who has a /64 has one share (RFC 6177)."""
    held = [Held("x", "192.0.2.9", pace=1), *(Held(f"{n}", f"2001:db8::{n}", pace=9) for n in range(4))]
    assert names(held, 4) == "0"


def test_whoever_is_fast_enough_stays():
    """A bound on slow clients ends no client that moves: not above 32 KiB a second, or 256 KiB beyond the share."""
    assert names([Held("a", "192.0.2.1", pace=40_000), Held("b", "192.0.2.2", pace=40_000)], 1) == ""
    assert names([Held("a", pace=300_000), Held("b", pace=300_000)], 1) == ""
    assert names([Held("a", pace=40_000), Held("b", pace=300_000)], 1) == "a"


def test_a_reader_is_as_slow_as_it_has_not_taken_anything():
    """Nothing taken for a second is slower than nothing taken for a tenth of it."""
    held = [Held("a", "192.0.2.1", handed=98), Held("b", "192.0.2.2", handed=20), Held("c", "192.0.2.3", handed=60)]
    assert names(held, 1) == "bc"
    assert names(held, 2) == "b"


def test_who_has_just_come_stays():
    """An exchange that has only begun has no pace yet."""
    assert names([Held("a", pace=-1.0, age=1), Held("b", "192.0.2.2", pace=500)], 1) == ""
    assert names([Held("a", pace=-1.0, age=3), Held("b", "192.0.2.2", pace=500)], 1) == "a"


def test_addresses_that_cannot_be_read_are_taken_as_they_are():
    """No X-Forwarded-For, or an odd one: the peer, or the text."""
    assert address_of(None) == ""
    assert address_of({"headers": [], "client": None}) == ""
    assert address_of({"headers": [], "client": ("192.0.2.7", 1)}) == "192.0.2.7"
    assert address_of({"headers": [(b"x-forwarded-for", b"a:b, 192.0.2.1")]}) == "a:b"
