"""Forms that another site made the browser send."""

import pytest

from gateway.pool import csrf
from gateway.pool.app import Pool
from tests.pool_pages.browser import ASK, BASE, CALLBACK, PASSWORD, Browser, Page

TOKEN = "0f8fad5b-d9cb-469f-a165-70867728950e"
SIGN_IN = {"username": "ada@example.com", "password": PASSWORD}
FORMS = {
    "/login": SIGN_IN,
    "/signup": {"username": "eve@example.com", "password": PASSWORD, "requiredAttributes[name]": "Eve"},
    "/confirm": {"username": "ada@example.com", "code": "123456"},
    "/resendcode": {"username": "ada@example.com"},
    "/forgotPassword": {"username": "ada@example.com"},
    "/confirmforgotPassword": {
        "username": "ada@example.com",
        "code": "123456",
        "password": PASSWORD,
        "confirmPassword": PASSWORD,
    },
}


def submission(**changes: str) -> csrf.Submission:
    """A good form's provenance, with changes."""
    good = {"cookie": TOKEN, "field": TOKEN, "host": "localhost:8001"}
    return csrf.Submission(**(good | changes))


@pytest.mark.parametrize(
    ("changes", "ours"),
    [
        ({}, True),
        ({"origin": BASE}, True),
        ({"origin": "https://localhost:8001"}, True),  # TLS ends in front of the pool
        ({"fetch_site": "same-origin"}, True),
        ({"fetch_site": "none"}, True),
        ({"field": ""}, False),
        ({"cookie": ""}, False),
        ({"cookie": "", "field": ""}, False),
        ({"cookie": "x", "field": "x"}, False),
        ({"field": TOKEN[:-1] + "f"}, False),
        ({"field": TOKEN.upper()}, False),
        ({"field": "\u00e9" * 36}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://localhost:8000"}, False),
        ({"origin": "null"}, False),
        ({"origin": "null", "host": ""}, False),
        ({"origin": "http://["}, False),
        ({"fetch_site": "cross-site"}, False),
        ({"fetch_site": "same-site"}, False),
        ({"fetch_site": "same-site", "origin": BASE}, False),
    ],
)
def test_what_counts_as_our_own_form(changes: dict[str, str], ours: bool) -> None:  # noqa: FBT001
    """R8: the pair must match, and whatever the browser says about the sender must agree."""
    assert csrf.is_ours(submission(**changes), BASE) is ours


def test_a_token_is_kept_if_it_is_one() -> None:
    """Other tabs keep working: a token that the browser has is used again, anything else is replaced."""
    assert csrf.token_of(TOKEN) == TOKEN
    assert csrf.token_of(TOKEN + "\n") != TOKEN
    assert csrf.token_of("") != csrf.token_of("")


@pytest.mark.parametrize("path", FORMS)
async def test_a_form_without_the_token_does_nothing(browser: Browser, pool: Pool, path: str) -> None:
    """R8: every form, sign-in's too, is refused with 403 and its page is shown again with a fresh token."""
    response = await browser.client.post(path, params=ASK, data=FORMS[path])
    assert response.status_code == 403
    assert "Please try again." in response.text
    assert "XSRF-TOKEN=" in response.headers["set-cookie"]
    assert "cognito=" not in response.headers["set-cookie"]
    assert pool.backend.mailbox is not None
    assert pool.backend.mailbox.mails == []


@pytest.mark.parametrize("path", FORMS)
async def test_the_page_that_is_shown_again_works(browser: Browser, path: str) -> None:
    """Its form has the fresh token and posts to where it belongs: a person loses one click, not the journey."""
    response = await browser.client.post(path, params=ASK, data=FORMS[path])
    page = Page(response)
    form = next(iter(page.forms))
    again = await browser.post(page, form, **{k: v for k, v in FORMS[path].items() if k in page.forms[form].fields})
    assert again.status_code != 403
    assert page.forms[form].action.partition("?")[0] == ("/confirm" if path == "/resendcode" else path)


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}],
)
async def test_a_matching_pair_from_elsewhere_does_nothing(browser: Browser, headers: dict[str, str]) -> None:
    """R8: whoever can plant the cookie (a sibling domain, another port) still cannot send the form."""
    browser.client.cookies.set("XSRF-TOKEN", TOKEN)
    response = await browser.client.post("/login", params=ASK, data=SIGN_IN | {"_csrf": TOKEN}, headers=headers)
    assert response.status_code == 403


async def test_a_repeated_token_does_nothing(browser: Browser) -> None:
    """D5: two tokens are none."""
    browser.client.cookies.set("XSRF-TOKEN", TOKEN)
    body = f"_csrf={TOKEN}&_csrf={TOKEN}&username=ada%40example.com&password={PASSWORD}"
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert (await browser.client.post("/login", params=ASK, content=body, headers=headers)).status_code == 403


async def test_scripted_sign_in_works_as_at_amazons(browser: Browser) -> None:
    """GET, read XSRF-TOKEN, POST to the same address: username, password, _csrf, cognitoAsfData, signInSubmitButton."""
    await browser.client.get("/login", params=ASK)
    data = SIGN_IN | {
        "_csrf": browser.cookies["XSRF-TOKEN"],
        "cognitoAsfData": "",
        "signInSubmitButton": "Sign in",
    }
    response = await browser.client.post("/login", params=ASK, data=data)
    assert response.status_code == 302
    assert response.headers["location"].startswith(f"{CALLBACK}?code=")


async def test_pages_tell_browsers_to_send_a_true_origin(browser: Browser) -> None:
    """`no-referrer` would make browsers send `Origin: null` with our own forms (Fetch, "append a request Origin")."""
    page = await browser.login_page()
    assert page.response.headers["referrer-policy"] == "same-origin"
