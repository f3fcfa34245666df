"""The hosted pages in a real browser, by keyboard alone."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import uvicorn
from playwright.async_api import Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.core.asgi import ASGIApp
from gateway.pool.app import Pool, create_pool
from gateway.pool.options import PasswordPolicy
from gateway.pool.passwords import judge
from gateway.pool.records import AppClient
from gateway.pool.refusals import PoolError
from tests.pool_pages.browser import ASK, CLIENT_ID, PASSWORD
from tests.pool_pages.conftest import Clock, newest_code, pool_options

pytestmark = [pytest.mark.browser, pytest.mark.network]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


class Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextlib.asynccontextmanager
async def served(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """A uvicorn on a socket that is bound already."""
    server = Server(app)
    task = asyncio.create_task(server.serve([listener]))
    try:
        await server.ready.wait()
        yield
    finally:
        server.should_exit = True
        await task


def bound() -> tuple[socket.socket, str]:
    """A listening socket on a free port, and its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, f"http://localhost:{listener.getsockname()[1]}"


def application() -> Starlette:
    """The application: its callback goes on to another address, as a gateway's does."""

    async def callback(request: Request) -> Response:
        return RedirectResponse(f"/welcome?{request.url.query}", 302)

    async def text(request: Request) -> Response:
        return HTMLResponse(f"<h1>{request.url.path}</h1>")

    return Starlette(
        routes=[Route("/callback", callback), Route("/welcome", text), Route("/bye", text), Route("/favicon.ico", text)]
    )


class Keyboard:
    """A person who uses no mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def type(self, *texts: str) -> None:
        """Type into the field that the page focuses and those after it, passing by buttons."""
        await self._focused()
        for number, text in enumerate(texts):
            while number and await self._next() != "INPUT":
                pass
            await self.page.keyboard.type(text)

    async def _focused(self) -> None:
        await self.page.wait_for_function("document.activeElement.tagName === 'INPUT'")

    async def _next(self) -> str:
        await self.page.keyboard.press("Tab")
        return str(await self.page.evaluate("document.activeElement.tagName"))

    async def enter(self, to: str) -> None:
        """Press Enter and arrive at an address."""
        async with self.page.expect_navigation(url=re.compile(to)):
            await self.page.keyboard.press("Enter")

    async def choose(self, words: str, to: str) -> None:
        """Go to a link or button by its words, and press Enter."""
        await self._focused()
        for _ in range(20):
            await self._next()
            if await self.page.evaluate("document.activeElement.textContent.trim()") == words:
                return await self.enter(to)
        raise AssertionError(f"no way to {words!r} by keyboard")


@pytest.fixture
async def journey(database: Path, clock: Clock) -> AsyncIterator[tuple[Page, Pool, str, str]]:
    """A page in Chromium, the pool, its address and the application's."""
    (pool_socket, pool_url), (app_socket, app_url) = bound(), bound()
    client = AppClient(client_id=CLIENT_ID, callback_urls=(f"{app_url}/callback",), logout_urls=(f"{app_url}/bye",))
    pool = create_pool(pool_options(database, base_url=pool_url, clients=(client,)), clock=clock)
    async with (
        pool,
        served(pool, pool_socket),
        served(application(), app_socket),
        async_playwright() as playwright,
        await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*FLAGS]) as chromium,
    ):
        page = await chromium.new_page()
        page.set_default_timeout(20_000)
        yield page, pool, pool_url, app_url


async def test_everything_can_be_done_by_keyboard(journey: tuple[Page, Pool, str, str]) -> None:
    """Sign-up, code, application; signed in without asking; sign-out; sign-in; forgot; and no policy is violated."""
    page, pool, pool_url, app_url = journey
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    ask = f"{pool_url}/oauth2/authorize?{urlencode(ASK | {'redirect_uri': f'{app_url}/callback'})}"
    leave = f"{pool_url}/logout?{urlencode({'client_id': CLIENT_ID, 'logout_uri': f'{app_url}/bye'})}"
    welcome = f"{app_url}/welcome\\?code=.+&state=st4te$"
    keyboard = Keyboard(page)

    await page.goto(ask)
    await keyboard.choose("Sign up", "/signup")
    await keyboard.type("grace@example.com", "Grace Hopper", PASSWORD)
    assert await page.locator(".checklist .passwordCheck-valid-customizable:visible").count() == 6
    await keyboard.enter("/confirm")
    await keyboard.type(newest_code(pool))
    await keyboard.enter(welcome)

    await page.goto(ask)
    assert re.search(welcome, page.url)
    await page.goto(leave)
    assert page.url == f"{app_url}/bye"

    await page.goto(ask)
    await keyboard.type("grace@example.com", PASSWORD)
    await keyboard.enter(welcome)
    await page.goto(leave)

    await page.goto(ask)
    await keyboard.choose("Forgot your password?", "/forgotPassword")
    await keyboard.type("grace@example.com")
    await keyboard.enter("/confirmforgotPassword")
    await keyboard.type(newest_code(pool), "Difference-Engine-2", "Difference-Engine-2")
    await keyboard.enter("/login")
    assert "Your password has been changed." in await page.inner_text("main")
    await keyboard.type("grace@example.com", "Difference-Engine-2")
    await keyboard.enter(welcome)
    assert complaints == []


