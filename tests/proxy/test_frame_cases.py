"""Frames as Autobahn's suite sends them: through the tunnel the upstream answers exactly as it does without.

The numbers are those of Autobahn's cases. Both ends are the `websockets` library, which passes that suite.
"""

import asyncio
import os
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from gateway.core.frames import header_length, payload_length
from gateway.server import running
from tests.support.tunnels import SWITCH, Gate, echo, handshake, raw_upstream

pytestmark = pytest.mark.network
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """A client's frame (RFC 6455 §5.2)."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + size.to_bytes(2, "big") if size < 2**16 else b"\xff" + size.to_bytes(8, "big")
    key = int.from_bytes((MASK * (size // 4 + 1))[:size], "big")
    hidden = (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")
    return bytes([fin << 7 | rsv << 4 | opcode]) + length + MASK + hidden


def plain(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """A server's short frame."""
    return bytes([fin << 7 | opcode, len(payload)]) + payload


def closing(code: int, reason: bytes = b"") -> bytes:
    """The payload of a close frame."""
    return code.to_bytes(2, "big") + reason


def in_fragments(opcode: int, *pieces: bytes) -> list[bytes]:
    """One message in several frames."""
    return [masked(opcode if not at else 0, piece, fin=at == len(pieces) - 1) for at, piece in enumerate(pieces)]


