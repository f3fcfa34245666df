"""Signing out: here, at the provider, and only when the person wants it."""

import re
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.support.world import NAVIGATION, SETTINGS, World

SAME = {**NAVIGATION, "sec-fetch-site": "same-origin"}


async def signed_in(world=None):
    world = world or World()
    visitor = world.visitor()
    await visitor.sign_in()
    return world, visitor


async def test_sign_out_ends_both_sessions():
    """O14, C10: POST expires every cookie of ours with its attributes, and leads to the provider's sign-out."""
    world, visitor = await signed_in()

    answer = await visitor.fetch("/oauth2/logout", "POST", headers=SAME)

    gone = [line for line in answer.headers.get_list("set-cookie") if line.startswith("__Host-cg_session=")]
    assert answer.status_code == 303
    assert urlsplit(answer.headers["location"]).path == "/logout"
    assert dict(parse_qsl(urlsplit(answer.headers["location"]).query))["logout_uri"] == "https://app.test/"
    assert len(gone) == 1
    assert {"Max-Age=0", "Secure", "Path=/", "HttpOnly"} <= {part.strip() for part in gone[0].split(";")}
    assert "__Host-cg_session" not in visitor.cookies
    assert world.provider.revoked == ["refresh-2"]


@pytest.mark.parametrize("headers", [SAME, {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}])
async def test_sign_out_clears_the_browser_s_cache(headers):
    """U10: pages that the application let the browser keep go with the session; cookies of other hosts and the
    application's storage stay."""
    _, visitor = await signed_in()

    answer = await visitor.fetch("/oauth2/logout", "POST", headers=headers)

    assert answer.headers["clear-site-data"] == '"cache"'
    assert "clear-site-data" not in (await visitor.fetch("/oauth2/logout", headers=SAME)).headers


async def test_over_plain_http_no_cache_is_cleared():
    """U10: browsers heed Clear-Site-Data over https alone, and say so in the console."""
    world = World({"public_url": "http://localhost:8000"})

    answer = await world.visitor().fetch("/oauth2/logout", "POST", headers=SAME)

    assert answer.status_code == 303
    assert "clear-site-data" not in answer.headers


async def test_a_copied_cookie_is_worth_nothing_after_sign_out():
    """C11: sign-out ends the session, not only the cookie: a copy made before opens nothing."""
    world, visitor = await signed_in()
    copy = visitor.cookies["__Host-cg_session"]
    await visitor.fetch("/oauth2/logout", "POST", headers=SAME)

    answer = await world.visitor().navigate("/", cookie=f"__Host-cg_session={copy}")

    assert answer.status_code == 302


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://app.test.evil.example"},
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {},
    ],
)
async def test_another_site_cannot_sign_anybody_out(headers):
    """Q7: without our token, only a request that the browser itself calls same-origin signs out."""
    world, visitor = await signed_in()

    answer = await visitor.fetch("/oauth2/logout", "POST", headers={"accept": "text/html", **headers})

    assert answer.status_code == 403
    assert answer.headers.get_list("set-cookie") == []
    assert (await visitor.navigate("/")).status_code == 200
    assert world.provider.revoked == []


async def test_an_application_s_own_form_works_in_a_browser_without_fetch_metadata():
    """Q7: `Origin` alone, when it is ours, is enough."""
    _, visitor = await signed_in()

    answer = await visitor.fetch(
        "/oauth2/logout", "POST", headers={"accept": "text/html", "origin": "https://app.test"}
    )

    assert answer.status_code == 303


async def test_get_asks_first_and_its_form_signs_out():
    """Q7: GET changes nothing; its page holds a form whose token is good for this session alone."""
    world, visitor = await signed_in()
    page = await visitor.navigate("/oauth2/logout")
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
    _, other = await signed_in(world)

    stolen = await other.fetch("/oauth2/logout", "POST", data={"csrf_token": token}, headers={"accept": "text/html"})
    own = await visitor.fetch("/oauth2/logout", "POST", data={"csrf_token": token}, headers={"accept": "text/html"})

    assert page.status_code == 200
    assert page.headers.get_list("set-cookie") == []
    assert stolen.status_code == 403
    assert own.status_code == 303


