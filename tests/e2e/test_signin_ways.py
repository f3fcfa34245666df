"""Ways into a sign-in that only a real browser takes: by service workers, from other sites, with long addresses."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import BrowserContext, Page

from gateway.core.asgi import Receive, Scope, Send
from gateway.server import running
from tests.support.certificates import make_authority
from tests.support.chromium import chromium
from tests.support.stack import ADA, PASSWORD, local_stack, two_sites
from tests.support.world import long_address

pytestmark = [pytest.mark.browser, pytest.mark.network]

SECRETS = ["the-test-stack-seals-with-kJ8x2qV0mZ5tR7yB"]
WORKER = """
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", event => event.waitUntil(clients.claim()));
self.addEventListener("fetch", event => event.respondWith(fetch(event.request)));
"""
PAGE = """<!doctype html><title>app</title><link rel="manifest" href="/app.webmanifest">
<form method="post" action="/oauth2/logout"><button>Sign out</button></form>
<script>navigator.serviceWorker.register("/worker.js")
.then(() => navigator.serviceWorker.ready).then(() => document.title = "worked")</script>"""


async def progressive(scope: Scope, receive: Receive, send: Send) -> None:
    """An application whose service worker passes every request on."""
    if scope["type"] != "http":
        return
    kind, body = (b"text/javascript", WORKER) if scope["path"] == "/worker.js" else (b"text/html", PAGE)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": body.encode()})


async def fill_in(page: Page) -> None:
    await page.fill("#signInFormUsername", ADA)
    await page.fill("#signInFormPassword", PASSWORD)
    await page.click("[name=signInSubmitButton]")


async def forget(context: BrowserContext) -> None:
    """Drop the gateway's cookies and the pool's, as if their time were over."""
    await context.clear_cookies()


@pytest.mark.parametrize("site", ["localhost", "two-sites"])
async def test_a_service_worker_that_passes_navigations_on_is_no_obstacle(site, tmp_path):
    """V2: behind `respondWith(fetch(event.request))` an expired session leads to the sign-in page and back, the
    application's button signs out, and another site's form does not."""
    async with running(progressive) as app:
        changes = {"upstreams": [{"url": app.url}]}
        made = (
            local_stack(tmp_path, **changes)
            if site == "localhost"
            else two_sites(tmp_path, make_authority(tmp_path), **changes)
        )
        async with made as stack, chromium(stack.chromium_args) as browser:
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(stack.gateway_url + "/")
            await fill_in(page)
            await page.wait_for_function("document.title === 'worked'")
            await page.wait_for_function("!!navigator.serviceWorker.controller")

            await forget(context)
            await page.goto(stack.gateway_url + "/deep?link=1")
            assert urlsplit(page.url).path == "/login"
            await fill_in(page)
            await page.wait_for_url(stack.gateway_url + "/deep?link=1")
            assert await page.evaluate("!!navigator.serviceWorker.controller")

            stranger = await context.new_page()
            await stranger.set_content(
                f'<form method="post" action="{stack.gateway_url}/oauth2/logout"><button>Free gift</button></form>'
            )
            await stranger.click("button")
            await stranger.wait_for_url(stack.gateway_url + "/oauth2/logout")
            assert "nothing was done" in await stranger.inner_text("body")
            await page.reload()
            assert await page.title() in {"app", "worked"}

            await page.click("text=Sign out")
            await page.wait_for_url("**/login?*")


async def test_strict_cookies_sign_in_at_a_provider_on_another_site(tmp_path):
    """`session.same_site: Strict` and a provider on another site: one sign-in ends at the page that was asked for, and
    tabs that finish later go on with the session that is there."""
    session = {"secrets": SECRETS, "same_site": "Strict"}
    async with (
        two_sites(tmp_path, make_authority(tmp_path), session=session) as stack,
        chromium(stack.chromium_args) as browser,
    ):
        context = await browser.new_context()
        one, two = await context.new_page(), await context.new_page()
        for page, path in ((one, "/one"), (two, "/two")):
            await page.goto(stack.gateway_url + path)
        await fill_in(one)
        await one.wait_for_url(stack.gateway_url + "/one")
        session_cookie = next(c for c in await context.cookies() if c["name"] == "__Host-cg_session")
        await fill_in(two)
        await two.wait_for_url(stack.gateway_url + "/two")

        assert session_cookie["sameSite"] == "Strict"
        assert session_cookie in await context.cookies()
        assert stack.log.getvalue().count('"status":400') == 0


async def test_three_tabs_with_long_addresses_come_back(tmp_path):
    """V5: three tabs, each with an address that no `state` can carry, finish one after the other at their own pages."""
    async with (
        two_sites(tmp_path, make_authority(tmp_path)) as stack,
        chromium(stack.chromium_args) as browser,
    ):
        context = await browser.new_context()
        wanted = [stack.gateway_url + long_address(2800, f"{tab}") for tab in range(3)]
        pages = [await context.new_page() for _ in wanted]
        for page, address in zip(pages, wanted, strict=True):
            await page.goto(address)
            assert urlsplit(page.url).hostname == "login.example"
        for page, address in zip(pages, wanted, strict=True):
            await fill_in(page)
            await page.wait_for_url(address)


@pytest.mark.parametrize("scripts", [True, False])
async def test_a_fragment_survives_a_sign_in_where_somebody_types(scripts, tmp_path):
    """With `sign_in.keep_fragment` the place behind `#` is there again after user name and password; without scripts
    the sign-in works as before."""
    async with (
        two_sites(tmp_path, make_authority(tmp_path), sign_in={"keep_fragment": True}) as stack,
        chromium(stack.chromium_args) as browser,
    ):
        context = await browser.new_context(java_script_enabled=scripts)
        page = await context.new_page()
        await page.goto(stack.gateway_url + "/inbox?a=b#/mail/7?x=ä&y=%20'\"")
        await page.wait_for_url("https://login.example/login?*")
        await fill_in(page)
        await page.wait_for_url(lambda url: url.startswith(stack.gateway_url + "/inbox?a=b"))

        fragment = "#/mail/7?x=%C3%A4&y=%20'%22" if scripts else ""
        assert page.url == stack.gateway_url + f"/inbox?a=b{fragment}"