async def test_a_form_from_another_site_does_nothing(journey: tuple[Page, Pool, str, str]) -> None:
    """R8: a page of the application that posts to the pool's sign-in, with the right pair even, signs nobody in."""
    page, _, pool_url, app_url = journey
    query = urlencode(ASK | {"redirect_uri": f"{app_url}/callback"})
    await page.goto(f"{pool_url}/login?{query}")
    token = await page.input_value("[name=_csrf]")
    await page.goto(f"{app_url}/bye")
    fields = {"_csrf": token, "username": "ada@example.com", "password": PASSWORD}
    async with page.expect_navigation():
        await page.evaluate(
            """([action, fields]) => {
                const form = Object.assign(document.createElement("form"), {method: "post", action});
                for (const [name, value] of Object.entries(fields))
                    form.append(Object.assign(document.createElement("input"), {type: "hidden", name, value}));
                document.body.append(form);
                form.submit();
            }""",
            [f"{pool_url}/login?{query}", fields],
        )
    assert "was not sent from here" in await page.inner_text("main")
    assert all(cookie["name"] != "cognito" for cookie in await page.context.cookies())


async def test_the_password_can_be_shown(journey: tuple[Page, Pool, str, str]) -> None:
    """The button says what it does, to a screen reader too, and the password is hidden again when the form is sent."""
    page, _, pool_url, app_url = journey
    await page.goto(f"{pool_url}/login?{urlencode(ASK | {'redirect_uri': f'{app_url}/callback'})}")
    await page.fill("#signInFormPassword", "Wrong-password-1")
    await page.get_by_role("button", name="Show password").click()
    assert await page.get_attribute("#signInFormPassword", "type") == "text"
    await page.get_by_role("button", name="Hide password").click()
    assert await page.get_attribute("#signInFormPassword", "type") == "password"


PASSWORDS = [
    PASSWORD, "", "aB1!567", "aB1!5678", " aB1!5678", "aB1!5678 ", "\u00a0aB1!5678", "aB1!5678\ufeff", "\u3000aB1!5678",
    "\u2028aB1!5678", "aB1 5678", "aB1  678", " aB15678", "aB1!56e\u0301", "aB1!567\U0001f511",
    "\U0001f511" * 4 + "aB1!", "\U0001f511" * 3 + "aB1!", "aB1!" * 64, "aB1!" * 64 + "a",
    "aB1!" + "\u0958" * 127, "aB1!\x7f5678", "aB1!\x855678",
    "\x1caB1!5678", "\u00e4B1!5678", "AB1!5678", "ab1!5678", "aBc!efgh", "aB\u0661!5678", "aB\uff01\uff11!5678",
    *(f"abcD{symbol}123" for symbol in "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-\u20ac\u00a7\u00a0 "),
]  # fmt: skip


async def test_the_page_says_what_the_server_says(journey: tuple[Page, Pool, str, str]) -> None:
    """The page calls a password good exactly when the server would accept it."""
    page, pool, pool_url, app_url = journey
    await page.clock.install()
    await page.goto(f"{pool_url}/signup?{urlencode(ASK | {'redirect_uri': f'{app_url}/callback'})}")
    said = {}
    for password in PASSWORDS:
        await page.evaluate(
            """(password) => {
                const input = document.getElementById("signUpFormPassword");
                input.value = password;
                input.dispatchEvent(new Event("input"));
            }""",
            password,
        )
        await page.clock.run_for(1000)
        said[password] = await page.text_content("[data-checklist-status]") == "The password meets every requirement"

    assert said == {password: accepted(pool.backend.options.policy, password) for password in PASSWORDS}
    assert set(said.values()) == {True, False}


def accepted(policy: PasswordPolicy, password: str) -> bool:
    """Whether the server takes the password."""
    try:
        judge(policy, password)
    except PoolError:
        return False
    return True