WORD = "κόσμε".encode()
GOOD = {
    **{f"1.1 text of {size}": [masked(TEXT, b"*" * size)] for size in (0, 125, 126, 127, 128, 65535, 65536)},
    **{f"1.2 binary of {size}": [masked(BINARY, b"\xfe" * size)] for size in (0, 125, 126, 127, 128, 65535, 65536)},
    "2.1 empty ping": [masked(PING)],
    "2.4 ping of 125": [masked(PING, b"\xfe" * 125)],
    "2.7 pong that nobody asked for": [masked(PONG, b"unsolicited"), masked(PING, b"x")],
    "2.10 ten pings": [masked(PING, bytes([48 + n])) for n in range(10)],
    "5.3 text in two fragments": in_fragments(TEXT, b"fragment1", b"fragment2"),
    "5.6 ping between fragments": [
        masked(TEXT, b"fragment1", fin=False),
        masked(PING, b"ping"),
        masked(0, b"fragment2"),
    ],
    "5.19 pings between many fragments": [
        masked(TEXT, b"1", fin=False),
        masked(0, b"2", fin=False),
        masked(PING, b"p1"),
        masked(0, b"3", fin=False),
        masked(PING, b"p2"),
        masked(0, b"4"),
    ],
    "6.1 empty fragments": in_fragments(TEXT, b"", b"", b""),
    "6.2 UTF-8 cut inside of characters": in_fragments(TEXT, *(bytes([byte]) for byte in WORD)),
    "9.1 a message of 1 MiB": [masked(TEXT, b"*" * 2**20)],
    "9.3 1 MiB in fragments of 4 KiB": in_fragments(BINARY, *[b"\x00" * 4096] * 256),
    "9.7 a thousand short messages": [masked(TEXT, b"%d" % n) for n in range(1000)],
}
CODES = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4401, 4999)
BAD_CODES = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
ENDS = {
    "2.5 ping of 126": masked(PING, b"\xfe" * 126),
    **{f"3 reserved bits {rsv}": masked(TEXT, b"x", rsv=rsv) for rsv in range(1, 8)},
    **{f"4 reserved opcode {opcode}": masked(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "5.1 ping in fragments": masked(PING, b"x", fin=False) + masked(0, b"y"),
    "5.9 continuation of nothing": masked(0, b"x"),
    "5.18 text inside of a text": masked(TEXT, b"x", fin=False) + masked(TEXT, b"y"),
    "6.3 UTF-8 that is none": masked(TEXT, WORD + b"\xed\xa0\x80" + b"edited"),
    "6.4 none, seen in the second fragment": masked(TEXT, WORD + b"\xf4", fin=False) + masked(0, b"\x90\x80\x80"),
    "6.6 cut short": masked(TEXT, WORD[:-1]),
    "7.3.1 close without a code": masked(CLOSE),
    "7.3.2 close with half a code": masked(CLOSE, b"\x03"),
    "7.3.5 close with a long reason": masked(CLOSE, closing(1000, b"*" * 123)),
    "7.3.6 close that is too long": masked(CLOSE, closing(1000, b"*" * 124)),
    "7.5 close with a bad reason": masked(CLOSE, closing(1000, b"\xce\xba\xe1\xed\xa0\x80")),
    **{f"7.7 close with {code}": masked(CLOSE, closing(code)) for code in CODES},
    **{f"7.9 close with {code}": masked(CLOSE, closing(code)) for code in BAD_CODES},
    "an unmasked frame": plain(TEXT, b"x"),
}


@asynccontextmanager
async def both_ways(**options):
    """The ports of an echo server and of the gateway in front of it."""
    async with serve(echo, "127.0.0.1", 0, max_size=2**25, **options) as upstream:
        port = upstream.sockets[0].getsockname()[1]
        async with running(Gate(port), grace=1) as server:
            yield port, server.port


Frames = tuple[list[bytes], list[bytes]]
"""Those of messages and those of control, each in their order; which go first is not said."""


async def answers(port: int, pieces: list[bytes], *, expected: int = 0) -> Frames:
    """What comes back until the end; after so many frames, a close is sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(handshake())
    await reader.readuntil(b"\r\n\r\n")
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    frames: Frames = ([], [])
    async with asyncio.timeout(10):
        while head := await reader.read(1):
            head += await reader.readexactly(1)
            head += await reader.readexactly(header_length(head[1]) - 2)
            frames[head[0] >> 3 & 1].append(head + await reader.readexactly(payload_length(head)))
            if len(frames[0]) + len(frames[1]) == expected:
                writer.write(masked(CLOSE, closing(1000)))
    writer.close()
    return frames


async def echoed(port: int, sent: list[bytes], pieces: list[bytes]) -> Frames:
    """As `answers`, closed in order when each message and ping has been answered."""
    return await answers(port, pieces, expected=sum(frame[0] & 15 in {TEXT, BINARY, PING} for frame in sent))


@pytest.mark.parametrize("case", GOOD)
async def test_messages_are_answered_as_without_the_gateway(case):
    """Fragments, control frames in between, every length's encoding."""
    async with both_ways(compression=None) as ports:
        direct, through = [await echoed(port, GOOD[case], GOOD[case]) for port in ports]
    assert through == direct
    assert direct[1][-1] == plain(CLOSE, closing(1000))


@pytest.mark.parametrize("case", ["5.19 pings between many fragments", "6.2 UTF-8 cut inside of characters"])
async def test_frames_that_come_byte_by_byte(case):
    """Autobahn's chopped variants: no frame is waited for."""
    pieces = [bytes([byte]) for byte in b"".join(GOOD[case])]
    async with both_ways(compression=None) as ports:
        direct, through = [await echoed(port, GOOD[case], pieces) for port in ports]
    assert through == direct


@pytest.mark.parametrize("case", ENDS)
async def test_what_ends_a_connection_ends_it_as_without_the_gateway(case):
    """Bad UTF-8, reserved bits and opcodes, each close code: the upstream judges them, with its own code."""
    async with both_ways(compression=None) as ports:
        direct, through = [(await answers(port, [ENDS[case]]))[1] for port in ports]
    assert through == direct
    assert direct[-1][0] == 0x80 | CLOSE


# ---- the library as the client: what an upstream may say to it


@asynccontextmanager
async def told(*frames: bytes):
    """The library's client, behind the gateway, whose upstream says this; and what the upstream hears then."""
    answer = SWITCH.split(b"Sec-WebSocket-Accept")[0]
    async with raw_upstream() as (port, peers), running(Gate(port), grace=1) as server:
        opening = asyncio.ensure_future(websockets.connect(f"ws://127.0.0.1:{server.port}", compression=None))
        asked, up_reader, up_writer = await peers.get()
        key = next(line[19:] for line in asked.split(b"\r\n") if line.startswith(b"sec-websocket-key: "))
        accept = websockets.utils.accept_key(key.decode()).encode()
        up_writer.write(answer + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        client = await opening
        up_writer.writelines(frames)
        yield client, up_reader, up_writer
        up_writer.close()


async def heard(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Opcode and payload of the next short frame of a client."""
    first, second, *mask = await reader.readexactly(6)
    payload = await reader.readexactly(second & 0x7F)
    return first & 15, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


@pytest.mark.parametrize("code", CODES)
async def test_the_upstreams_close_code_reaches_the_client_and_back(code):
    """Every code that may be sent, with its reason, in both directions."""
    async with told(plain(CLOSE, closing(code, b"why"))) as (client, up_reader, up_writer):
        assert await heard(up_reader) == (CLOSE, closing(code, b"why"))
        up_writer.close()
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (code, "why")


async def test_a_ping_of_the_upstream_between_fragments_is_answered_by_the_client():
    """The tunnel answers no ping itself, and keeps none back."""
    frames = (plain(TEXT, b"a", fin=False), plain(PING, b"p"), plain(0, b"b", fin=False), plain(0, b"c"))
    async with told(*frames) as (client, up_reader, up_writer):
        assert await client.recv() == "abc"
        assert await heard(up_reader) == (PONG, b"p")
        up_writer.close()
        await client.wait_closed()


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (plain(TEXT, WORD[:-1]), 1007),
        (plain(3, b"x"), 1002),
        (plain(CLOSE, b"\x03"), 1002),
        (masked(TEXT, b"x"), 1002),
    ],
)
async def test_the_client_judges_what_the_upstream_says(frame, code):
    """Bad UTF-8, reserved opcodes, half a code, a mask: they arrive, and the client's verdict goes back."""
    async with told(frame) as (client, up_reader, up_writer):
        verdict = asyncio.ensure_future(client.recv())
        opcode, payload = await heard(up_reader)
        assert (opcode, payload[:2]) == (CLOSE, closing(code))
        up_writer.close()
        with pytest.raises(websockets.ConnectionClosedError):
            await verdict


# ---- compression


@pytest.mark.parametrize(
    "offer",
    [
        {},
        {"server_no_context_takeover": True, "client_no_context_takeover": True},
        {"server_max_window_bits": 9, "client_max_window_bits": 9},
    ],
    ids=str,
)
async def test_compression_is_agreed_by_the_ends(offer):
    """Autobahn 12 and 13: permessage-deflate with each of its parameters; the tunnel knows nothing of it."""
    pieces: list[Any] = ["", "a", "äö" * 50_000, os.urandom(70_000), b"\x00" * 2**20, [b"x" * 1000] * 20]
    offers = [ClientPerMessageDeflateFactory(**offer)]
    async with both_ways() as (direct, through):
        for port in (direct, through):
            url = f"ws://127.0.0.1:{port}"
            async with websockets.connect(url, extensions=offers, compression=None, max_size=2**25) as client:
                assert [each.name for each in client.protocol.extensions] == ["permessage-deflate"]
                for piece in pieces:
                    await client.send(piece)
                    assert await client.recv() == (b"".join(piece) if isinstance(piece, list) else piece)


async def test_a_16_mib_message_goes_both_ways_compressed():
    """Autobahn 9 with compression: a message that is small on the wire and large at the ends."""
    message = bytes(range(256)) * 2**16
    async with both_ways() as (_, port):  # noqa: SIM117 - the address comes first
        async with websockets.connect(f"ws://127.0.0.1:{port}", max_size=2**25) as client:
            await client.send(message)
            assert await client.recv() == message
