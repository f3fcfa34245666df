"""What hostile input may not do at the hosted pages: inject, enumerate, redirect, break."""

import re
from collections.abc import Callable
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import StorageUnavailable
from gateway.pool.app import Pool
from gateway.pool.forms import MAX_BODY_BYTES, MAX_FIELDS, MAX_QUERY_BYTES, BadForm, parse
from gateway.pool.page_data import LIFETIME, SIGN_IN_TIME, PageData, PageDataSeal
from tests.pool_pages.browser import ASK, BASE, CALLBACK, CLIENT_ID, PASSWORD, Browser, Page
from tests.pool_pages.conftest import START, Clock

MARKUP = [
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    "</pre><script>alert(1)</script>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "javascript:alert(1)//",
    "\u202e<b>",
]


def assert_harmless(page: Page, text: str) -> None:
    """The page has no markup but its own."""
    assert "<script>" not in page.html
    assert "<img" not in page.html
    assert "<b>" not in page.html
    assert "49" not in page.text
    assert text not in page.html or "<" not in text


@pytest.mark.parametrize("text", MARKUP)
async def test_parameters_cannot_inject_markup(browser: Browser, text: str) -> None:
    """R14, H1: `state`, `login_hint`, `lang`, `nonce` and unknown parameters are escaped wherever they appear."""
    hostile = {"state": text, "login_hint": text, "lang": text, "nonce": text, "x": text, text: "x"}
    for path in ("/login", "/signup", "/forgotPassword", "/confirm"):
        assert_harmless(await browser.get(path, ASK | hostile), text)


@pytest.mark.parametrize("text", MARKUP)
async def test_the_error_page_repeats_nothing(browser: Browser, text: str) -> None:
    """H2, R14: texts in the query of `/error` are not shown at all, so that nobody can put words in our mouth."""
    page = await browser.get("/error", {"error": text, "error_description": text, "client_id": text})
    assert page.status == 400
    assert text not in page.text
    assert_harmless(page, text)


async def test_a_made_up_error_is_not_shown(browser: Browser) -> None:
    """H2: a plain sentence is not either."""
    page = await browser.get("/error", {"error": "Your account is locked, call 555-0100"})
    assert "555" not in page.text


@pytest.mark.parametrize("text", MARKUP)
async def test_what_is_typed_cannot_inject_markup(browser: Browser, text: str) -> None:
    """R14: usernames, attributes and codes come back escaped; hidden fields of the posted form too."""
    page = await browser.sign_in(text, PASSWORD)
    assert page.forms["cognitoSignInForm"].fields["username"] == text.strip()
    assert_harmless(page, text)
    page = await browser.get("/signup", ASK)
    fields = {"username": text, "requiredAttributes[name]": text, "password": "short"}
    assert_harmless(await browser.submit(page, "signupform", **fields), text)
    page = await browser.get("/confirmforgotPassword", ASK)
    fields = {"username": text, "code": text, "password": "x", "destination": text, "deliveryMedium": text}
    assert_harmless(await browser.submit(page, "confirmforgotpasswordform", **fields), text)


@pytest.mark.parametrize(
    "path", ["/admin%22%3E%3Cscript%3Ealert(1)%3C/script%3E", "/%3Cscript%3E", "/login/%00", "/%0d%0aX:1"]
)
async def test_a_path_is_not_repeated(browser: Browser, path: str) -> None:
    """H1: the page for an unknown path says nothing of it."""
    page = await browser.once(path)
    assert page.status == 404
    assert "script>alert" not in page.html
    assert "x" not in page.response.headers


async def test_a_mail_cannot_inject_markup(browser: Browser) -> None:
    """R14: the development mailbox escapes what it shows."""
    page = await browser.get("/signup", ASK)
    fields = {"username": "<i>@example.com", "requiredAttributes[name]": "N", "password": PASSWORD}
    await browser.submit(page, "signupform", **fields)
    page = await browser.get("/_dev/mail")
    assert "<i>" not in page.html


