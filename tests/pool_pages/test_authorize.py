"""The decision on an authorization request, as a pure table and over HTTP."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from gateway.pool.authorize import (
    AuthorizeRequest,
    BackToClient,
    ErrorPage,
    IssueCode,
    SignIn,
    code_location,
    next_step,
    read_authorize,
)
from gateway.pool.forms import Params
from gateway.pool.records import AppClient, ResourceServer
from tests.pool_pages.browser import ASK, BASE, CALLBACK, CHALLENGE, CLIENT_ID, PASSWORD, SIGNED_OUT, Browser
from tests.pool_pages.conftest import START, Clock

CLIENT = AppClient(
    client_id=CLIENT_ID, callback_urls=(CALLBACK,), allowed_scopes=("openid", "email", "api/read", "gone/read")
)
TWO = AppClient(client_id="two", callback_urls=("https://a.example/cb", "https://b.example/cb?x=1"))
SERVERS = (ResourceServer(identifier="api", scopes={"read": "Read"}),)


def read(
    changes: dict[str, str] | None = None, *, client: AppClient | None = CLIENT, also: tuple[tuple[str, str], ...] = ()
) -> AuthorizeRequest | ErrorPage | BackToClient:
    """The decision on the usual request with `changes`; an empty text takes a parameter away."""
    asked = {name: value for name, value in (ASK | (changes or {})).items() if value}
    return read_authorize(Params((*asked.items(), *also)), client, SERVERS)


def error_of(result: object) -> dict[str, str]:
    """What the client is told."""
    assert isinstance(result, BackToClient)
    return dict(parse_qsl(urlsplit(result.location).query))


def test_a_good_request_is_read_whole() -> None:
    """Every parameter of a usual request is kept as it came."""
    asked = read(
        {"max_age": "60", "prompt": "login", "login_hint": "ada@example.com", "resource": "https://api.example"}
    )
    assert asked == AuthorizeRequest(
        client=CLIENT,
        redirect_uri=CALLBACK,
        scopes=("openid", "email"),
        state="st4te",
        nonce="n0nce",
        code_challenge=CHALLENGE,
        prompts=frozenset({"login"}),
        max_age=60,
        login_hint="ada@example.com",
        resource="https://api.example",
    )


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": ""}, "invalid_request"),
        ({"response_type": "id_token"}, "invalid_request"),
        ({"response_type": "code token"}, "invalid_request"),
        ({"response_type": "token"}, "unauthorized_client"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": CHALLENGE + "="}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1e3"}, "invalid_request"),
        ({"max_age": "²"}, "invalid_request"),
        ({"resource": "http://api.example"}, "invalid_request"),
        ({"resource": "https://api.example/#f"}, "invalid_request"),
    ],
)
def test_a_request_that_does_not_hold_together_goes_back_to_the_client(changes: dict[str, str], error: str) -> None:
    """The client is told `error` and its state, at its registered address."""
    assert error_of(read(changes)) == {"state": "st4te", "error": error}


@pytest.mark.parametrize("scope", ["openid nonsense", "phone openid", "email", "openid api/write", "OPENID"])
def test_a_bad_scope_is_told_in_the_real_services_shape(scope: str) -> None:
    """`error_description=invalid_scope&state=…&error=invalid_request`, whatever the documentation says."""
    result = read({"scope": scope})
    assert isinstance(result, BackToClient)
    assert result.location == f"{CALLBACK}?error_description=invalid_scope&state=st4te&error=invalid_request"


def test_no_scope_means_all_of_the_clients() -> None:
    """Left out, `scope` is everything the client may have and that still exists."""
    asked = read({"scope": ""})
    assert isinstance(asked, AuthorizeRequest)
    assert asked.scopes == ("openid", "email", "api/read")


def test_the_scope_of_a_deleted_resource_server_is_ignored() -> None:
    """It is on the client but no longer exists: granted without it, no error."""
    asked = read({"scope": "openid gone/read"})
    assert isinstance(asked, AuthorizeRequest)
    assert asked.scopes == ("openid",)


def test_a_client_that_must_use_pkce_is_held_to_it() -> None:
    """`require_pkce` refuses a request without a challenge (R2)."""
    strict = AppClient(client_id=CLIENT_ID, callback_urls=(CALLBACK,), require_pkce=True)
    assert (
        error_of(read({"code_challenge": "", "code_challenge_method": ""}, client=strict))["error"] == "invalid_request"
    )


def test_a_machine_client_cannot_send_browsers() -> None:
    """Without the code flow the client is told `unauthorized_client`."""
    machine = AppClient(client_id=CLIENT_ID, callback_urls=(CALLBACK,), allowed_flows=frozenset({"implicit"}))
    assert error_of(read(client=machine))["error"] == "unauthorized_client"


@pytest.mark.parametrize("name", ["state", "scope", "response_type", "nonce", "code_challenge", "prompt"])
def test_a_repeated_parameter_is_refused(name: str) -> None:
    """D5: no parameter may come twice (RFC 6749 §3.1)."""
    assert error_of(read(also=((name, ASK.get(name, "x")), (name, "y"))))["error"] == "invalid_request"


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_repeated_address_or_client_is_never_a_redirect(name: str) -> None:
    """R5: two addresses are no address, even when both are the same."""
    result = read(also=((name, ASK[name]),))
    assert result == ErrorPage(f"error=redirect_mismatch&client_id={CLIENT_ID}", ("redirect_uri", CALLBACK))


VARIANTS = [
    CALLBACK + "/",
    CALLBACK + "?",
    CALLBACK + "?x=1",
    CALLBACK + "#",
    CALLBACK + "/../callback",
    CALLBACK.upper(),
    CALLBACK.replace("http:", "HTTP:"),
    CALLBACK.replace("localhost", "LOCALHOST"),
    CALLBACK.replace("localhost", "127.0.0.1"),
    CALLBACK.replace("localhost", "localhost.evil.example"),
    CALLBACK.replace("//localhost", "//evil.example\\@localhost"),
    CALLBACK.replace("//localhost", "//localhost@evil.example"),
    CALLBACK.replace("oauth2", "%6fauth2"),
    CALLBACK.replace(":8000", ":08000"),
    CALLBACK + "\u00a0",
    " " + CALLBACK,
    "//localhost:8000/oauth2/callback",
    "/oauth2/callback",
    "javascript:alert(1)",
    "https://evil.example/",
]


@pytest.mark.parametrize("address", VARIANTS)
def test_an_address_is_compared_as_an_exact_string(address: str) -> None:
    """R5: nothing but the registered text leads back to the client; the error page gets no address."""
    refused = read({"redirect_uri": address})
    assert isinstance(refused, ErrorPage)
    assert refused.address(development=False) == f"/error?error=redirect_mismatch&client_id={CLIENT_ID}"


def test_an_unknown_client_looks_like_a_wrong_address() -> None:
    """R5: the own error page, never a redirect; whether the client exists is not told."""
    assert read(client=None) == ErrorPage(f"error=redirect_mismatch&client_id={CLIENT_ID}", ("redirect_uri", CALLBACK))


def test_the_only_address_may_be_left_out_and_one_of_two_may_not() -> None:
    """A client with one callback falls back to it; with two, the parameter is missing."""
    asked = read({"redirect_uri": ""})
    assert isinstance(asked, AuthorizeRequest)
    assert asked.redirect_uri == CALLBACK
    assert isinstance(read({"redirect_uri": ""}, client=TWO), ErrorPage)


@pytest.mark.property
@given(address=st.text(max_size=60), state=st.text(max_size=60), scope=st.text(max_size=20), prompt=st.text(max_size=8))
def test_whatever_is_asked_a_redirect_goes_to_a_registered_address(
    address: str, state: str, scope: str, prompt: str
) -> None:
    """R5: for any parameters, the answer is our own page or begins with a registered address."""
    result = read({"redirect_uri": address, "state": state, "scope": scope, "prompt": prompt})
    if isinstance(result, BackToClient):
        assert result.location.startswith(f"{CALLBACK}?")
        assert dict(parse_qsl(urlsplit(result.location).query, keep_blank_values=True)).get("state", "") == state
    elif isinstance(result, AuthorizeRequest):
        assert result.redirect_uri == CALLBACK
        assert code_location(result, "c").startswith(f"{CALLBACK}?code=c")


def test_an_address_with_a_query_keeps_it() -> None:
    """Parameters are added to the client's own (RFC 6749 §3.1.2)."""
    asked = read({"redirect_uri": TWO.callback_urls[1], "scope": "openid"}, client=TWO)
    assert isinstance(asked, AuthorizeRequest)
    assert code_location(asked, "c0de") == "https://b.example/cb?x=1&code=c0de&state=st4te"


