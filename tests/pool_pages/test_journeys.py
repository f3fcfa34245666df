"""What people do at the hosted pages, from the application and back to it."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from gateway.pool.app import Pool, create_pool
from tests.pool_pages.browser import ASK, BASE, CALLBACK, PASSWORD, VERIFIER, Browser
from tests.pool_pages.conftest import Clock, newest_code, pool_options

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def test_authorize_leads_to_login_with_the_same_query(browser: Browser) -> None:
    """A visitor without a session goes to `/login`, whose query says the same as the application's."""
    page = await browser.once("/oauth2/authorize", ASK)
    assert page.status == 302
    assert page.location.startswith(f"{BASE}/login?")
    assert dict(parse_qsl(urlsplit(page.location).query)) == ASK


async def test_the_short_path_is_an_alias(browser: Browser) -> None:
    """`/authorize` answers as `/oauth2/authorize` does."""
    short, long = await browser.once("/authorize", ASK), await browser.once("/oauth2/authorize", ASK)
    assert short.location == long.location


async def test_signing_in_returns_code_and_state(browser: Browser, pool: Pool) -> None:
    """The right password leads to the application with a UUID code and its state; the code buys tokens."""
    page = await browser.sign_in("ada@example.com", PASSWORD)
    assert page.status == 302
    assert page.location.startswith(f"{CALLBACK}?code=")
    assert page.answer["state"] == "st4te"
    assert UUID.fullmatch(page.answer["code"])
    client = pool.backend.options.clients[0]
    tokens = await pool.backend.grants.redeem(
        client, code=page.answer["code"], redirect_uri=CALLBACK, code_verifier=VERIFIER, now=pool.backend.now()
    )
    assert tokens.id_token


async def test_a_wrong_password_is_told_in_cognitos_words(browser: Browser) -> None:
    """The page comes again with 200, the username kept, the password not, and the sentence in #loginErrorMessage."""
    page = await browser.sign_in("ada@example.com", "Wrong-password-1")
    assert page.status == 200
    assert "loginErrorMessage" in page.ids
    assert "Incorrect username or password." in page.text
    assert page.forms["cognitoSignInForm"].fields["username"] == "ada@example.com"
    assert "Wrong-password-1" not in page.html


async def test_signing_up_confirms_and_signs_in(browser: Browser, pool: Pool) -> None:
    """Sign-up, the e-mailed code, and the browser is back at the application with a code."""
    page = await browser.sign_up("grace@example.com")
    assert page.path == "/confirm"
    assert "We have sent a code by email to g***@e***. Enter it below to confirm your account." in page.text
    page = await browser.submit(page, "confirmform", code=newest_code(pool))
    assert page.location.startswith(f"{CALLBACK}?code=")
    page = await browser.once("/oauth2/authorize", ASK)
    assert page.location.startswith(f"{CALLBACK}?code=")


async def test_a_wrong_code_leaves_the_page_as_it_was(browser: Browser, pool: Pool) -> None:
    """A wrong code is told, and the right one still confirms."""
    page = await browser.sign_up("grace@example.com")
    right = newest_code(pool)
    page = await browser.submit(page, "confirmform", code="000000" if right != "000000" else "111111")
    assert "Invalid verification code provided, please try again." in page.text
    page = await browser.submit(page, "confirmform", code=f" {right} ")
    assert page.location.startswith(CALLBACK)


async def test_another_code_can_be_asked_for(browser: Browser, pool: Pool) -> None:
    """`/resendcode` sends a new code, says so once, and the new code confirms."""
    page = await browser.sign_up("grace@example.com")
    page = await browser.submit(page, "resendcodeform", button="resend")
    assert page.path == "/confirm"
    assert "A new code is on its way." in page.text
    assert "A new code is on its way." not in (await browser.get("/confirm", ASK)).text
    page = await browser.submit(page, "confirmform", code=newest_code(pool))
    assert page.location.startswith(CALLBACK)


