"""People have all kinds of names, and programs send all kinds of bytes: an account or a sentence, never a fault."""

import httpx
import jwt
import pytest

from gateway.core.asgi import Message
from gateway.pool.app import Pool
from tests.pool_pages.browser import ASK, CALLBACK, CLIENT_ID, VERIFIER, Browser
from tests.pool_pages.conftest import newest_code


@pytest.mark.parametrize(
    "name",
    [
        "👩‍💻 Grace 🏳️‍🌈",
        "\u202eecarG\u202c שלום",
        "<script>alert(1)</script>",
        "Z" + "\u0301" * 500,
        "é" * 2048,
        "\uffff",
    ],
    ids=["emoji", "right to left", "markup", "many marks", "as long as can be", "no character"],
)
async def test_a_name_arrives_as_it_was_typed(browser: Browser, pool: Pool, name: str) -> None:
    """R14: from the form to the ID token, character by character."""
    confirm = await browser.sign_up("grace@example.com", name=name)
    arrived = await browser.submit(confirm, "confirmform", button="confirm", code=newest_code(pool))
    form = {
        "grant_type": "authorization_code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER, "code": arrived.answer["code"],
    }  # fmt: skip
    answer = (await browser.client.post("/oauth2/token", data=form)).json()
    claims = jwt.decode(answer["id_token"], options={"verify_signature": False})
    assert claims.get("name", name) == name
    info = await browser.client.get("/oauth2/userInfo", headers={"authorization": f"Bearer {answer['access_token']}"})
    assert info.status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"name": "a\0b"}, 400, "The form could not be read."),
        ({"name": "x" * 10_240}, 400, "The form could not be read."),
        ({"name": "x" * 2049}, 200, "Attribute value is not valid"),
        ({"name": "\u00a0"}, 200, "The attribute is required"),
        ({"username": "\u202egrace@example.com"}, 200, "Username should be an email."),
        ({"username": "a@example.com\r\nBcc: b@example.com"}, 400, "The form could not be read."),
        ({"username": "x" * 10_000 + "@example.com"}, 400, "The form could not be read."),
        ({"password": "Aa1!aaaa\0"}, 400, "The form could not be read."),
        ({"password": "Aa1!" * 64 + "a"}, 200, "Password"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_sentence(
    browser: Browser, changes: dict[str, str], status: int, words: str
) -> None:
    """NUL, line breaks, ten kilobytes, direction marks in an address."""
    page = await browser.sign_up(**({"username": "grace@example.com"} | changes))
    assert page.status == status
    assert words in page.text


@pytest.mark.parametrize("path", ["/login", "/signup", "/forgotPassword", "/oauth2/token", "/oauth2/revoke"])
async def test_a_client_that_leaves_in_the_middle_of_a_form_is_no_fault(pool: Pool, path: str) -> None:
    """Whoever closes the tab, or an attacker who does so a thousand times, writes no traceback into the log."""
    form: Message = {"type": "http.request", "body": b"username=a", "more_body": True}
    messages = iter([form, {"type": "http.disconnect"}])
    sent: list[Message] = []

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": path, "query_string": str(httpx.QueryParams(ASK)).encode(),
        "headers": [(b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"100")],
    }  # fmt: skip
    await pool(scope, receive, send)

    assert sent[0]["status"] == 400


@pytest.mark.parametrize(
    "body", [b"username=%ff%fe", b"\xff\xfe", b"&&==&%", b"a=b&" * 70, b"x" * 40_000, b"requiredAttributes[]=x"]
)
async def test_bytes_that_no_browser_sends(browser: Browser, body: bytes) -> None:
    """A page of ours, whatever came."""
    form = (await browser.get("/signup", ASK)).forms["signupform"]
    answer = await browser.client.post(
        form.action,
        content=body + b"&_csrf=" + form.fields["_csrf"].encode(),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code in {200, 400, 413}
    assert "<h1>" in answer.text


SPELLINGS = {
    "full width": lambda code: "".join(chr(ord(c) - ord("0") + 0xFF10) for c in code),
    "arabic": lambda code: "".join(chr(ord(c) - ord("0") + 0x0660) for c in code),
    "spaces inside": lambda code: f"  {code[:3]} {code[3:]}\u3000",
    "no-break and thin spaces": lambda code: "\u2009".join(code) + "\u00a0",
    "a dash": lambda code: f"{code[:3]}-{code[3:]}",
    "a long dash": lambda code: f"{code[:3]}\u2013{code[3:]}",
    "invisible marks": lambda code: f"\u202a\ufeff{code}\u200b\u202c",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_code_may_be_typed_in_any_way(browser: Browser, pool: Pool, spelling: str) -> None:
    """What keyboards and pastes make of six digits confirms the account, in the form and in the link."""
    confirm = await browser.sign_up("grace@example.com")
    arrived = await browser.submit(
        confirm, "confirmform", button="confirm", code=SPELLINGS[spelling](newest_code(pool))
    )
    assert arrived.location.startswith(f"{CALLBACK}?code=")

    await browser.sign_up("linus@example.com")
    code = SPELLINGS[spelling](newest_code(pool))
    link = {"client_id": CLIENT_ID, "user_name": "linus@example.com", "confirmation_code": code}
    assert "has been confirmed" in (await browser.get("/confirmUser", link)).text


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_reset_code_may_be_typed_in_any_way(browser: Browser, pool: Pool, spelling: str) -> None:
    """The same for the code that resets a password."""
    page = await browser.get("/forgotPassword", ASK)
    page = await browser.submit(page, "forgotpasswordform", username="ada@example.com")
    code = SPELLINGS[spelling](newest_code(pool))
    fields = {"code": code, "password": "Another-Engine-3", "confirmPassword": "Another-Engine-3"}
    page = await browser.submit(page, "confirmforgotpasswordform", **fields)
    assert "Your password has been changed." in page.text


@pytest.mark.parametrize("junk", ["x", ".", "\u00b2", "\u2460", "1"])
async def test_other_characters_stay_in_a_code(browser: Browser, pool: Pool, junk: str) -> None:
    """Letters, full stops and raised digits are not what was sent: refused as a wrong code."""
    confirm = await browser.sign_up("grace@example.com")
    page = await browser.submit(confirm, "confirmform", button="confirm", code=newest_code(pool) + junk)
    assert "Invalid verification code" in page.text