@pytest.mark.parametrize(
    ("prompt", "max_age", "age", "expected"),
    [
        ("", "", None, SignIn),
        ("", "", 10, IssueCode),
        ("", "10", 10, IssueCode),
        ("", "10", 11, SignIn),
        ("", "0", 1, SignIn),
        ("", "0", 0, SignIn),
        ("none", "0", 0, BackToClient),
        ("login", "", 10, SignIn),
        ("select_account", "", 10, SignIn),
        ("consent", "", 10, IssueCode),
        ("create", "", 10, IssueCode),
        ("none", "", 10, IssueCode),
        ("none", "", None, BackToClient),
        ("none", "5", 6, BackToClient),
    ],
)
def test_what_a_session_is_good_for(prompt: str, max_age: str, age: int | None, expected: type) -> None:
    """`prompt` and `max_age` against the session's age in seconds (OpenID Connect Core §3.1.2.1)."""
    asked = read({"prompt": prompt, "max_age": max_age})
    assert isinstance(asked, AuthorizeRequest)
    assert isinstance(next_step(asked, None if age is None else START - age, START), expected)


# Over HTTP ------------------------------------------------------------------------------------------------------------


async def test_prompt_none_without_a_session_is_login_required(browser: Browser) -> None:
    """The client is told silently, with its state."""
    page = await browser.once("/oauth2/authorize", ASK | {"prompt": "none"})
    assert page.location == f"{CALLBACK}?state=st4te&error=login_required"


