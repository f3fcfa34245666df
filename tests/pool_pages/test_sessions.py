"""The browser's session at the pool: the cookie `cognito`."""

import re
from pathlib import Path

import pytest

from gateway.pool.app import Pool, create_pool
from gateway.pool.sso import SsoSessions
from tests.pool_pages.browser import ASK, BASE, CALLBACK, PASSWORD, Browser
from tests.pool_pages.conftest import Clock, newest_code, pool_options
from tests.support.pool import change_user


async def signed_in(browser: Browser) -> bool:
    """Whether the browser gets a code without being asked."""
    page = await browser.once("/authorize", ASK)
    return page.location.startswith(CALLBACK)


async def test_the_session_lasts_one_hour_and_does_not_slide(browser: Browser, clock: Clock) -> None:
    """Using it does not make it longer: one second before the hour it holds, at the hour it is over."""
    await browser.sign_in("ada@example.com", PASSWORD)
    for _ in range(3):
        clock.now += 1199
        assert await signed_in(browser)
    clock.now += 2
    assert await signed_in(browser)
    clock.now += 1
    assert not await signed_in(browser)


async def test_the_session_changes_at_sign_in(browser: Browser, other: Browser) -> None:
    """R8: a cookie that somebody planted before is replaced, and what it stood for is over."""
    await other.sign_in("ada@example.com", PASSWORD)
    planted = other.cookies["cognito"]
    browser.client.cookies.set("cognito", planted, domain="localhost.local")
    await browser.sign_in("ada@example.com", PASSWORD, prompt="login")
    assert browser.cookies["cognito"] != planted
    assert not await signed_in(other)


async def test_a_planted_value_never_becomes_a_session(browser: Browser, other: Browser) -> None:
    """R8: the pool takes no cookie value from outside, however well shaped."""
    planted = "A" * 43
    browser.client.cookies.set("cognito", planted, domain="localhost.local")
    await browser.sign_in("ada@example.com", PASSWORD)
    other.client.cookies.set("cognito", planted)
    assert not await signed_in(other)


@pytest.mark.parametrize("value", ["", "x", "A" * 43, "A" * 5000, "\u00e9", "A" * 42 + "="])
async def test_a_cookie_that_stands_for_nothing_is_no_session(browser: Browser, value: str) -> None:
    """Garbage leads to the sign-in page, never to an error."""
    page = await browser.once("/authorize", ASK, headers={"cookie": f"cognito={value}".encode()})
    assert page.location.startswith(f"{BASE}/login?")


async def test_the_login_page_is_shown_to_who_is_signed_in(browser: Browser) -> None:
    """`/login` always asks; only `/oauth2/authorize` uses the session."""
    await browser.sign_in("ada@example.com", PASSWORD)
    page = await browser.get("/login", ASK)
    assert "cognitoSignInForm" in page.forms


async def test_a_new_password_ends_older_sessions(browser: Browser, other: Browser, pool: Pool, clock: Clock) -> None:
    """Whoever was in with the old password is out."""
    await browser.sign_in("ada@example.com", PASSWORD)
    clock.now += 5
    page = await other.get("/forgotPassword", ASK)
    page = await other.submit(page, "forgotpasswordform", username="ada@example.com")
    fields = {"code": newest_code(pool), "password": "Another-Engine-3", "confirmPassword": "Another-Engine-3"}
    await other.submit(page, "confirmforgotpasswordform", **fields)
    assert not await signed_in(browser)


async def test_a_disabled_account_has_no_session(browser: Browser, pool: Pool) -> None:
    """The session of an account that was disabled since leads to the sign-in page."""
    await browser.sign_in("ada@example.com", PASSWORD)
    async with pool.backend.storage.snapshot() as tx:
        found = await SsoSessions(tx.sso).find(browser.cookies["cognito"], pool.backend.now())
    assert found is not None
    await change_user(pool.backend.storage, found.sub, enabled=False)
    assert not await signed_in(browser)


async def test_the_store_holds_no_cookie(browser: Browser, database: Path) -> None:
    """A copy of the database is no way in: the cookie's value is not in it."""
    await browser.sign_in("ada@example.com", PASSWORD)
    kept = b"".join(path.read_bytes() for path in database.parent.iterdir())
    assert browser.cookies["cognito"].encode() not in kept


async def test_the_session_survives_a_restart(browser: Browser, pool: Pool, database: Path, clock: Clock) -> None:
    """Sessions are in the storage: another process of the same pool knows them."""
    await browser.sign_in("ada@example.com", PASSWORD)
    async with create_pool(pool_options(database), clock=clock) as again:
        second = Browser(again)
        second.client.cookies.set("cognito", browser.cookies["cognito"])
        assert await signed_in(second)


async def test_cookies_are_out_of_reach_for_scripts(browser: Browser) -> None:
    """HttpOnly, SameSite=Lax and the whole path on each; the session's hour is the cookie's too."""
    page = await browser.login_page()
    answer = await browser.post(page, "cognitoSignInForm", username="ada@example.com", password=PASSWORD)
    lines = [*page.response.headers.get_list("set-cookie"), *answer.headers.get_list("set-cookie")]
    assert {line.partition("=")[0] for line in lines} == {"XSRF-TOKEN", "cognito", "page-data"}
    for line in lines:
        assert re.search("; httponly", line, re.IGNORECASE)
        assert re.search("; samesite=lax", line, re.IGNORECASE)
        assert re.search("; path=/(;|$)", line, re.IGNORECASE)
    assert any(line.startswith("cognito=") and "Max-Age=3600" in line for line in lines)


