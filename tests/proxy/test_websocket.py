"""WebSocket handshakes through the gateway's server: raw bytes over real sockets."""

import asyncio

import pytest

from gateway.errors import BadUpstreamAnswer, UpstreamTimeout
from gateway.proxy.handshake import accept_key, handshake_request
from gateway.proxy.websocket import WebSocketUpstream, forward, is_origin_allowed
from gateway.server import Limits, running
from tests.support.raw_http import head, status, statuses, talk
from tests.support.tunnels import ACCEPT, KEY, SWITCH, Gate, handshake, raw_upstream, tunnelled

pytestmark = pytest.mark.network


async def test_the_handshake_travels_with_its_lines():
    """Raw path and query byte for byte, Sec-WebSocket-* untouched and in order, hop-by-hop lines made new."""
    lines = (b"Sec-WebSocket-Protocol: a, b", b"Sec-WebSocket-Extensions: x; y=1", b"X-User: ada", b"X-Drop: 1")
    async with raw_upstream(SWITCH) as (port, peers), running(Gate(port)) as server:
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake(*lines, connection=b"keep-alive, Upgrade, X-Drop", path=b"/a%2Fb//c;d?q=%20&r"))
        asked, *_ = await peers.get()
        assert asked == (
            b"GET /a%2Fb//c;d?q=%20&r HTTP/1.1\r\nhost: app.test\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
            b"sec-websocket-key: " + KEY + b"\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: a, b\r\n"
            b"sec-websocket-extensions: x; y=1\r\nx-user: ada\r\n\r\n"
        )
        writer.transport.abort()


@pytest.mark.parametrize(
    "connection", [b"keep-alive, Upgrade", b"UPGRADE", b"upgrade,keep-alive", b"x\r\nConnection: upgrade"]
)
async def test_connection_is_a_list(connection):
    """Q15: `Connection: keep-alive, Upgrade` (Firefox) is a WebSocket request."""
    async with raw_upstream(SWITCH) as (port, peers), running(Gate(port)) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake(connection=connection))
        await peers.get()
        assert status(await reader.readuntil(b"\r\n\r\n")) == 101
        writer.transport.abort()


# ---- refusals


async def test_a_refused_handshake_is_passed_on_and_nothing_is_tunnelled_after_it():
    """#1347: upgrade to a path that is no WebSocket, then `GET /admin` with forged headers on the same connection."""
    refusal = (
        b"HTTP/1.1 404 Not Found\r\nX-Why: none\r\nKeep-Alive: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"4\r\nnope\r\n0\r\nT: x\r\n\r\n"
    )
    async with raw_upstream(refusal) as (port, peers):
        gate = Gate(port)
        async with running(gate) as server:
            said = await talk(
                server, handshake() + b"GET /admin HTTP/1.1\r\nHost: h\r\nX-Forwarded-User: admin\r\n\r\n"
            )
            _, up_reader, _ = await peers.get()
            assert await up_reader.read() == b""
    assert (statuses(said), said.split(b"\r\n\r\n", 1)[1]) == ([404], b"nope")
    assert (head(said)[b"x-why"], head(said)[b"connection"]) == (b"none", b"close")
    assert not {b"keep-alive", b"transfer-encoding"} & set(head(said))
    assert gate.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        SWITCH.replace(ACCEPT, b"x" * 28),
        SWITCH.replace(b"Upgrade: websocket\r\n", b""),
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 404 X\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    ],
)
async def test_answers_that_are_no_answers_are_502(answer):
    """F2: a 101 that does not match the key, or switches to nothing, or what is not HTTP: the tunnel never opens."""
    async with raw_upstream(answer) as (port, _):
        gate = Gate(port)
        async with running(gate) as server:
            assert status(await talk(server, handshake())) == 502
        assert isinstance(gate.errors[0], BadUpstreamAnswer)


async def test_a_200_to_an_upgrade_is_no_tunnel():
    """F2 (Envoy CVE-2024-23326): an ordinary answer is passed on as one."""
    async with (
        raw_upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (port, _),
        running(Gate(port)) as server,
    ):
        said = await talk(server, handshake() + b"\x81\x80\x00\x00\x00\x00")
    assert (statuses(said), said[-2:]) == ([200], b"ok")


async def test_informational_answers_are_skipped():
    """A 100 or 103 before the 101 changes nothing."""
    async with tunnelled(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + SWITCH):
        pass


async def test_an_upstream_that_says_nothing_is_504_in_time():
    """Bounded time; the upstream connection is closed."""
    async with raw_upstream(b"HTTP/1.1 101") as (port, peers):
        gate = Gate(port, first_byte_seconds=0.1)
        async with running(gate) as server:
            assert status(await talk(server, handshake())) == 504
            assert await (await peers.get())[1].read() == b""
        assert isinstance(gate.errors[0], UpstreamTimeout)


async def test_a_refusal_that_breaks_off_is_seen_as_incomplete():
    """A well-formed short answer would be a lie."""
    cut = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\nsome"
    async with raw_upstream(cut, then_close=True) as (port, _):
        gate = Gate(port)

        async def app(scope, receive, send):
            await forward(scope, receive, send, WebSocketUpstream(connect=gate.connect))

        async with running(app) as server:
            reader, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(handshake())
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(10_000)
            writer.close()


async def test_a_client_that_leaves_ends_the_attempt():
    """The upstream is not asked on behalf of nobody."""
    async with raw_upstream() as (port, peers):
        gate = Gate(port)
        async with running(gate) as server:
            _, writer = await asyncio.open_connection(server.host, server.port)
            writer.write(handshake())
            _, up_reader, _ = await peers.get()
            writer.close()
            assert await up_reader.read() == b""
            await asyncio.wait_for(gate.ended.wait(), 5)