async def test_forms_cannot_bring_attributes_that_are_not_asked_for(browser: Browser, pool: Pool) -> None:
    """R14: a posted `email_verified` or custom attribute is not even looked at."""
    page = await browser.get("/signup", ASK)
    extra = {
        "username": "grace@example.com",
        "password": PASSWORD,
        "requiredAttributes[name]": "Grace",
        "requiredAttributes[email_verified]": "true",
        "requiredAttributes[custom:role]": "admin",
        "requiredAttributes[email]": "ada@example.com",
    }
    page = await browser.submit(page, "signupform", **extra)
    assert page.path == "/confirm"
    assert pool.backend.mailbox is not None
    assert pool.backend.mailbox.mails[0].to == "grace@example.com"


# Enumeration ----------------------------------------------------------------------------------------------------------


def masked(page: Page, *names: str) -> str:
    """The page without what differs for any two visits."""
    html = re.sub(r'name="(_csrf|page_data)" value="[^"]*"', "", page.html)
    for name in names:
        html = html.replace(name, "NAME")
    return re.sub(r"[a-z]\*\*\*@[a-z]\*\*\*", "MASKED", html)


async def test_sign_in_does_not_tell_who_exists(browser: Browser) -> None:
    """R12: a wrong password and an unknown user get the same page."""
    known = await browser.sign_in("ada@example.com", "Wrong-password-1")
    unknown = await browser.sign_in("bob@example.com", "Wrong-password-1")
    assert known.status == unknown.status
    assert masked(known, "ada@example.com") == masked(unknown, "bob@example.com")


async def test_forgot_does_not_tell_who_exists(browser: Browser, other: Browser) -> None:
    """R12: an unknown user is sent to the same page with a masked address, and a code guessed there fails alike."""
    pages = []
    for visitor, name in ((browser, "ada@example.com"), (other, "bob@example.com")):
        page = await visitor.get("/forgotPassword", ASK)
        page = await visitor.submit(page, "forgotpasswordform", username=name)
        pages.append((page.status, page.path, masked(page, name)))
        fields = {"code": "000000", "password": PASSWORD, "confirmPassword": PASSWORD}
        page = await visitor.submit(page, "confirmforgotpasswordform", **fields)
        pages.append((page.status, page.path, masked(page, name)))
    assert pages[:2] == pages[2:]


async def test_confirming_does_not_tell_who_exists(browser: Browser, other: Browser) -> None:
    """R12: a guessed code fails alike for a confirmed user, and for nobody."""
    pages = []
    for visitor, name in ((browser, "ada@example.com"), (other, "bob@example.com")):
        page = await visitor.get("/confirm", ASK)
        page = await visitor.submit(page, "confirmform", username=name, code="123456")
        pages.append((page.status, masked(page, name)))
    assert pages[0] == pages[1]


# Addresses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["host", "x-forwarded-host", "forwarded", "x-forwarded-proto", "x-forwarded-prefix"])
async def test_no_header_chooses_an_address(browser: Browser, header: str) -> None:
    """R7, B7: redirects and documents name the configured address, whatever the request says."""
    headers = {header: "host=evil.example" if header == "forwarded" else "evil.example"}
    for path in ("/oauth2/authorize", "/logout", "/newPassword"):
        page = await browser.once(path, ASK, headers=headers)
        assert page.location.startswith(f"{BASE}/")
    for path in ("/login", "/.well-known/openid-configuration"):
        assert "evil.example" not in (await browser.once(path, ASK, headers=headers)).html