async def test_cookies_are_secure_on_https(database: Path, clock: Clock) -> None:
    """With an https address every cookie is Secure, its deletion too (C10), and HSTS is sent."""
    options = pool_options(database, base_url="https://login.example")
    async with create_pool(options, clock=clock) as pool, Browser(pool).client as client:
        page = await client.get("https://login.example/login", params=ASK)
        gone = await client.get("https://login.example/logout", params=ASK)
        lines = [*page.headers.get_list("set-cookie"), *gone.headers.get_list("set-cookie")]
        assert len(lines) == 3
        assert all("; secure" in line.lower() for line in lines)
        assert page.headers["strict-transport-security"] == "max-age=31536000"


def cookie_header(*pieces: str) -> dict[str, str]:
    """A Cookie header of these pieces, as a program would write it."""
    return {"cookie": "; ".join(pieces)}


@pytest.mark.parametrize(
    "spelling",
    [
        "theme=dark cognito={value}",
        "theme=dark, cognito={value}",
        "theme=dark\tcognito={value}",
        'theme="dark; x" cognito={value}',
        'cognito="{value}"',
        "cognito =x{value}",
        "Cognito={value}",
        "\u00a0cognito={value}",
    ],
)
async def test_a_session_inside_another_cookie_is_no_session(browser: Browser, other: Browser, spelling: str) -> None:
    """Z1: a cookie is what is between semicolons, with its exact name and its value unquoted."""
    await browser.sign_in("ada@example.com", PASSWORD)
    header = spelling.format(value=browser.cookies["cognito"]).encode("latin-1")
    page = await other.once("/authorize", ASK, headers={"cookie": header})
    assert page.location.startswith(f"{BASE}/login?")


@pytest.mark.parametrize("double", ["cognito=", "cognito=x", "cognito={value}", "cognito={other}"])
@pytest.mark.parametrize("first", [True, False])
async def test_two_sessions_in_one_request_are_none(
    browser: Browser, other: Browser, double: str, *, first: bool
) -> None:
    """Z1: whoever can plant a second `cognito` (a sibling domain, a longer path) does not choose who is signed in."""
    await browser.sign_in("ada@example.com", PASSWORD)
    await other.sign_in("ada@example.com", PASSWORD)
    value = browser.cookies["cognito"]
    pieces = [f"cognito={value}", double.format(value=value, other=other.cookies["cognito"])]
    async with Browser(browser.app).client as client:
        for headers in (cookie_header(*pieces[:: 1 if first else -1]), [("cookie", piece) for piece in pieces]):
            response = await client.get("/authorize", params=ASK, headers=headers)
            assert response.headers["location"].startswith(f"{BASE}/login?")


async def test_signing_out_ends_every_session_that_is_presented(browser: Browser, other: Browser, pool: Pool) -> None:
    """Z1: a second `cognito` does not keep the first one alive on the server."""
    await browser.sign_in("ada@example.com", PASSWORD)
    await other.sign_in("ada@example.com", PASSWORD)
    both = cookie_header(f"cognito={browser.cookies['cognito']}", f"cognito={other.cookies['cognito']}")
    async with Browser(pool).client as client:
        await client.get("/logout", params=ASK, headers=both)
    assert not await signed_in(browser)
    assert not await signed_in(other)


async def test_two_tokens_of_forms_are_none(browser: Browser) -> None:
    """Z1: of two XSRF-TOKEN cookies none matches, and the page shown again brings a fresh one."""
    page = await browser.login_page()
    token = browser.cookies["XSRF-TOKEN"]
    body = {"_csrf": token, "username": "ada@example.com", "password": PASSWORD}
    async with Browser(browser.app).client as client:
        headers = cookie_header(f"XSRF-TOKEN={token}", "XSRF-TOKEN=0f8fad5b-d9cb-469f-a165-70867728950e")
        response = await client.post(page.forms["cognitoSignInForm"].action, data=body, headers=headers)
    assert response.status_code == 403
    assert "XSRF-TOKEN=" in response.headers["set-cookie"]


async def test_two_notices_are_none(browser: Browser, pool: Pool) -> None:
    """Z1: of two page-data cookies none is read."""
    code_page = await browser.sign_up("grace@example.com")
    kept = browser.cookies["page-data"]
    assert "page_data" in code_page.forms["confirmform"].fields
    async with Browser(pool).client as client:
        headers = cookie_header(f"page-data={kept}", f"page-data={kept}")
        page = await client.get("/confirm", params=ASK, headers=headers)
    assert 'name="page_data"' not in page.text


@pytest.mark.parametrize(
    ("address", "hsts", "told"),
    [
        ("https://login.example", 86400, "max-age=86400"),
        ("https://login.example", 0, None),
        ("http://login.example", 86400, None),
        ("https://localhost:8001", 86400, None),
        ("https://pool.localhost", 86400, None),
        ("https://login.test", 86400, None),
        ("https://intranet", 86400, None),
        ("https://192.0.2.1", 86400, None),
        ("https://[2001:db8::1]", 86400, None),
    ],
)
async def test_only_a_public_host_is_told_to_stay_with_https(
    database: Path, clock: Clock, address: str, hsts: int, told: str | None
) -> None:
    """A developer's host would lose http for a year, on every port; it is never said for subdomains."""
    options = pool_options(database, base_url=address, hsts=hsts)
    async with create_pool(options, clock=clock) as pool, Browser(pool).client as client:
        for path in ("/livez", "/oauth2/token", "/.well-known/jwks.json", "/nothing", "/login"):
            response = await client.get(f"{address}{path}")
            assert response.headers.get("strict-transport-security") == told
