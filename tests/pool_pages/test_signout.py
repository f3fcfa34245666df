"""Signing out at the pool: both forms of Cognito's `/logout`, and what is left of the session."""

import pytest

from tests.pool_pages.browser import ASK, BASE, CALLBACK, CLIENT_ID, PASSWORD, SIGNED_OUT, Browser

FORM_A = {"client_id": CLIENT_ID, "logout_uri": SIGNED_OUT}


async def test_form_a_leads_back_to_the_application(browser: Browser) -> None:
    """`client_id` and `logout_uri`: to exactly that address, without any state, and the cookie is expired."""
    await browser.sign_in("ada@example.com", PASSWORD)
    page = await browser.once("/logout", FORM_A | {"state": "st4te"})
    assert (page.status, page.location) == (302, SIGNED_OUT)
    assert "cognito" not in browser.cookies
    assert (await browser.once("/authorize", ASK)).location.startswith(f"{BASE}/login?")


async def test_signing_out_ends_the_session_and_not_only_the_cookie(browser: Browser, other: Browser) -> None:
    """C11: a copy of the cookie made before signing out is worth nothing after."""
    await browser.sign_in("ada@example.com", PASSWORD)
    other.client.cookies.set("cognito", browser.cookies["cognito"])
    assert (await other.once("/authorize", ASK)).location.startswith(CALLBACK)
    await browser.once("/logout", FORM_A)
    assert (await other.once("/authorize", ASK)).location.startswith(f"{BASE}/login?")


async def test_form_b_leads_to_the_sign_in_page(browser: Browser) -> None:
    """`redirect_uri` and `response_type`: to `/login` with the query, and the client's scopes where none are named."""
    params = {"client_id": CLIENT_ID, "redirect_uri": CALLBACK, "response_type": "code", "state": "s"}
    page = await browser.get("/logout", params)
    assert page.path == "/login"
    assert "scope=openid+email+profile+api%2Fread+gone%2Fread" in page.url
    assert "state=s" in page.url


async def test_form_b_needs_the_response_type(browser: Browser) -> None:
    """Without it the error page names it."""
    page = await browser.get("/logout", {"client_id": CLIENT_ID, "redirect_uri": CALLBACK})
    assert "Required String parameter 'response_type' is not present" in page.text


async def test_logout_uri_wins(browser: Browser) -> None:
    """With both, it is form A."""
    both = FORM_A | {"redirect_uri": CALLBACK, "response_type": "code"}
    assert (await browser.once("/logout", both)).location == SIGNED_OUT


async def test_without_an_address_the_error_page_names_it(browser: Browser) -> None:
    """The session is over nevertheless: whoever pressed the button meant it."""
    await browser.sign_in("ada@example.com", PASSWORD)
    page = await browser.get("/logout", {"client_id": CLIENT_ID})
    assert page.status == 400
    assert "Required String parameter 'redirect_uri' is not present" in page.text
    assert (await browser.once("/authorize", ASK)).location.startswith(f"{BASE}/login?")


@pytest.mark.parametrize(
    "params",
    [
        FORM_A | {"logout_uri": "https://evil.example/"},
        FORM_A | {"logout_uri": SIGNED_OUT + "x"},
        FORM_A | {"logout_uri": SIGNED_OUT.rstrip("/")},
        FORM_A | {"logout_uri": "//localhost:8000/"},
        FORM_A | {"logout_uri": CALLBACK},
        FORM_A | {"client_id": "nobody"},
        {"client_id": CLIENT_ID, "redirect_uri": SIGNED_OUT, "response_type": "code"},
    ],
)
async def test_an_address_that_is_not_registered_is_never_a_redirect(
    production: Browser, params: dict[str, str]
) -> None:
    """B6, R5: sign-out addresses are compared as exact strings, and callbacks are not sign-out addresses."""
    page = await production.once("/logout", params)
    assert page.location == f"{BASE}/error?error=redirect_mismatch&client_id={params['client_id']}"


async def test_a_repeated_address_is_never_a_redirect(browser: Browser) -> None:
    """D5: two sign-out addresses are none."""
    page = await browser.once(f"/logout?client_id={CLIENT_ID}&logout_uri={SIGNED_OUT}&logout_uri=https://evil.example/")
    assert page.location.startswith(f"{BASE}/error?")


async def test_signing_out_without_a_session_works(browser: Browser) -> None:
    """Q8: nobody to sign out is no error, and garbage in the cookie neither."""
    assert (await browser.once("/logout", FORM_A)).location == SIGNED_OUT
    browser.client.cookies.set("cognito", "'; DROP TABLE users; --")
    assert (await browser.once("/logout", FORM_A)).location == SIGNED_OUT
