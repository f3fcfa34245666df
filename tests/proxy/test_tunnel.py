"""Tunnels that are open: real sockets, with the `websockets` library at both ends or raw bytes."""

import asyncio
import gc
import os
import socket

import pytest
import websockets
from websockets.asyncio.server import serve
from websockets.typing import Subprotocol

from gateway.core.frames import close_frame
from gateway.server import Limits, running
from tests.support.tunnels import SWITCH, Gate, choose, echo, handshake, raw_upstream, tunnelled

pytestmark = pytest.mark.network


# ---- the library at both ends


@pytest.fixture
async def echoed():
    """A WebSocket URL that ends at an echo server, through the gateway's server."""
    async with serve(echo, "127.0.0.1", 0, max_size=2**25, select_subprotocol=choose) as upstream:
        gate = Gate(upstream.sockets[0].getsockname()[1])
        async with running(gate, grace=1) as server:
            yield server.url.replace("http", "ws"), gate


async def test_text_binary_compression_and_subprotocol_pass(echoed):
    """Both kinds of message keep their kind; the upstream chooses sub-protocol and compression."""
    url, _ = echoed
    async with websockets.connect(url, subprotocols=[Subprotocol("other"), Subprotocol("chat")]) as ws:
        assert ws.subprotocol == "chat"
        assert ws.response is not None
        assert "permessage-deflate" in ws.response.headers["Sec-WebSocket-Extensions"]
        for message in ("\u00e4" * 1000, b"\xff\x00" * 1000, "", b""):
            await ws.send(message)
            assert await ws.recv() == message
        assert await (await ws.ping()) >= 0


async def test_a_16_mib_message_in_fragments_passes(echoed):
    """Large messages and their fragments, with back-pressure."""
    url, _ = echoed
    data = os.urandom(2**24)
    async with websockets.connect(url, compression=None, max_size=2**25) as ws:
        await ws.send([data[at : at + 2**21] for at in range(0, 2**24, 2**21)])
        assert await ws.recv() == data


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_the_clients_close_code_reaches_the_upstream_and_back(echoed, code):
    """Close codes pass unchanged."""
    url, gate = echoed
    async with websockets.connect(url) as ws:
        await ws.close(code, "why")
    assert (ws.close_code, ws.close_reason) == (code, "why")
    await asyncio.wait_for(gate.gone.wait(), 5)


async def test_the_gateway_closes_with_4401(echoed):
    """A session that ends closes its WebSockets with a code that the page can tell from a failure."""
    url, gate = echoed
    async with websockets.connect(url) as ws:
        await ws.send("before")
        assert await ws.recv() == "before"
        gate.tunnel.close(4401, "session ended")
        with pytest.raises(websockets.ConnectionClosedError):
            await ws.recv()
    assert (ws.close_code, ws.close_reason) == (4401, "session ended")
    await asyncio.wait_for(gate.gone.wait(), 5)


async def test_stopping_the_server_says_going_away():
    """RFC 6455 §7.4.1: 1001, so that pages connect again elsewhere."""
    async with serve(echo, "127.0.0.1", 0) as upstream:
        async with running(Gate(upstream.sockets[0].getsockname()[1]), grace=1) as server:
            ws = await websockets.connect(server.url.replace("http", "ws"))
        with pytest.raises(websockets.ConnectionClosedOK):
            await ws.recv()
        assert ws.close_code == 1001


# ---- bytes


async def test_bytes_pass_unchanged_both_ways():
    """Bad UTF-8, reserved bits, unknown opcodes: ends that speak WebSocket judge them, not the tunnel."""
    async with tunnelled() as (_, (reader, writer), (up_reader, up_writer)):
        wild = b"\xf7\x85\x01\x02\x03\x04hello" + b"\x81\x02\xff\xfe" + bytes(range(256))
        writer.write(wild)
        assert await up_reader.readexactly(len(wild)) == wild
        down = b"\x81\x02\xff\xfe\x0f\x01x\x89\x00"
        up_writer.write(down)
        assert await reader.readexactly(len(down)) == down


async def test_what_came_with_the_handshakes_is_not_lost():
    """Early frames of the client, and frames in the upstream's 101 packet, are carried first."""
    async with raw_upstream(SWITCH + b"\x81\x02!?") as (port, peers), running(Gate(port)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake() + b"\x82\x80\x00\x00\x00\x00")
        _, up_reader, _ = await peers.get()
        assert (await reader.readuntil(b"!?")).endswith(b"\r\n\r\n\x81\x02!?")
        assert await up_reader.readexactly(6) == b"\x82\x80\x00\x00\x00\x00"
        writer.transport.abort()


async def test_a_close_frame_waits_for_the_frame_in_transit():
    """4401 goes between two frames, never into one; what the upstream says after it is dropped."""
    async with tunnelled() as (gate, (reader, writer), (_, up_writer)):
        up_writer.write(b"\x82\x7e\x01\x00" + b"a" * 100)
        await reader.readexactly(104)
        gate.tunnel.close(4401)
        gate.tunnel.close(4000)
        up_writer.write(b"b" * 156 + b"\x81\x05never")
        assert await reader.read() == b"b" * 156 + close_frame(4401)
        writer.close()
        await asyncio.wait_for(gate.gone.wait(), 5)


