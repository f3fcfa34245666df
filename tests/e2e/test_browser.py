"""The whole line in a real browser: gateway, sign-in at the pool, gateway, application."""

import asyncio
import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Request, expect

from tests.support.certificates import make_authority
from tests.support.chromium import chromium
from tests.support.stack import ADA, PASSWORD, local_stack, two_sites

pytestmark = [pytest.mark.browser, pytest.mark.network]

SITES = ["localhost", "two-sites"]


@pytest.fixture(params=SITES)
async def stack(request, tmp_path):
    """The stack on ports of localhost (one site), and on two sites over https."""
    if request.param == "localhost":
        async with local_stack(tmp_path) as stack:
            yield stack
    else:
        async with two_sites(tmp_path, make_authority(tmp_path)) as stack:
            yield stack


@pytest.fixture
async def browser(stack):
    async with chromium(stack.chromium_args) as browser:
        yield browser


async def fill_in(page: Page, password: str = PASSWORD, user: str = ADA) -> None:
    await page.fill("#signInFormUsername", user)
    await page.fill("#signInFormPassword", password)
    await page.click("[name=signInSubmitButton]")


async def test_sign_up_code_greeting_sign_out_sign_in_forgot(stack, browser):
    """The newcomer's whole path: sign up, e-mailed code, greeted by name, sign out asks for the password again, and a
    forgotten password is replaced."""
    page = await browser.new_page()
    await page.goto(stack.gateway_url + "/?deep=link")
    assert urlsplit(page.url).path == "/login"
    await page.click("text=Sign up")
    await page.fill("[name=username]", "grace@example.com")
    await page.fill("[name='requiredAttributes[name]']", "Grace Hopper")
    await page.fill("[name=password]", "Nanosecond-1906")
    await page.click("[name=signUpButton]")
    await page.fill("#verification_code", stack.code())
    await page.click("text=Confirm account")
    await page.wait_for_url(stack.gateway_url + "/?deep=link")
    await expect(page.locator("body")).to_contain_text("Grace Hopper")
    await expect(page.locator("body")).to_contain_text("grace@example.com")

    await page.click("text=Sign out")
    await page.wait_for_url("**/login?*")
    await fill_in(page, "Nanosecond-1906", "grace@example.com")
    await expect(page.locator("body")).to_contain_text("Grace Hopper")

    await page.click("text=Sign out")
    await page.wait_for_url("**/login?*")
    await page.click("text=Forgot your password?")
    await page.fill("[name=username]", "grace@example.com")
    await page.click("[name=reset_my_password]")
    await page.fill("#forgot_password_code", stack.code())
    await page.fill("#new_password", "Compiler-A0-1952")
    await page.fill("#confirm_password", "Compiler-A0-1952")
    await page.click("[name=reset_password]")
    await page.wait_for_url("**/login?*")
    await fill_in(page, "Compiler-A0-1952", "grace@example.com")
    await expect(page.locator("body")).to_contain_text("Grace Hopper")


async def test_two_cold_requests_before_either_is_answered_both_finish(stack, browser):
    """Two tabs opened at once, without any cookie yet, both come back to the page that they asked for."""
    context = await browser.new_context()
    first, second = await context.new_page(), await context.new_page()
    await asyncio.gather(first.goto(stack.gateway_url + "/?tab=1"), second.goto(stack.gateway_url + "/?tab=2"))

    await fill_in(first)
    await first.wait_for_url(stack.gateway_url + "/?tab=1")
    await fill_in(second)
    await second.wait_for_url(stack.gateway_url + "/?tab=2")

    await expect(second.locator("body")).to_contain_text("Ada Lovelace")


async def test_the_page_s_script_never_sees_a_token(stack, browser):
    """What runs in the page sees no cookie of ours, and no address that it could read held a token."""
    page = await browser.new_page()
    seen: list[str] = []

    def note(request: Request) -> None:
        seen.append(request.url)

    page.on("request", note)
    await page.goto(stack.gateway_url + "/")
    await fill_in(page)
    await page.wait_for_url(stack.gateway_url + "/")

    assert await page.evaluate("document.cookie") == ""
    assert "eyJ" not in await page.content()
    assert not [url for url in seen if "eyJ" in url]


