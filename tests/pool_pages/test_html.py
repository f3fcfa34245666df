"""What the pages are made of: Cognito's names, and what people and browsers need to use them."""

import re
from pathlib import Path

import pytest
from markupsafe import escape

from gateway.pool.app import Pool, create_pool
from gateway.pool.options import MailOptions
from gateway.pool.page_words import attribute_field
from gateway.pool.passwords import checklist
from gateway.pool.records import STANDARD_ATTRIBUTES
from tests.pool_pages.browser import ASK, Browser, Page
from tests.pool_pages.conftest import Clock, pool_options

STYLE = Path(__file__).parents[2] / "gateway/pool/pages/static/pool.css"


async def all_pages(browser: Browser) -> dict[str, Page]:
    """Each hosted page once."""
    pages = {path: await browser.get(path, ASK) for path in ("/login", "/signup", "/forgotPassword")}
    pages |= {path: await browser.get(path) for path in ("/", "/_dev/mail")}
    pages["/error"] = await browser.get("/error", {"error": "redirect_mismatch"})
    pages["/nothing"] = await browser.get("/nothing")
    pages["/login, refused"] = await browser.sign_in("ada@example.com", "Wrong-password-1")
    pages["/signup, refused"] = await browser.sign_up("grace@example.com", password="short")
    pages["/confirm, bare"] = await browser.get("/confirm", ASK)
    pages["/confirmforgotPassword, bare"] = await browser.get("/confirmforgotPassword", ASK)
    pages["/confirm"] = await browser.sign_up("grace@example.com")
    forgot = await browser.get("/forgotPassword", ASK)
    pages["/confirmforgotPassword"] = await browser.submit(forgot, "forgotpasswordform", username="ada@example.com")
    pages["/newPassword"] = await browser.sign_in("temp@example.com", "Given-by-admin-1")
    return pages


async def test_every_page_can_be_used_by_everybody(browser: Browser) -> None:
    """A language, a title, one heading and one main part; ids once only; a label for each field that is seen."""
    for name, page in (await all_pages(browser)).items():
        assert '<html lang="en">' in page.html, name
        assert re.search(r"<title>\S.* · Acorn Books</title>", page.html), name
        assert page.html.count("<h1>") == page.html.count("<main ") == 1, name
        assert len(page.ids) == len(set(page.ids)), name
        for form in page.forms.values():
            seen = [
                given
                for given in form.inputs.values()
                if given["tag"] == "input" and given["type"] != "hidden" and "unseen" not in given.get("class", "")
            ]
            assert all(given["id"] in page.labels for given in seen), name
            assert all(given.get("autocomplete") for given in seen), name
        for described in re.findall(r'aria-describedby="([^"]+)"', page.html):
            assert described in page.ids, name


async def test_no_page_has_inline_script_or_style(browser: Browser) -> None:
    """The policy allows our own files alone, and the pages keep to it: no handlers, no style, nothing from outside."""
    for name, page in (await all_pages(browser)).items():
        policy = page.response.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'"), name
        assert "base-uri 'none'; frame-ancestors 'none'" in policy, name
        assert "unsafe" not in policy, name
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?! src=\"/static/)", page.html), name
        assert not re.search(r"(src|href)=\"(https?:)?//", page.html), name


async def test_every_answer_is_careful(browser: Browser) -> None:
    """No sniffing, no framing, nothing stored: pages, redirects, errors and the programs' endpoints alike."""
    answers = [await browser.once(path, ASK) for path in ("/login", "/authorize", "/error", "/nothing", "/logout")]
    answers.append(await browser.once("/.well-known/openid-configuration"))
    for page in answers:
        assert page.response.headers["x-content-type-options"] == "nosniff"
        assert page.response.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in page.response.headers["content-security-policy"]
    assert all(page.response.headers["cache-control"] == "no-store" for page in answers[:-1])


async def test_forms_that_cannot_leave_may_not(browser: Browser) -> None:
    """`form-action 'self'` stands where no success leads to the application; elsewhere it would stop the redirect."""
    leaving = {"/login", "/signup", "/confirm", "/newPassword", "/login, refused", "/signup, refused", "/confirm, bare"}
    for name, page in (await all_pages(browser)).items():
        stays = "form-action 'self'" in page.response.headers["content-security-policy"]
        assert stays is (name not in leaving), name