# Broken input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("client_id=%ff", 400),
        ("client_id=%00", 400),
        ("state=a%0d%0aSet-Cookie:x=1", 400),
        ("state=%c2%85", 400),
        ("&".join(f"a{i}=1" for i in range(MAX_FIELDS + 1)), 400),
        ("state=" + "a" * 5000, 400),
        ("state=" + "a" * MAX_QUERY_BYTES, 413),
    ],
)
@pytest.mark.parametrize("path", ["/oauth2/authorize", "/login", "/logout", "/error", "/confirmUser"])
async def test_a_broken_query_gets_a_short_page(browser: Browser, path: str, query: str, status: int) -> None:
    """4xx with a safe page, never a 5xx."""
    page = await browser.once(f"{path}?{query}")
    assert page.status == status
    assert "The form could not be read." in page.text


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("", b"username=a", 415),
        ("application/x-www-form-urlencoded", b"username=%ff", 400),
        ("application/x-www-form-urlencoded", b"username=%00", 400),
        ("application/x-www-form-urlencoded", b"a=1&" * (MAX_FIELDS + 1), 400),
        ("application/x-www-form-urlencoded", b"a" * (MAX_BODY_BYTES + 1), 413),
        ("application/x-www-form-urlencoded; charset=utf-8", b"", 403),
    ],
)
async def test_a_broken_form_gets_a_short_page(browser: Browser, kind: str, body: bytes, status: int) -> None:
    """4xx with a safe page, never a 5xx; an empty form is one without a token."""
    response = await browser.client.post("/login", params=ASK, content=body, headers={"content-type": kind})
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")


async def test_other_methods_are_refused(browser: Browser) -> None:
    """405 with the methods that there are."""
    response = await browser.client.put("/login", params=ASK)
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


async def test_an_answer_to_head_has_no_body(browser: Browser) -> None:
    """HEAD is answered as GET is, without a body to read by ASGI servers."""
    response = await browser.client.head("/login", params=ASK)
    assert response.status_code == 200


async def test_a_fault_of_ours_is_a_page_without_details(browser: Browser, pool: Pool) -> None:
    """500 with a short page; the exception goes to the server's log only."""

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the database password is hunter2")

    pool.backend.accounts.sign_in = broken  # type: ignore[method-assign, assignment]
    browser.client._transport.raise_app_exceptions = False  # type: ignore[attr-defined]
    page = await browser.sign_in("ada@example.com", PASSWORD)
    assert page.status == 500
    assert "hunter2" not in page.html
    assert page.response.headers["x-frame-options"] == "DENY"


