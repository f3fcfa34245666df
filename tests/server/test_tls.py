"""The server over TLS: the same answers, limits and tunnels, where no connection can be half open."""

import asyncio
import socket
import ssl
import threading

import pytest
import websockets
from websockets.asyncio.server import serve

from gateway.server import Limits, running
from tests.support.certificates import make_authority
from tests.support.raw_http import Recorder, head, status, statuses
from tests.support.tunnels import SWITCH, Gate, echo, handshake, raw_upstream

pytestmark = pytest.mark.network
GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def certificate(authority):
    """As `running` takes it."""
    return str(authority.certificate), str(authority.key)


@pytest.fixture
def trust(authority):
    """As a client takes it."""
    return ssl.create_default_context(cafile=str(authority.ca_file))


async def connected(server, trust):
    return await asyncio.open_connection(server.host, server.port, ssl=trust, server_hostname="localhost")


async def talk(server, trust, sent, seconds=5):
    """Everything that comes back until the server closes."""
    reader, writer = await connected(server, trust)
    writer.write(sent)
    try:
        async with asyncio.timeout(seconds):
            return await reader.read()
    finally:
        writer.transport.abort()


async def test_requests_are_answered_and_known_as_https(certificate, trust):
    """Keep-alive and pipelining; the application sees the scheme."""
    app = Recorder()
    async with running(app, certificate=certificate) as server:
        said = await talk(server, trust, GET + b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + LAST)
    assert statuses(said) == [200, 200, 200]
    assert [scope["scheme"] for scope in app.scopes] == ["https"] * 3
    assert server.url == f"https://127.0.0.1:{server.port}"


async def test_a_large_body_goes_up_and_down(certificate, trust):
    """Back-pressure through the TLS layer: nothing is lost."""

    async def app(scope, receive, send):
        body, more = b"", True
        while scope["type"] == "http" and more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    size = 2**22
    sent = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    async with running(app, certificate=certificate) as server:
        said = await talk(server, trust, sent)
    assert len(said.split(b"\r\n\r\n", 1)[1]) == size


@pytest.mark.parametrize(
    ("sent", "expected"),
    [(b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414)],
)
async def test_a_refusal_can_be_read(sent, expected, certificate, trust):
    """TLS has no half-open connection: the answer goes first, and then the close_notify."""
    app = Recorder()
    async with running(app, certificate=certificate) as server:
        said = await talk(server, trust, sent + b"x" * 1000)
    assert (statuses(said), head(said)[b"connection"]) == ([expected], b"close")
    assert not app.reached


async def test_a_response_before_the_end_of_an_upload_can_be_read(certificate, trust):
    """A client that reads only when it has sent everything, long after the response."""

    async def early(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"5")]})
            await send({"type": "http.response.body", "body": b"large"})
            responded.set()

    def upload(port):
        sock = socket.create_connection(("127.0.0.1", port))
        with trust.wrap_socket(sock, server_hostname="localhost") as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3200000\r\n\r\n")
            assert responded.wait(5)
            for _ in range(100):
                client.sendall(b"x" * 32_000)
            response = client.recv(65_536)
            return response if response.endswith(b"large") else response + client.recv(65_536)

    responded = threading.Event()
    async with running(early, certificate=certificate) as server:
        response = await asyncio.to_thread(upload, server.port)
    assert status(response) == 413
    assert response.endswith(b"large")


async def test_plain_http_on_the_port_and_silence_are_nobodys_request(certificate):
    """No answer in clear, and no connection that stays."""
    app = Recorder()
    async with running(app, certificate=certificate) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(GET)
        try:
            said = await asyncio.wait_for(reader.read(), 5)
        except ConnectionResetError:
            said = b""
        writer.close()
    assert not said.startswith(b"HTTP")
    assert not app.reached


async def test_a_head_that_takes_too_long_is_408(certificate, trust):
    """Deadlines count the same."""
    async with running(Recorder(), certificate=certificate, limits=Limits(header_seconds=0.2)) as server:
        assert status(await talk(server, trust, b"GET / HT")) == 408


@pytest.mark.parametrize("inner", [False, True], ids=["tunnelled", "both tunnelled over TLS"])
async def test_websockets_are_tunnelled(inner, authority, certificate, trust):
    """wss: messages of 1 MiB both ways, the client's close code; with an upstream over TLS as well."""
    behind = None
    if inner:
        behind = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        behind.load_cert_chain(authority.certificate, authority.key)
    async with serve(echo, "127.0.0.1", 0, max_size=2**25, ssl=behind) as upstream:
        gate = Gate(upstream.sockets[0].getsockname()[1], tls=trust if inner else None)
        async with running(gate, certificate=certificate, grace=1) as server:
            url = f"wss://localhost:{server.port}"
            async with websockets.connect(url, host="127.0.0.1", ssl=trust, max_size=2**25) as ws:
                for message in ("hello", b"\x00\xff" * 2**19):
                    await ws.send(message)
                    assert await ws.recv() == message
                await ws.close(4000, "enough")
            assert (ws.close_code, ws.close_reason) == (4000, "enough")
            await asyncio.wait_for(gate.gone.wait(), 5)


async def test_the_gateway_closes_a_tunnel(certificate, trust):
    """4401 between two frames."""
    async with serve(echo, "127.0.0.1", 0) as upstream:
        gate = Gate(upstream.sockets[0].getsockname()[1])
        async with running(gate, certificate=certificate, grace=1) as server:
            ws = await websockets.connect(f"wss://localhost:{server.port}", host="127.0.0.1", ssl=trust)
            gate.tunnel.close(4401)
            with pytest.raises(websockets.ConnectionClosedError):
                await ws.recv()
            assert ws.close_code == 4401
            await asyncio.wait_for(gate.gone.wait(), 5)


async def test_stopping_says_going_away(certificate, trust):
    """1001 before the connection is closed."""
    async with serve(echo, "127.0.0.1", 0) as upstream:
        gate = Gate(upstream.sockets[0].getsockname()[1])
        async with running(gate, certificate=certificate, grace=2) as server:
            ws = await websockets.connect(f"wss://localhost:{server.port}", host="127.0.0.1", ssl=trust)
            reading = asyncio.ensure_future(ws.recv())
        with pytest.raises(websockets.ConnectionClosedOK):
            await reading
        assert ws.close_code == 1001


async def test_a_client_that_reads_nothing_is_cut_in_time(certificate, trust):
    """The write timeout is the socket's, below TLS."""
    async with raw_upstream(SWITCH) as (port, peers):
        gate = Gate(port)
        async with running(gate, certificate=certificate, limits=Limits(write_seconds=0.2)) as server:
            _, writer = await connected(server, trust)
            writer.write(handshake())
            _, _, up_writer = await peers.get()
            writer.transport.pause_reading()
            up_writer.write(b"\x82\x7f" + (2**26).to_bytes(8, "big") + b"x" * 2**26)
            await asyncio.wait_for(gate.gone.wait(), 10)
            up_writer.transport.abort()
            writer.transport.abort()