async def test_max_age_asks_for_the_password_again(browser: Browser, clock: Clock) -> None:
    """A session older than `max_age` leads to the sign-in page; a younger one to a code."""
    await browser.sign_in("ada@example.com", PASSWORD)
    clock.now += 61
    assert (await browser.once("/authorize", ASK | {"max_age": "60"})).location.startswith(f"{BASE}/login")
    assert (await browser.once("/authorize", ASK | {"max_age": "61"})).location.startswith(CALLBACK)


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/oauth2/authorize", ASK | {"redirect_uri": "https://evil.example/"}),
        ("/oauth2/authorize", ASK | {"client_id": "nobody"}),
        ("/login", ASK | {"redirect_uri": "https://evil.example/"}),
        ("/signup", ASK | {"client_id": "nobody"}),
        ("/forgotPassword", ASK | {"redirect_uri": CALLBACK + "/"}),
    ],
)
async def test_a_mismatch_ends_at_the_pools_error_page(production: Browser, path: str, params: dict[str, str]) -> None:
    """R5: 302 to `/error?error=redirect_mismatch&client_id=…`, which names the reason and links nowhere."""
    page = await production.once(path, params)
    assert page.location == f"{BASE}/error?error=redirect_mismatch&client_id={params['client_id']}"
    page = await production.get(path, params)
    assert page.status == 400
    assert "An error was encountered with the requested page." in page.text
    assert "redirect_mismatch" in page.text
    assert page.links == {}


@pytest.mark.parametrize(
    ("path", "params", "facts"),
    [
        ("/oauth2/authorize", {"redirect_uri": CALLBACK + "/"}, [CALLBACK + "/", CALLBACK]),
        ("/login", {"redirect_uri": "https://evil.example/?a=b&c=<d>"}, ["https://evil.example/?a=b&c=<d>", CALLBACK]),
        ("/signup", {"client_id": "nobody"}, ["nobody", CLIENT_ID, "two", "machine", "strict"]),
        ("/logout", {"logout_uri": CALLBACK}, [CALLBACK, SIGNED_OUT]),
        ("/logout", {"redirect_uri": SIGNED_OUT}, [SIGNED_OUT, CALLBACK]),
        ("/logout", {"client_id": "two", "logout_uri": SIGNED_OUT}, [SIGNED_OUT, "(none)"]),
    ],
)
async def test_a_developer_sees_what_does_not_match(
    browser: Browser, path: str, params: dict[str, str], facts: list[str]
) -> None:
    """In development the page names what was asked for, and then what is registered."""
    page = await browser.get(path, ASK | params)
    assert page.status == 400
    assert re.findall(r"<dd><code>(.*?)</code></dd>", page.html) == [escape(fact) for fact in facts]


async def test_outside_development_nothing_registered_is_shown(production: Browser) -> None:
    """H2, R14: the error page of a pool in production repeats nothing, and tells nothing about its clients."""
    params = {"error": "redirect_mismatch", "client_id": CLIENT_ID, "redirect_uri": "https://evil.example/"}
    page = await production.get("/error", params)
    assert "evil.example" not in page.html
    assert "localhost:8000" not in page.html
    assert "facts" not in page.html


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_a_missing_parameter_is_named(browser: Browser, name: str) -> None:
    """The error page tells which one, in Cognito's words."""
    params = {key: value for key, value in (ASK | {"client_id": "two"}).items() if key != name}
    page = await browser.get("/oauth2/authorize", params)
    assert page.status == 400
    assert f"Required String parameter '{name}' is not present" in page.text