@pytest.mark.parametrize(
    ("path", "form", "expected"),
    [
        (
            "/login",
            "cognitoSignInForm",
            {
                "username": "signInFormUsername",
                "password": "signInFormPassword",
                "_csrf": "",
                "cognitoAsfData": "",
                "signInSubmitButton": "",
            },
        ),
        (
            "/signup",
            "signupform",
            {
                "username": "signUpFormUsername",
                "requiredAttributes[name]": "signUpForm-name",
                "password": "signUpFormPassword",
                "_csrf": "",
                "cognitoAsfData": "",
                "signUpButton": "",
            },
        ),
        ("/forgotPassword", "forgotpasswordform", {"username": "username", "_csrf": "", "reset_my_password": ""}),
        (
            "/confirmforgotPassword",
            "confirmforgotpasswordform",
            {
                "username": "username",
                "destination": "",
                "deliveryMedium": "",
                "code": "forgot_password_code",
                "password": "new_password",
                "confirmPassword": "confirm_password",
                "_csrf": "",
                "reset_password": "",
            },
        ),
        (
            "/confirm",
            "confirmform",
            {"username": "confirmFormUsername", "code": "verification_code", "_csrf": "", "confirm": ""},
        ),
    ],
)
async def test_fields_have_cognitos_names(browser: Browser, path: str, form: str, expected: dict[str, str]) -> None:
    """Scripts that fill in Amazon's pages find the same form, fields and ids; the form posts to the same address."""
    page = await browser.get(path, ASK)
    found = page.forms[form]
    assert {name: given.get("id", "") for name, given in found.inputs.items()} == expected
    assert found.action == page.url.removeprefix("http://localhost:8001")


async def test_the_documented_classes_are_there(browser: Browser) -> None:
    """Each class that a customer may style is on the page that it belongs to (reference §5.1)."""
    login = (await browser.sign_in("ada@example.com", "Wrong-password-1")).classes
    for name in (
        "background", "banner", "logo", "label", "textDescription", "submitButton", "errorMessage", "inputField",
        "redirect",
    ):  # fmt: skip
        assert f"{name}-customizable" in login
    script = (STYLE.parent / "pool.js").read_text()
    assert "passwordCheck-valid-customizable" in script
    assert "passwordCheck-notValid-customizable" in script
    signup = (await browser.get("/signup", ASK)).classes
    for name in ("lowerletter", "upperletter", "numbers", "symbols", "length", "spaces"):
        assert f"checkPassword-{name}" in signup


@pytest.mark.parametrize("path", ["/signup", "/confirmforgotPassword"])
async def test_the_page_has_the_server_s_own_checklist(browser: Browser, pool: Pool, path: str) -> None:
    """Each requirement is a line with its text and its pattern; what the page need not say unasked is hidden."""
    page = await browser.get(path, ASK)
    for rule in checklist(pool.backend.options.policy):
        hidden = " data-quiet hidden" if rule.quiet else ""
        line = f'<li class="checkPassword-{rule.name}" data-pattern="{escape(rule.pattern)}"{hidden}>{rule.text}</li>'
        assert line in page.html
    assert page.html.count("data-pattern=") == len(checklist(pool.backend.options.policy))


@pytest.mark.parametrize("name", [*STANDARD_ATTRIBUTES, "custom:shoe_size"])
def test_every_attribute_has_a_field(name: str) -> None:
    """A pool may require any attribute: each has a label for people."""
    assert attribute_field(name).label[0].isupper()


@pytest.mark.parametrize(
    ("changes", "label", "kind"),
    [
        ({"username_attributes": ("email",)}, "Email", "email"),
        ({"username_attributes": ("phone_number",)}, "Phone number", "tel"),
        ({"username_attributes": ("email", "phone_number")}, "Email or phone number", "text"),
        ({"username_attributes": (), "alias_attributes": ("email",)}, "Username", "text"),
    ],
)
async def test_the_username_field_says_what_to_type(
    tmp_path: Path, clock: Clock, changes: dict[str, object], label: str, kind: str
) -> None:
    """Label and keyboard follow the pool's sign-in options."""
    pool = create_pool(pool_options(tmp_path / "unused.db", **changes, seed_users=()), clock=clock)
    await pool.backend.storage.open()
    await pool._desk.open()
    async with Browser(pool).client as client:
        page = Page(await client.get("/login", params=ASK))
    await pool.backend.storage.aclose()
    assert f">{label}</label>" in page.html
    assert page.forms["cognitoSignInForm"].inputs["username"]["type"] == kind
    assert f"Sign in with your {label.lower()} and password" in page.text


