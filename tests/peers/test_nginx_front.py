"""nginx in front of the gateway, with its default buffers: nothing of a sign-in is too large for it."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.server import running
from tests.support.stack import free_port
from tests.support.world import NAVIGATION, World, long_address

pytestmark = [pytest.mark.peers, pytest.mark.network]

CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass {gateway};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""


async def quiet(scope, receive, send):
    """A lifespan in which nothing happens."""
    for kind in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{kind}.complete"})


@asynccontextmanager
async def nginx(folder, port, gateway):
    """nginx on that port, until the context ends."""
    file = folder / "nginx.conf"
    file.write_text(CONFIG.format(folder=folder, port=port, gateway=gateway))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    process = await asyncio.create_subprocess_exec(
        program, "-p", str(folder), "-c", str(file), "-e", str(folder / "e.log")
    )
    try:
        async with asyncio.timeout(10):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                break
        yield
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("tabs", [1, 3])
async def test_tabs_with_long_addresses_pass_nginx(tabs, tmp_path):
    """V5: three tabs with addresses of 2,900 characters sign in through nginx as it is installed: no 400 for their
    cookies, no 502 for the heads of the responses; a refreshed session passes beside an application's large head."""
    port = free_port()
    world = World(
        {
            "public_url": f"http://localhost:{port}",
            "trusted_proxies": ["127.0.0.1"],
            "headers": {"x-token": "${access_token}", "x-user": "${sub}"},
        }
    )
    wanted = [long_address(2900, f"{tab}") for tab in range(tabs)]
    async with (
        running(world.gateway, lifespan=quiet) as server,
        nginx(tmp_path, port, server.url),
        httpx.AsyncClient(base_url=f"http://localhost:{port}", headers=NAVIGATION) as browser,
    ):
        starts = [await browser.get(address) for address in wanted]
        assert [start.status_code for start in starts] == [302] * tabs
        for start, address in zip(starts, wanted, strict=True):
            back = await browser.get(world.provider.sign_in(start.headers["location"]))
            assert back.status_code in {200, 302}, back.text
            assert address in (back.headers.get("location") or back.text)
        world.app.headers = [(b"content-security-policy", b"x" * 3400)]
        world.now += 3200
        page = await browser.get("/")
        world.app.headers = []
        image = await browser.get("/logo.png")

    assert len(browser.cookies["cg_session"]) > 700
    assert (page.status_code, image.status_code) == (200, 200)
    assert "cg_session" in image.headers["set-cookie"]
    assert urlsplit(str(page.url)).path == "/"