@pytest.mark.parametrize("token", ["", "x", "nobody", "nobody.AAAA", "\ud800".encode("utf-8", "surrogatepass")])
async def test_a_forged_form_token_signs_nobody_out(token):
    """Q7, C12: a token that we did not sign is refused, whatever it is."""
    _, visitor = await signed_in()

    answer = await visitor.fetch("/oauth2/logout", "POST", data={"csrf_token": token}, headers={"accept": "text/html"})

    assert answer.status_code == 403


async def test_sign_out_without_a_session_does_not_crash():
    """Q8: nobody is signed in: the browser goes to the provider's sign-out all the same."""
    answer = await World().visitor().fetch("/oauth2/logout", "POST", headers=SAME)

    assert answer.status_code == 303


async def test_sign_out_by_script_answers_json():
    """A script gets the provider's address to go to, not a redirect that it cannot follow."""
    _, visitor = await signed_in()
    headers = {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "accept": "application/json"}

    answer = await visitor.fetch("/oauth2/logout", "POST", headers=headers)

    assert answer.status_code == 200
    assert answer.json()["signed_out"] is True
    assert urlsplit(answer.json()["logout_url"]).path == "/logout"


async def test_a_provider_that_is_down_does_not_keep_anybody_signed_in():
    """The revocation is best effort: sign-out works while the provider does not answer."""
    world, visitor = await signed_in()
    world.provider.down = True

    answer = await visitor.fetch("/oauth2/logout", "POST", headers=SAME)

    assert answer.status_code == 303
    assert "__Host-cg_session" not in visitor.cookies


async def test_an_enormous_form_is_refused():
    """A sign-out form larger than 8 KiB is 400; the session stays."""
    _, visitor = await signed_in()

    answer = await visitor.fetch("/oauth2/logout", "POST", content=b"a" * 20_000, headers={"accept": "text/html"})

    assert answer.status_code == 400
    assert (await visitor.navigate("/")).status_code == 200


async def test_the_host_header_reaches_no_redirect():
    """B6, B7: the sign-out address is made from the settings; Host and X-Forwarded-* change nothing."""
    _, visitor = await signed_in()

    answer = await visitor.fetch(
        "/oauth2/logout",
        "POST",
        headers={**SAME, "host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "evil"},
    )

    assert "evil" not in answer.headers["location"]


async def test_no_token_is_in_the_sign_out_address():
    """Q7: the address at the provider's host carries no token."""
    _, visitor = await signed_in()

    answer = await visitor.fetch("/oauth2/logout", "POST", headers=SAME)

    assert "eyJ" not in answer.headers["location"]
    assert "refresh" not in answer.headers["location"]


async def test_two_gateways_of_one_host_do_not_sign_each_other_out():
    """V7: with a `session.cookie_name` of its own, a gateway on another port of the same host signs in, refreshes and
    signs out without touching the first one's cookies (cookies know no ports)."""
    one = World()
    other = World({"session": {**SETTINGS["session"], "cookie_name": "cg_payroll_session", "idle_timeout": "1h"}})
    visitor, jar = one.visitor(), other.visitor()
    await visitor.sign_in()
    jar.client._cookies = visitor.client._cookies  # one browser
    first = dict(visitor.cookies)

    await jar.sign_in()
    both = dict(visitor.cookies)
    await jar.fetch("/oauth2/logout", "POST", headers=SAME)

    assert {
        "__Host-cg_payroll_session",
        "__Host-cg_payroll_idle",
        "__Host-cg_payroll_signins",
    } == both.keys() - first.keys()
    assert {name: value for name, value in visitor.cookies.items() if name in first} == first
    assert (await visitor.navigate("/")).status_code == 200
    assert (await jar.navigate("/")).status_code == 302
    assert b"cookie" not in one.app.last