async def test_too_many_codes_are_told_and_the_last_one_serves(browser: Browser, pool: Pool) -> None:
    """Five an hour, then Cognito's sentence; the page that says so still takes the code."""
    page = await browser.sign_up("grace@example.com")
    for _ in range(6):
        page = await browser.submit(page, "resendcodeform", button="resend")
    assert "Attempt limit exceeded, please try after some time." in page.text
    page = await browser.submit(page, "confirmform", code=newest_code(pool))
    assert page.location.startswith(CALLBACK)


async def test_following_a_resend_link_sends_nothing(browser: Browser, pool: Pool) -> None:
    """GET `/resendcode` shows the form for the code: only a form of ours makes the pool send mail."""
    await browser.sign_up("grace@example.com")
    code = newest_code(pool)
    page = await browser.get("/resendcode", ASK)
    assert page.path == "/confirm"
    assert newest_code(pool) == code


async def test_confirming_late_does_not_sign_in(browser: Browser, pool: Pool, clock: Clock) -> None:
    """A quarter of an hour after the password was given, the code confirms and the sign-in page asks for it again."""
    page = await browser.sign_up("grace@example.com")
    clock.now += 900
    page = await browser.submit(page, "confirmform", code=newest_code(pool))
    assert page.path == "/login"
    assert "Your registration has been confirmed!" in page.text
    assert "cognito" not in browser.cookies


async def test_confirming_in_another_browser_does_not_sign_in(browser: Browser, other: Browser, pool: Pool) -> None:
    """Whoever has the code but never gave the password confirms the account and is asked for the password."""
    await browser.sign_up("grace@example.com")
    page = await other.get("/confirm", ASK)
    page = await other.submit(page, "confirmform", username="grace@example.com", code=newest_code(pool))
    assert page.path == "/login"
    assert "cognito" not in other.cookies


async def test_an_unconfirmed_user_gets_a_fresh_code_at_sign_in(browser: Browser, other: Browser, pool: Pool) -> None:
    """The right password of an unconfirmed account leads to `/confirm` with a new code, and on to the application."""
    await browser.sign_up("grace@example.com")
    page = await other.sign_in("grace@example.com", PASSWORD)
    assert page.path == "/confirm"
    page = await other.submit(page, "confirmform", code=newest_code(pool))
    assert page.location.startswith(CALLBACK)


async def test_a_weak_password_is_told_and_nothing_typed_is_lost(browser: Browser) -> None:
    """The policy's sentence, the name and the address are there again; the password is not."""
    page = await browser.sign_up("grace@example.com", password="short-1A")
    assert page.path == "/confirm"
    page = await browser.sign_up("grace2@example.com", password="short")
    assert "Password did not conform with policy: Password not long enough" in page.text
    assert page.forms["signupform"].fields["username"] == "grace2@example.com"
    assert page.forms["signupform"].fields["requiredAttributes[name]"] == "Grace Hopper"
    assert page.forms["signupform"].fields["password"] == ""


async def test_a_forgotten_password_is_changed_by_code(browser: Browser, pool: Pool) -> None:
    """Forgot, the e-mailed code, the new password, the sign-in page, and only the new password opens it."""
    page = await browser.get("/forgotPassword", ASK)
    page = await browser.submit(page, "forgotpasswordform", username="ada@example.com")
    assert page.path == "/confirmforgotPassword"
    assert "We have sent a password reset code by email to a***@e***." in page.text
    new = "Difference-Engine-2"
    page = await browser.submit(
        page, "confirmforgotpasswordform", code=newest_code(pool), password=new, confirmPassword=new
    )
    assert page.path == "/login"
    assert "Your password has been changed." in page.text
    assert "cognito" not in browser.cookies
    page = await browser.submit(page, "cognitoSignInForm", username="ada@example.com", password=PASSWORD)
    assert "Incorrect username or password." in page.text
    page = await browser.submit(page, "cognitoSignInForm", username="ada@example.com", password=new)
    assert page.location.startswith(CALLBACK)