async def test_static_files_are_served_with_their_types(browser: Browser) -> None:
    """Each file has its type and may be kept for ever; nothing else can be named."""
    page = await browser.login_page()
    for name, kind in (("pool.css", "text/css"), ("pool.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        address = re.search(rf'"(/static/{name}\?v=[0-9a-f]{{12}})"', page.html)
        assert address
        answer = await browser.once(address[1])
        assert answer.response.headers["content-type"].startswith(kind)
        assert "immutable" in answer.response.headers["cache-control"]
    for name in ("nothing.css", "..%2fbase.html", "%2e%2e/app.py", "base.html"):
        assert (await browser.once(f"/static/{name}")).status == 404


async def test_the_development_mailbox_is_for_development(
    browser: Browser, pool: Pool, tmp_path: Path, database: Path, clock: Clock
) -> None:
    """It lists the newest first and shows the code; another Host, or a pool in earnest, has no such page."""
    await browser.sign_up("grace@example.com")
    await browser.sign_up("barbara@example.com")
    page = await browser.get("/_dev/mail")
    assert page.text.index("barbara@example.com") < page.text.index("grace@example.com")
    assert pool.backend.mailbox is not None
    assert all((mail.code or "") in page.text for mail in pool.backend.mailbox.mails)
    assert (await browser.once("/_dev/mail", headers={"host": "evil.example"})).status == 404
    earnest = pool_options(database, development=False, mail=MailOptions(kind="folder", folder=tmp_path))
    async with create_pool(earnest, clock=clock) as second, Browser(second).client as client:
        assert (await client.get("/_dev/mail")).status_code == 404


async def test_the_start_page_is_for_development(
    browser: Browser, tmp_path: Path, database: Path, clock: Clock
) -> None:
    """It names the pool and leads to its documents and its mailbox; a pool in earnest has nothing there."""
    page = await browser.get("/")
    assert page.status == 200
    issuer = "http://localhost:8001/eu-west-1_AbC123xyz"
    assert "Acorn Books This user pool is running" in page.text
    assert f"Pool eu-west-1_AbC123xyz Issuer {issuer} " in page.text
    assert (await browser.get(page.links["Development mailbox"])).status == 200
    for address in (f"{issuer}/.well-known/openid-configuration", f"{issuer}/.well-known/jwks.json"):
        assert page.links[address] == address.removeprefix("http://localhost:8001")
        assert (await browser.get(page.links[address])).status == 200
    mail = MailOptions(kind="folder", folder=tmp_path)
    for development, status in ((True, 200), (False, 404)):
        options = pool_options(database, development=development, mail=mail)
        async with create_pool(options, clock=clock) as second, Browser(second).client as client:
            answer = await client.get("/")
            assert answer.status_code == status
            assert "mailbox" not in answer.text


# Contrast -------------------------------------------------------------------------------------------------------------


def tokens(text: str) -> dict[str, str]:
    """The colour tokens in one block of the style."""
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    """Contrast ratio (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_pair_of_colours_can_be_read(scheme: str) -> None:
    """4.5:1 for text, 3:1 for the edge of fields and the focus ring (WCAG 2.2 AA, 1.4.3 and 1.4.11)."""
    light, dark = STYLE.read_text().split("prefers-color-scheme: dark")
    colours = tokens(light) if scheme == "light" else tokens(dark)
    text = [
        ("ink", "card"), ("ink", "page"), ("soft", "card"), ("soft", "page"), ("ink", "field"), ("soft", "field"),
        ("link", "card"), ("on-accent", "accent"), ("on-accent", "accent-deep"), ("bad", "bad-wash"), ("bad", "card"),
        ("good", "good-wash"), ("good", "card"),
    ]  # fmt: skip
    for fore, back in text:
        assert contrast(colours[fore], colours[back]) >= 4.5, (fore, back)
    for fore, back in (("edge", "card"), ("edge", "field"), ("link", "field")):
        assert contrast(colours[fore], colours[back]) >= 3, (fore, back)
