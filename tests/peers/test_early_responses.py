"""Servers that nobody here wrote respond early to uploads that are never whole: every response is its own request's."""

import asyncio
import random
import re
import shutil
import sys
from asyncio.subprocess import DEVNULL
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.stack import free_port
from tests.support.wire import HOST, Scripted, connected, get, proxied

pytestmark = [pytest.mark.peers, pytest.mark.network]

FOLDER = Path(__file__).parent
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: app.test\r\n\r\n"
ROUNDS = 40
NGINX = """daemon off; master_process off; pid %(folder)s/pid; error_log /dev/null;
events { worker_connections 512; }
http {
  access_log off; client_body_temp_path %(folder)s/body; proxy_temp_path %(folder)s/p; fastcgi_temp_path %(folder)s/f;
  uwsgi_temp_path %(folder)s/u; scgi_temp_path %(folder)s/s;
  server {
    listen 127.0.0.1:%(port)d; client_max_body_size 1g;
    add_header X-For $request_uri always;
    location / { if ($arg_status = 413) { return 413 ok; } if ($arg_status = 302) { return 302 /x; } return 200 ok; }
  }
}
"""
SERVERS = {
    "nginx": "nginx -p {folder} -c {folder}/nginx.conf",
    "gunicorn": "gunicorn -b 127.0.0.1:{port} -k gthread --threads 32 early:wsgi",
    "uvicorn with httptools": "uvicorn --port {port} --http httptools --lifespan off early:asgi",
    "uvicorn with h11": "uvicorn --port {port} --http h11 --lifespan off early:asgi",
    "node": "node early.mjs {port}",
    "go": "{folder}/early {port}",
}


@asynccontextmanager
async def running_upstream(name, folder):
    """The server of that name, as an upstream."""
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX % {"folder": folder, "port": port})
    if name == "go":
        await build_go(folder)
    program, *arguments = SERVERS[name].format(folder=folder, port=port).split()
    process = await asyncio.create_subprocess_exec(
        installed(program), *arguments, stdout=DEVNULL, stderr=DEVNULL, cwd=FOLDER
    )
    try:
        await until_it_listens(port)
        yield Scripted(port=port)
    finally:
        process.terminate()
        await process.wait()


def installed(program):
    """Beside this Python, or anywhere."""
    path = shutil.which(program, path=Path(sys.executable).parent) or shutil.which(program) or f"/usr/sbin/{program}"
    assert Path(path).exists(), f"{program} is missing: `make test-all` and `make test-world` install what they need"
    return path


async def build_go(folder):
    """Not `go run`: what that starts outlives it."""
    build = await asyncio.create_subprocess_exec(
        installed("go"), "build", "-o", str(folder / "early"), "early.go", cwd=FOLDER, stdout=DEVNULL, stderr=DEVNULL
    )
    assert await build.wait() == 0


async def until_it_listens(port):
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def attack(number: int, chance: random.Random) -> list[bytes]:
    """An upload in pieces, whose rest looks like a request; the last piece may be missing."""
    status = chance.choice([200, 201, 302, 400, 401, 404, 413, 500, 503])
    chunked, expects = chance.random() < 0.5, chance.random() < 0.3
    length = len(HIDDEN) + chance.choice([0, 1, 1000])
    framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % length
    head = b"POST /attack%d?status=%d HTTP/1.1\r\n%b%b\r\n" % (number, status, HOST, framing)
    head += b"Expect: 100-continue\r\n\r\n" if expects else b"\r\n"
    cut = chance.randrange(1, len(HIDDEN))
    parts = [HIDDEN[:cut], HIDDEN[cut:]]
    pieces = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts] if chunked else parts
    return [head, *pieces][: chance.randrange(1, 4)]


async def attacker(server, number, chance):
    async with connected(server) as client:
        for piece in attack(number, chance):
            client.writer.write(piece)
            await asyncio.sleep(chance.choice([0, 0.01, 0.03]))


async def user(server, number):
    """Asks for an address of its own."""
    response = await get(server, b"/user%d" % number)
    return re.search(rb"(?i)\r\nx-for: ([^\r]*)\r\n", response), response


@pytest.mark.parametrize(
    "name",
    # Debian's Go is too large for the tier of the others.
    [pytest.param(name, marks=pytest.mark.world) if name == "go" else name for name in SERVERS],
)
async def test_each_response_reaches_the_client_that_asked(name, tmp_path):
    """S1: whatever uploads break off, and whenever, the next user gets the response to their own request."""
    chance = random.Random(7)
    async with running_upstream(name, tmp_path) as upstream, proxied(upstream) as server:
        for number in range(ROUNDS):
            attacks = [attacker(server, 10 * number + each, chance) for each in range(4)]
            users = [user(server, 10 * number + each) for each in range(4)]
            found = (await asyncio.gather(*attacks, *users))[len(attacks) :]
            for each, (target, response) in enumerate(found):
                assert target is not None, response
                assert target[1] == b"/user%d" % (10 * number + each)
                assert b" 200 " in response.split(b"\r\n")[0]