async def test_the_client_going_ends_the_upstream_and_back():
    """Neither end is left open when the other is gone."""
    async with tunnelled() as (gate, (_, writer), (up_reader, _)):
        writer.close()
        assert await up_reader.read() == b""
    async with tunnelled() as (gate, (reader, writer), (_, up_writer)):
        up_writer.write(b"\x88\x00")
        up_writer.close()
        assert await reader.read() == b"\x88\x00"
        writer.close()
        await asyncio.wait_for(gate.gone.wait(), 5)


async def test_a_slow_reader_stops_the_upstream():
    """Back-pressure: what a client does not read is not read from the upstream either."""
    async with tunnelled() as (_, (_, writer), (_, up_writer)):
        writer.transport.pause_reading()
        up_writer.transport.set_write_buffer_limits(high=0)
        up_writer.write(b"\x82\x7f" + (2**26).to_bytes(8, "big") + b"x" * 2**26)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(up_writer.drain(), 0.3)
        assert up_writer.transport.get_write_buffer_size() > 2**24
        up_writer.transport.abort()


async def test_a_reader_that_catches_up_gets_everything():
    """Back-pressure ends as well: the upstream is read again, in both directions."""
    async with tunnelled() as (_, (reader, writer), (up_reader, up_writer)):
        for source, target in ((up_writer, reader), (writer, up_reader)):
            source.write(b"\x82\x7f" + (2**24).to_bytes(8, "big") + b"x" * 2**24)
            assert len(await target.readexactly(2**24 + 10)) == 2**24 + 10


async def test_an_upstream_that_has_left_already_is_heard():
    """101, one frame and the end in one packet: the client gets the frame, and then the end."""
    async with raw_upstream(SWITCH + b"\x81\x02!?", then_close=True) as (port, _):
        gate = Gate(port)
        async with running(gate, grace=1) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(handshake())
            assert (await reader.read()).endswith(b"\r\n\r\n\x81\x02!?")
            writer.close()
            await asyncio.wait_for(gate.gone.wait(), 5)


# ---- what a tunnel costs, and how long


async def test_nothing_of_the_handshake_stays():
    """An idle tunnel is two transports; its task, scope and header lines are free, without a collection."""
    gc.disable()
    try:
        async with tunnelled() as (gate, (reader, writer), (up_reader, up_writer)):
            await asyncio.wait_for(asyncio.gather(gate.ended.wait(), gate.freed.wait()), 5)
            up_writer.write(b"\x81\x01a")
            assert await reader.readexactly(3) == b"\x81\x01a"
            writer.write(b"\x81\x81\0\0\0\0b")
            assert await up_reader.readexactly(7) == b"\x81\x81\0\0\0\0b"
            writer.close()
            up_writer.close()
            await asyncio.wait_for(gate.gone.wait(), 5)
    finally:
        gc.enable()


@pytest.mark.parametrize("silent", ["client", "upstream"])
async def test_an_end_that_reads_nothing_is_cut_in_time(silent):
    """Unsent bytes wait for `write_seconds` at most, at either end; both ends are closed then."""
    async with tunnelled(limits=Limits(write_seconds=0.2)) as (gate, (reader, writer), (up_reader, up_writer)):
        ends = {"client": (writer, up_reader, up_writer), "upstream": (up_writer, reader, writer)}
        deaf, _, talker = ends[silent]
        deaf.transport.pause_reading()
        talker.write(b"\x82\x7f" + (2**26).to_bytes(8, "big") + b"x" * 2**26)
        await asyncio.wait_for(gate.gone.wait(), 10)
        talker.transport.abort()


async def test_a_tunnel_that_was_announced_but_not_joined_is_cut():
    """An application that leaves after its 101 must not leave a connection behind."""

    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept", "headers": [], "gateway.tunnel": True})

    async with running(app) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake())
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(10_000)
        writer.close()


async def test_a_handshake_under_way_when_the_server_stops_is_sent_away():
    """Its tunnel opens and closes with 1001: the page connects again elsewhere."""
    async with raw_upstream() as (port, peers):
        gate = Gate(port)
        async with running(gate, grace=5) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(handshake())
            _, _, up_writer = await peers.get()
            answer = asyncio.ensure_future(reader.read())
            asyncio.get_running_loop().call_later(0.05, up_writer.write, SWITCH)
            answer.add_done_callback(lambda _: writer.close())
        assert (await answer).endswith(b"\r\n\r\n" + close_frame(1001))


async def test_one_end_may_finish_before_the_other():
    """Half-close: what the upstream still says reaches a client that has said its last."""
    async with tunnelled() as (gate, (reader, writer), (up_reader, up_writer)):
        writer.write(b"\x88\x80\0\0\0\0")
        writer.write_eof()
        assert await up_reader.read() == b"\x88\x80\0\0\0\0"
        up_writer.write(b"\x81\x01z\x88\x00")
        up_writer.close()
        assert await reader.read() == b"\x81\x01z\x88\x00"
        writer.close()
        await asyncio.wait_for(gate.gone.wait(), 5)


@pytest.mark.parametrize("killed", ["client", "upstream"])
async def test_an_end_that_breaks_takes_the_other_along(killed):
    """A reset is no end of a message: the other end goes at once."""
    async with tunnelled() as (gate, (_, writer), (_, up_writer)):
        victim = writer if killed == "client" else up_writer
        linger = socket.SO_LINGER
        victim.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, linger, b"\1\0\0\0\0\0\0\0")
        victim.transport.abort()
        await asyncio.wait_for(gate.gone.wait(), 5)
