"""Starting and stopping."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.server import Running, running
from tests.support.raw_http import Recorder, head, status, talk

pytestmark = pytest.mark.network
ROOT = Path(__file__).parents[2]
GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


async def test_several_servers_run_in_one_loop():
    """The demo runs three; each has a port of its own and answers with a date."""
    async with running(Recorder()) as one, running(Recorder()) as two:
        assert one.port != two.port
        for server in (one, two):
            said = await talk(server, GET)
            assert status(said) == 200
            assert b"date" in head(said)
            assert b"server" not in head(said)


async def test_the_lifespan_is_around_it():
    """An application opens its resources before the first request and closes them after the last."""
    events = []

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = await receive()
                events.append(message["type"])
                await send({"type": message["type"] + ".complete"})
        else:
            events.append("request")
            await Recorder()(scope, receive, send)

    async with running(app) as server:
        await talk(server, GET)
    assert events == ["lifespan.startup", "request", "lifespan.shutdown"]


async def test_an_application_that_does_not_start_is_an_error():
    """The process is not left: a part of a program that runs several must be able to say what failed."""

    async def app(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match="did not start"):
        async with running(app):
            pass


async def test_a_port_in_use_is_an_os_error():
    """A clear error, for a clear message."""
    async with running(Recorder()) as server:
        with pytest.raises(OSError, match="in use"):
            async with running(Recorder(), port=server.port):
                pass


async def test_stopping_ends_idle_connections_and_finishes_answers():
    """A request in flight is answered when its time suffices; idle connections are closed."""
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def app(scope, receive, send):
        if scope["type"] == "http":
            entered.set()
            await go_on.wait()
            await Recorder()(scope, receive, send)

    async with running(app) as server:
        idle, idle_writer = await asyncio.open_connection(server.host, server.port)
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await entered.wait()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
    said = await reader.read()
    assert (status(said), head(said)[b"connection"]) == (200, b"close")
    assert await idle.read() == b""
    writer.close()
    idle_writer.close()


async def test_stopping_does_not_wait_for_ever():
    """After the grace time what still runs is cancelled."""
    cancelled = asyncio.Event()

    async def app(scope, receive, send):
        if scope["type"] == "http":
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    async with running(app, grace=0.05) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(GET)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.05)
    assert cancelled.is_set()
    writer.close()


def test_urls():
    """IPv6 addresses have brackets in a URL."""
    assert Running("127.0.0.1", 80).url == "http://127.0.0.1:80"
    assert Running("::1", 8443, "https").url == "https://[::1]:8443"


PROGRAM = """
from gateway.server import serve

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"].endswith("shutdown"):
                return
    import os
    text = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})

def make():
    return app

if __name__ == "__main__":
    serve(make, factory=True, port=PORT, workers=WORKERS)
"""


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_command_line_serves_until_a_signal(workers, tmp_path, anyio_backend):
    """`serve` answers with one worker and with several, and SIGTERM ends all of it."""
    if anyio_backend[1]["use_uvloop"]:
        return  # the process chooses its own loop
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace("PORT", str(port)).replace("WORKERS", str(workers)))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(  # noqa: ASYNC220 - starting one takes no time
        [sys.executable, program], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        said = await first_answer(port)
        assert status(said) == 200
        assert (int(said.split(b"\r\n\r\n")[1]) == process.pid) is (workers == 1)
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 15)
    finally:
        process.kill()
        process.wait()


async def first_answer(port: int) -> bytes:
    async with asyncio.timeout(20):
        while True:
            try:
                return await talk(Running("127.0.0.1", port), GET)
            except OSError:
                await asyncio.sleep(0.05)