async def test_a_handshake_with_a_body_or_in_a_queue_is_refused():
    """F2: `Upgrade` with a body; and an upgrade behind a request that is not answered yet."""
    gate = Gate(1)
    async with running(gate, limits=Limits(linger_seconds=0.2)) as server:
        assert status(await talk(server, handshake(b"Content-Length: 5") + b"GET /")) == 400
        assert status(await talk(server, handshake(b"Transfer-Encoding: chunked") + b"0\r\n\r\n")) == 400
    assert gate.handshakes == []


# ---- the Origin


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        *[
            (origin, True)
            for origin in (b"https://app.test", b"http://APP.test", b"https://app.test:443", b"https://public.test")
        ],
        *[(origin, True) for origin in (b"https://friend.test",)],
        *[
            (origin, False)
            for origin in (b"https://app.test.evil", b"https://evil.test", b"null", b"", b"https://app.test:444")
        ],
        *[
            (origin, False)
            for origin in (b"https://u@app.test", b"https://app.test/", b"file://app.test", b"app.test", b"//app.test")
        ],
        *[(origin, False) for origin in (b"https://[", b"https://app.test, https://evil.test")],
    ],
)
def test_pages_of_other_hosts_open_no_websocket(origin, allowed):
    """Cross-site WebSocket hijacking: cookies travel with a handshake, and no CORS check stands before it."""
    headers = [(b"host", b"app.test"), (b"x-forwarded-host", b"public.test"), (b"origin", origin)]
    assert is_origin_allowed(headers, frozenset({"https://friend.test"})) is allowed
    assert is_origin_allowed(headers, None)


def test_programs_send_no_origin_and_nobody_sends_two():
    """A missing Origin is a program's; two are nobody's."""
    assert is_origin_allowed([(b"host", b"a")], frozenset())
    assert not is_origin_allowed([(b"host", b"a"), (b"origin", b"http://a"), (b"origin", b"http://a")], frozenset())


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("page", ["http", "https"])
@pytest.mark.parametrize("host", [b"app.test", b"public.test"])
def test_a_page_without_encryption_opens_no_websocket_of_an_encrypted_site(scheme, page, host):
    """U11: whoever sits in the network writes pages of `http://app.test`; they are not pages of `https://app.test`."""
    place = [(b"host", b"app.test"), (b"x-forwarded-host", b"public.test"), (b"x-forwarded-proto", scheme.encode())]
    headers = [*place, (b"origin", page.encode() + b"://" + host)]
    assert is_origin_allowed(headers, frozenset()) is (scheme == page)
    assert is_origin_allowed(headers, frozenset({headers[-1][1].decode()}))


async def test_a_foreign_origin_is_403_and_reaches_no_upstream():
    """The default allows the request's own host alone."""
    async with raw_upstream(SWITCH) as (port, peers), running(Gate(port)) as server:
        assert status(await talk(server, handshake(b"Origin: https://evil.test"))) == 403
        assert peers.empty()


# ---- pieces


async def test_without_the_extension_the_answer_is_501():
    """On a foreign server the stand-alone proxy cannot tunnel, and says so."""
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    async def connect(factory):
        raise AssertionError

    scope = {"type": "websocket", "headers": [], "extensions": {"websocket.http.response": {}}}
    await forward(scope, receive, send, WebSocketUpstream(connect=connect))
    assert sent[0]["status"] == 501
    sent.clear()
    await forward({"type": "websocket", "headers": []}, receive, send, WebSocketUpstream(connect=connect))
    assert sent == [{"type": "websocket.close", "code": 1011}]


def test_the_accept_key_is_the_rfcs():
    """RFC 6455 §1.3's example."""
    assert accept_key([(b"sec-websocket-key", KEY)]) == ACCEPT


@pytest.mark.parametrize("value", [b"a\r\nb", b"a\nb", b"a\x00b"])
def test_a_line_that_would_split_the_head_is_an_error(value):
    """A20: whatever put it there."""
    scope = {"raw_path": b"/", "query_string": b"", "headers": [(b"host", b"h"), (b"x", value)]}
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        handshake_request(scope, None)


def test_the_host_can_be_replaced():
    """Host policy."""
    scope = {"raw_path": b"/", "query_string": b"", "headers": [(b"host", b"h")]}
    assert b"host: upstream:80\r\n" in handshake_request(scope, b"upstream:80")


@pytest.mark.parametrize("size", [1, 32_000, 40_000, 150_000, 1_000_000])
@pytest.mark.parametrize("padding", [0, 20_000])
async def test_bytes_in_the_segment_of_a_handshake_reach_the_tunnel(size, padding, caplog):
    """T3: frames that come with the handshake, more than a head may have: every byte arrives, once and in order."""
    early = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with raw_upstream(SWITCH) as (port, peers), running(Gate(port)) as server, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake(b"X-Padding: " + b"a" * padding) + early)
        _, up_reader, _ = await peers.get()
        assert status(await reader.readuntil(b"\r\n\r\n")) == 101
        assert await up_reader.readexactly(size) == early
        writer.transport.abort()
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("size", [40_000, 1_000_000])
async def test_bytes_in_the_segment_of_a_refused_handshake_end_in_a_refusal(size, caplog):
    """T3: the client still gets its refusal, whole, and nothing of what it sent is read as a request."""
    refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    smuggled = b"GET /admin HTTP/1.1\r\nHost: h\r\n\r\n"
    async with raw_upstream(refusal) as (port, _peers):
        gate = Gate(port)
        async with running(gate) as server:
            said = await talk(server, handshake() + smuggled * (size // len(smuggled)))
    assert (statuses(said), said[-2:], gate.requests) == ([403], b"no", [])
    assert "Traceback" not in caplog.text