async def test_cookies_are_as_strict_as_the_site_allows(stack, browser):
    """Every cookie of the gateway is HttpOnly and Lax; over https also Secure and `__Host-`."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(stack.gateway_url + "/")
    await fill_in(page)
    await page.wait_for_url(stack.gateway_url + "/")

    ours = [cookie for cookie in await context.cookies(stack.gateway_url) if "cg_" in cookie["name"]]
    https = stack.gateway_url.startswith("https")

    assert "session" in str([cookie["name"] for cookie in ours])
    for cookie in ours:
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"
        assert cookie["secure"] is https
        assert cookie["name"].startswith("__Host-") is https


async def test_the_back_button_and_a_reload_after_sign_in_do_no_harm(stack, browser):
    """Going back to the sign-in page and signing in again, or reloading the callback's target, ends signed in."""
    page = await browser.new_page()
    await page.goto(stack.gateway_url + "/?page=1")
    await fill_in(page)
    await page.wait_for_url(stack.gateway_url + "/?page=1")
    await page.reload()
    await expect(page.locator("body")).to_contain_text("Ada Lovelace")

    await page.go_back()
    if "/login" in page.url:
        await fill_in(page)
    await page.goto(stack.gateway_url + "/?page=2")

    await expect(page.locator("body")).to_contain_text("Ada Lovelace")


async def test_a_wrong_password_stays_on_the_page(stack, browser):
    """The pool says that it was wrong, without saying what; the next try signs in and returns to the deep link."""
    page = await browser.new_page()
    await page.goto(stack.gateway_url + "/?x=1")
    await fill_in(page, "not-the-password-1A")
    await expect(page.locator("#loginErrorMessage")).to_contain_text("Incorrect username or password.")

    await fill_in(page)

    await page.wait_for_url(stack.gateway_url + "/?x=1")


async def test_a_script_gets_json_and_a_websocket_is_refused(stack, browser):
    """A page of the application whose session ended: fetch gets 401 and JSON, a WebSocket does not open."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(stack.gateway_url + "/")
    await fill_in(page)
    await page.wait_for_url(stack.gateway_url + "/")
    await page.goto(stack.gateway_url + "/headers")  # a page without a policy against scripts
    await context.clear_cookies()

    answer = await page.evaluate("fetch('/echo').then(async r => [r.status, await r.json()])")
    socket = await page.evaluate(
        "new Promise(done => { const s = new WebSocket(location.origin.replace('http', 'ws') + '/ws');"
        " s.onopen = () => done('open'); s.onerror = () => done('refused') })"
    )

    assert answer[0] == 401
    assert answer[1]["error"] == "unauthorized"
    assert socket == "refused"


async def test_a_websocket_of_a_signed_in_page_echoes(stack, browser):
    """WebSocket both ways, text and binary apart, through the tunnel."""
    page = await browser.new_page()
    await page.goto(stack.gateway_url + "/")
    await fill_in(page)
    await page.wait_for_url(stack.gateway_url + "/")
    await page.goto(stack.gateway_url + "/headers")  # a page without a policy against scripts

    echoed = await page.evaluate(
        """new Promise((done, failed) => {
            const s = new WebSocket(location.origin.replace('http', 'ws') + '/ws'); s.binaryType = 'arraybuffer';
            const got = []; s.onerror = failed; s.onclose = (e) => done([...got, e.code]);
            s.onopen = () => { s.send('grüße'); s.send(new Uint8Array([0, 255])); };
            s.onmessage = (e) => { got.push(typeof e.data === 'string' ? e.data : [...new Uint8Array(e.data)]);
                                   if (got.length === 2) s.close(4000, 'done'); };
        })"""
    )

    assert echoed == ["grüße", [0, 255], 4000]


async def test_everything_works_without_javascript(stack, browser):
    """Sign-in and sign-out need no script in the browser."""
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(stack.gateway_url + "/")
    await fill_in(page)
    await page.wait_for_url(stack.gateway_url + "/")
    await page.click("text=Sign out")

    await page.wait_for_url("**/login?*")


async def test_the_sign_out_page_of_the_gateway_signs_out(stack, browser):
    """A plain link to the sign-out address asks first; its button ends both sessions."""
    page = await browser.new_page()
    await page.goto(stack.gateway_url + "/")
    await fill_in(page)
    await page.wait_for_url(stack.gateway_url + "/")
    await page.goto(stack.gateway_url + "/oauth2/logout")
    await page.get_by_role("button", name="Sign out").click()

    await page.wait_for_url("**/login?*")


async def test_no_secret_reaches_the_log(stack, browser):
    """H4: a whole visit later the log holds no code, token, cookie or e-mail address."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(stack.gateway_url + "/")
    await fill_in(page)
    await page.wait_for_url(stack.gateway_url + "/")
    session = next(cookie for cookie in await context.cookies() if cookie["name"].endswith("cg_session"))

    log = stack.log.getvalue()

    assert '"event":"request"' in log
    assert session["value"][:40] not in log
    assert not re.search(r"eyJ|@|code=|state=", log)