async def test_two_different_new_passwords_are_told_before_the_code_is_spent(browser: Browser, pool: Pool) -> None:
    """A typing mistake costs nothing: the same code still works."""
    page = await browser.get("/forgotPassword", ASK)
    page = await browser.submit(page, "forgotpasswordform", username="ada@example.com")
    code = newest_code(pool)
    page = await browser.submit(
        page, "confirmforgotpasswordform", code=code, password=PASSWORD, confirmPassword="Another-1234"
    )
    assert "The two passwords are not the same." in page.text
    assert page.forms["confirmforgotpasswordform"].fields["code"] == code
    page = await browser.submit(
        page, "confirmforgotpasswordform", code=code, password=PASSWORD, confirmPassword=PASSWORD
    )
    assert page.path == "/login"


async def test_a_script_can_reset_with_cognitos_fields_alone(browser: Browser, pool: Pool) -> None:
    """`username`, `code`, `password`, `confirmPassword` and `_csrf` suffice, as at Amazon's."""
    page = await browser.get("/forgotPassword", ASK)
    await browser.submit(page, "forgotpasswordform", username="ada@example.com")
    fields = {"_csrf": browser.cookies["XSRF-TOKEN"], "username": "ada@example.com", "code": newest_code(pool)}
    response = await browser.client.post(
        "/confirmforgotPassword", params=ASK, data=fields | {"password": PASSWORD, "confirmPassword": PASSWORD}
    )
    assert response.status_code == 302


async def test_a_password_that_somebody_else_set_is_replaced(browser: Browser) -> None:
    """A temporary password leads to the page for an own one, which judges it, and then to the application."""
    page = await browser.sign_in("temp@example.com", "Given-by-admin-1")
    assert page.path == "/newPassword"
    page = await browser.submit(page, "newpasswordform", new_password="weak", confirm_password="weak")
    assert "Password did not conform with policy" in page.text
    page = await browser.submit(page, "newpasswordform", new_password=PASSWORD, confirm_password=PASSWORD)
    assert page.location.startswith(CALLBACK)


async def test_the_page_for_a_new_password_needs_a_sign_in_before_it(browser: Browser, clock: Clock) -> None:
    """Opened alone it leads to the sign-in page; three minutes after the sign-in its session is over."""
    assert (await browser.get("/newPassword", ASK)).path == "/login"
    page = await browser.sign_in("temp@example.com", "Given-by-admin-1")
    clock.now += 180
    page = await browser.submit(page, "newpasswordform", new_password=PASSWORD, confirm_password=PASSWORD)
    assert "Invalid session for the user." in page.text
    page = await browser.submit(page, "cognitoSignInForm", username="ada@example.com", password=PASSWORD)
    assert page.location.startswith(CALLBACK)


async def test_the_link_of_an_email_confirms_and_does_not_sign_in(browser: Browser, other: Browser, pool: Pool) -> None:
    """`/confirmUser` says so and sets no session; a second time it says that the code no longer holds."""
    await browser.sign_up("grace@example.com")
    link = {"client_id": ASK["client_id"], "user_name": "grace@example.com", "confirmation_code": newest_code(pool)}
    page = await other.get("/confirmUser", link)
    assert page.status == 200
    assert "Your registration has been confirmed!" in page.text
    assert "cognito" not in other.cookies
    assert (await other.get("/confirmUser", link)).status == 400


async def test_closed_registration_has_no_link_and_no_page(database: Path, clock: Clock) -> None:
    """Where people cannot register, the sign-in page does not offer it and `/signup` leads back to it."""
    options = pool_options(database, allow_sign_up=False)
    async with create_pool(options, clock=clock) as pool, Browser(pool).client as client:
        page = await client.get("/login", params=ASK)
        assert "Need an account?" not in page.text
        assert (await client.get("/signup", params=ASK)).headers["location"].startswith(f"{BASE}/login?")
