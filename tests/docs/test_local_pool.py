"""The local pool of docs/getting-started.md: its two files, as they stand there, sign somebody in and out."""

import io
import re
from html import unescape

import httpx
import pytest

from gateway.app import Gateway
from gateway.app_pool import build_pool
from gateway.settings.load import loads, loads_pool
from tests.support.documentation import ENVIRON, blocks
from tests.support.world import NAVIGATION, Noting

NOW = 1_800_000_000.0


@pytest.fixture
def files():
    """`pool.yaml` and `gateway.yaml` of the page."""
    texts = [block.text for block in blocks("yaml", "docs/getting-started.md") if "LocalPool1" in block.text]
    pool, gateway = texts
    return pool.encode(), gateway.encode()


@pytest.fixture
async def place(files, tmp_path, monkeypatch):
    """A browser that reaches both by their addresses on the page, and the application behind the gateway."""
    monkeypatch.chdir(tmp_path)
    pool = build_pool(loads_pool(files[0], "pool.yaml", ENVIRON, tmp_path), clock=lambda: NOW)
    app = Noting()
    async with pool, httpx.AsyncClient(transport=httpx.ASGITransport(pool)) as back_channel:
        settings = loads(files[1], "gateway.yaml", ENVIRON, tmp_path)
        gateway = Gateway(app, settings, clock=lambda: NOW, log=io.StringIO(), http=back_channel)
        mounts = {
            "http://localhost:8000": httpx.ASGITransport(gateway),
            "http://localhost:8001": httpx.ASGITransport(pool),
        }
        async with httpx.AsyncClient(mounts=mounts, headers=NAVIGATION, follow_redirects=True) as browser:
            yield browser, app


async def sign_in(browser: httpx.AsyncClient) -> httpx.Response:
    """Fill in the pool's form."""
    page = await browser.get("http://localhost:8000/")
    action = re.search(r'<form[^>]*action="([^"]+)"', page.text)
    csrf = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert action
    assert csrf
    form = {"username": "ada@example.com", "password": ENVIRON["ADA_PASSWORD"], "_csrf": csrf[1]}
    return await browser.post(page.url.join(unescape(action[1])), data=form)


async def test_ada_signs_in_and_the_service_learns_who_she_is(place):
    """The four headers of the page arrive, with her name and her group."""
    browser, app = place
    answer = await sign_in(browser)
    assert answer.url == "http://localhost:8000/"
    assert answer.text == "the application"
    assert app.last[b"x-forwarded-email"] == b"ada@example.com"
    assert app.last[b"x-forwarded-name"] == b"Ada Lovelace"
    assert app.last[b"x-forwarded-groups"] == b"admins"


async def test_signing_out_asks_for_the_password_again(place):
    """The registered sign-out address is the one that the gateway names, and the pool's session ends too."""
    browser, _ = place
    await sign_in(browser)
    question = await browser.get("http://localhost:8000/oauth2/logout")
    token = re.search(r'name="csrf_token" value="([^"]+)"', question.text)
    assert token
    answer = await browser.post("http://localhost:8000/oauth2/logout", data={"csrf_token": token[1]})
    assert answer.url.path == "/login"
    assert [hop.url.path for hop in answer.history] == ["/oauth2/logout", "/logout", "/", "/oauth2/authorize"]