@pytest.mark.property
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Reading a query either gives its pairs or raises BadForm."""
    try:
        params = parse(text)
    except BadForm:
        return
    assert all(c >= " " for _, value in params.pairs for c in value)


@pytest.mark.property
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(text=st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=60))
async def test_any_state_comes_back_or_is_refused(browser: Browser, text: str) -> None:
    """`state` is echoed verbatim, to the registered address only; one with control characters gets the short page."""
    page = await browser.once(f"/oauth2/authorize?prompt=none&state={quote(text)}", None)
    assert page.location == f"{BASE}/error?prompt=none&state={_form_quoted(text)}" or page.status == 400
    page = await browser.once("/oauth2/authorize", ASK | {"prompt": "none", "state": text})
    assert page.status == 400 or (page.location.startswith(f"{CALLBACK}?") and page.answer["state"] == text)


def _form_quoted(text: str) -> str:
    return quote(text, safe=" ").replace(" ", "+")


# Page data ------------------------------------------------------------------------------------------------------------

DATA = PageData(purpose="confirm", at=START, username="ada", password_given_at=START)


@pytest.mark.property
@given(position=st.integers(0, 400), replacement=st.characters(codec="ascii"))
def test_page_data_cannot_be_changed(position: int, replacement: str) -> None:
    """Any one character changed: nothing is read."""
    seal = PageDataSeal(b"k" * 32)
    text = seal.write(DATA)
    position %= len(text)
    changed = text[:position] + replacement + text[position + 1 :]
    read = seal.read(changed, "confirm", START)
    # The last character of unpadded base64 has bits that mean nothing.
    assert read is None or changed == text or position == len(text) - 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda seal: seal.read(seal.write(DATA), "reset", START),
        lambda seal: seal.read(seal.write(DATA), "confirm", START + LIFETIME),
        lambda seal: seal.read(seal.write(DATA), "confirm", START - 1),
        lambda seal: PageDataSeal(b"other" * 8).read(seal.write(DATA), "confirm", START),
        lambda seal: seal.read("", "confirm", START),
        lambda seal: seal.read("a.b", "confirm", START),
    ],
    ids=["other purpose", "too old", "from the future", "other key", "nothing", "garbage"],
)
def test_page_data_is_bound_to_purpose_time_and_key(wrong: Callable[[PageDataSeal], PageData | None]) -> None:
    """Q17: what was written for another page, another pool or another hour is not read."""
    seal = PageDataSeal(b"k" * 32)
    assert seal.read(seal.write(DATA), "confirm", START + LIFETIME - 1) == DATA
    assert wrong(seal) is None


def test_only_a_recent_password_lets_confirming_sign_in() -> None:
    """From the moment the password was given, a quarter of an hour; never without one."""
    assert DATA.may_sign_in(START)
    assert DATA.may_sign_in(START + SIGN_IN_TIME - 1)
    assert not DATA.may_sign_in(START + SIGN_IN_TIME)
    assert not PageData(purpose="confirm", at=START).may_sign_in(START)


async def test_page_data_of_one_purpose_opens_no_other_page(browser: Browser, clock: Clock) -> None:
    """Q17: what a forgotten password left does not let a confirmed sign-up in."""
    page = await browser.get("/forgotPassword", ASK)
    page = await browser.submit(page, "forgotpasswordform", username="ada@example.com")
    sealed = page.forms["confirmforgotpasswordform"].fields["page_data"]
    fields = {"_csrf": browser.cookies["XSRF-TOKEN"], "page_data": sealed, "new_password": PASSWORD}
    response = await browser.client.post("/newPassword", params=ASK, data=fields | {"confirm_password": PASSWORD})
    assert response.headers["location"].startswith(f"{BASE}/login?")


async def test_probes_are_answered(browser: Browser) -> None:
    """`/livez` is 200, without a cookie and not to be stored."""
    response = await browser.client.get("/livez")
    assert (response.status_code, response.text) == (200, "ok\n")
    assert response.headers["cache-control"] == "no-store"
    assert "set-cookie" not in response.headers
    assert (await browser.client.head("/livez")).status_code == 200


@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/userInfo", "/oauth2/revoke"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_programs_are_told_of_a_wrong_method_in_json(browser: Browser, path: str, method: str) -> None:
    """Z3: 405 as JSON, readable across origins, with the methods that work."""
    response = await browser.client.request(method, path, headers={"origin": "https://app.example"})
    assert (response.status_code, response.json()) == (405, {"error": "invalid_request"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize(
    ("error", "status"), [(StorageUnavailable("busy"), 503), (RuntimeError("a fault"), 500)], ids=["busy", "fault"]
)
@pytest.mark.parametrize("path", ["/oauth2/token", "/oauth2/revoke"])
async def test_programs_are_told_of_our_failures_in_json(pool: Pool, path: str, error: Exception, status: int) -> None:
    """Z3: a busy database and a fault of ours are `server_error`, readable across origins, and never stored."""

    class Broken:
        async def redeem(self, *_: object, **__: object) -> None:
            raise error

        async def revoke(self, *_: object, **__: object) -> None:
            raise error

    pool.backend.grants = Broken()  # type: ignore[assignment]
    form = {"grant_type": "authorization_code", "client_id": CLIENT_ID, "code": "x", "redirect_uri": "y", "token": "z"}
    transport = httpx.ASGITransport(app=pool, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        response = await client.post(path, data=form)
    assert (response.status_code, response.json()) == (status, {"error": "server_error"})
    assert response.headers["access-control-allow-origin"] == "*"
    assert "no-store" in response.headers["cache-control"]
    assert response.headers.get("retry-after") == ("1" if status == 503 else None)
