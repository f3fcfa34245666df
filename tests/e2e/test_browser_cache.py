"""What a real browser shows of a former user's pages."""

import pytest
from playwright.async_api import Page

from tests.support.certificates import make_authority
from tests.support.chromium import chromium
from tests.support.stack import ADA, PASSWORD, local_stack, two_sites

pytestmark = [pytest.mark.browser, pytest.mark.network]

PAGE = """<!doctype html><title>Desk</title><p>The desk of {}</p>
<form method="post" action="/oauth2/logout"><button>Sign out</button></form>"""
LIFETIMES = {
    # Browsers guess a lifetime of a tenth of the age: more than two years.
    "/guessed": [(b"last-modified", b"Sat, 01 Jan 2000 00:00:00 GMT")],
    "/said": [(b"cache-control", b"max-age=86400")],
    "/never/left": [],
}


async def desk(scope, receive, send):
    """Whose desk it is, in a page whose lifetime depends on its address."""
    user = dict(scope["headers"]).get(b"x-forwarded-email", b"nobody").decode()
    headers = [(b"content-type", b"text/html"), *LIFETIMES.get(scope["path"], [])]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE.format(user).encode()})


ACCESS = [
    {"path": "/never/**", "allow": "signed-in", "cache": "never"},
    {"path": "/**", "allow": "signed-in"},
]


@pytest.fixture(params=["localhost", "two-sites"])
async def stack(request, tmp_path):
    """Over http, where sign-out cannot clear the cache, and over https."""
    given = {"app": desk, "access": ACCESS}
    if request.param == "localhost":
        async with local_stack(tmp_path, **given) as stack:
            yield stack
    else:
        async with two_sites(tmp_path, make_authority(tmp_path), **given) as stack:
            yield stack


@pytest.fixture
async def page(stack):
    async with chromium(stack.chromium_args, pages_kept=True) as browser:
        yield await browser.new_page()


async def sign_in(page: Page, address: str) -> None:
    await page.goto(address)
    await page.fill("#signInFormUsername", ADA)
    await page.fill("#signInFormPassword", PASSWORD)
    await page.click("[name=signInSubmitButton]")
    await page.wait_for_url(address)


@pytest.mark.parametrize("path", ["/guessed", "/said"])
async def test_no_page_of_a_former_user_comes_from_the_cache(stack, page, path):
    """U10: after sign-out the address of a page that was seen before leads to the sign-in, whether the browser guessed
    its lifetime or the application said it."""
    await sign_in(page, stack.gateway_url + path)
    assert ADA in await page.content()

    await page.click("text=Sign out")
    await page.wait_for_url("**/login?*")
    await page.goto(stack.gateway_url + path)

    assert "/login?" in page.url
    assert "The desk of" not in await page.content()


async def test_the_back_button_brings_no_page_that_is_never_kept(stack, page):
    """U10: with `cache: never` the page from which somebody signed out is gone; the browser asks for it anew."""
    await sign_in(page, stack.gateway_url + "/never/left")

    await page.click("text=Sign out")
    await page.wait_for_url("**/login?*")
    async with page.expect_navigation(url="**/login?*"):
        await page.evaluate("setTimeout(() => history.back())")

    assert "The desk of" not in await page.content()
