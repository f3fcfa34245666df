"""Signing in through the gateway: one browser, many tabs, and everything that can go wrong on the way back."""

from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import pytest

from gateway.core.flow import FLOW_SECONDS
from tests.support.world import NAVIGATION, World


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


async def test_a_visit_without_a_session_goes_to_the_provider_with_state_nonce_and_pkce():
    """A cold navigation is redirected to the provider's authorize address, with everything that protects the flow."""
    world = World()

    answer = await world.visitor().navigate("/reports?year=2026")

    asked = query_of(answer.headers["location"])
    assert answer.status_code == 302
    assert answer.headers["cache-control"] == "no-store"
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert len(asked["state"]) < 1024
    assert asked["nonce"]
    assert asked["redirect_uri"] == "https://app.test/oauth2/callback"
    assert world.app.seen == []


async def test_sign_in_ends_at_the_deep_link_with_its_query():
    """A deep link survives the sign-in, its query included, and the application then sees who it is."""
    world = World()
    visitor = world.visitor()

    back = await visitor.sign_in("/reports?year=2026&next=https://b.example/c")
    page = await visitor.navigate(back.headers["location"])

    assert back.status_code == 302
    assert back.headers["location"] == "/reports?year=2026&next=https://b.example/c"
    assert page.status_code == 200
    assert world.app.last[b"x-forwarded-email"] == b"ada@example.com"
    assert world.app.last[b"x-forwarded-groups"] == b"admins,staff"


async def test_the_session_cookie_is_host_bound_and_the_application_never_sees_it():
    """The session cookie is `__Host-`, Secure, HttpOnly and Lax; none of our cookies goes upstream."""
    world = World()
    visitor = world.visitor()

    back = await visitor.sign_in()
    await visitor.navigate("/", cookie="; ".join(f"{n}={v}" for n, v in visitor.cookies.items()) + "; theirs=1")

    line = next(value for value in back.headers.get_list("set-cookie") if value.startswith("__Host-cg_session="))
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in line.split(";")}
    assert world.app.last[b"cookie"] == b"theirs=1"


async def test_any_number_of_tabs_share_one_binding():
    """Twenty tabs started one after the other all finish, with one binding cookie; one signs in, the rest go on."""
    world = World()
    visitor = world.visitor()
    starts = [await visitor.navigate(f"/tab/{number}") for number in range(20)]
    assert len([name for name in visitor.cookies if "bind" in name]) == 1

    ends = [await visitor.navigate(world.provider.sign_in(start.headers["location"])) for start in starts]

    assert [end.headers["location"] for end in ends] == [f"/tab/{number}" for number in range(20)]
    assert len(world.provider.grants) == 1


async def test_two_cold_tabs_both_finish():
    """Two requests sent before either is answered get a binding each, and both sign-ins finish."""
    world = World()
    first, second = world.visitor(), world.visitor()  # the same browser, before any cookie arrived
    one, two = await first.navigate("/one"), await second.navigate("/two")
    first.client.cookies.update(second.client.cookies)
    assert len([name for name in first.cookies if "bind" in name]) == 2

    ends = [await first.navigate(world.provider.sign_in(start.headers["location"])) for start in (one, two)]

    assert [end.headers["location"] for end in ends] == ["/one", "/two"]
    assert [name for name in first.cookies if "bind" in name] == []


async def test_more_than_eight_bindings_are_cleared():
    """A browser that collected more than eight bindings keeps one."""
    world = World()
    visitor = world.visitor()
    for _ in range(10):
        other = world.visitor()
        await other.navigate("/")
        visitor.client.cookies.update(other.client.cookies)

    await visitor.navigate("/")

    assert len([name for name in visitor.cookies if "bind" in name]) == 1


async def test_a_code_of_another_browser_signs_nobody_in():
    """O1, B12: the callback of an attacker's own flow, opened in a victim's browser, signs nobody in."""
    world = World()
    attacker, victim = world.visitor(), world.visitor()
    start = await attacker.navigate("/")
    callback = world.provider.sign_in(start.headers["location"])

    answer = await victim.navigate(callback)

    assert answer.status_code == 302
    assert urlsplit(answer.headers["location"]).path == "/oauth2/authorize"
    assert "__Host-cg_session" not in victim.cookies
    assert world.provider.grants == []


@pytest.mark.parametrize("state", ["/", "", "abc", "%00", "%ff", "A" * 9000, "//evil.example", "%2F%2Fevil.example"])
async def test_a_state_that_is_not_ours_is_a_page_with_a_way_on(state):
    """O1, O2, #2311: no crash, no redirect, no session; 400 and a page that leads to a new sign-in."""
    world = World()
    visitor = world.visitor()

    answer = await visitor.navigate(f"/oauth2/callback?code=x&state={state}")

    assert answer.status_code == 400
    assert 'href="/oauth2/login"' in answer.text
    assert visitor.cookies == {}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "&",
        "code=x",
        "state=x",
        "code=&state=",
        "code=x&code=y&state=z",
        "code=x&state=a&state=b",
        "&&&=",
        "%",
        "code",
    ],
)
async def test_a_callback_with_missing_or_repeated_parameters_is_refused(query):
    """D5, D6: a parameter that is missing or repeated is 400, whatever else is right."""
    answer = await World().visitor().navigate(f"/oauth2/callback?{query}")

    assert answer.status_code == 400


async def test_a_repeated_state_is_refused_although_both_are_genuine():
    """D5: two copies of a genuine `state` are refused before the code is redeemed (Q6)."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/")
    callback = world.provider.sign_in(start.headers["location"])

    answer = await visitor.navigate(callback + "&state=" + query_of(callback)["state"])

    assert answer.status_code == 400
    assert world.provider.grants == []


async def test_a_stale_flow_starts_again_and_then_explains():
    """A flow that took too long starts again; the third in a row that fails gets a page that explains."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/deep?x=1")

    answers = []
    for _ in range(3):
        world.now += FLOW_SECONDS
        start = await visitor.navigate(world.provider.sign_in(start.headers["location"]))
        answers.append(start.status_code)

    assert answers == [302, 302, 400]
    assert "several times in a row" in start.text
    assert "return_to=/deep%3Fx%3D1" in start.text


async def test_a_replayed_binding_cookie_is_refused_after_its_time():
    """#3369: the binding's time is sealed into it; a browser that keeps the cookie longer gains nothing."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/")
    callback = world.provider.sign_in(start.headers["location"])
    kept = dict(visitor.cookies)
    world.now += 16 * 60

    answer = await world.visitor().client.get(
        callback, headers={**NAVIGATION, "cookie": "; ".join(f"{n}={v}" for n, v in kept.items())}
    )

    assert answer.status_code == 302
    assert world.provider.grants == []


async def test_state_nonce_and_code_are_spent_at_success():
    """D15: a callback that succeeded does so once; with the same cookies as before it starts a new sign-in instead."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/")
    callback = world.provider.sign_in(start.headers["location"])
    before = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    await visitor.navigate(callback)

    replay = await world.visitor().client.get(callback, headers={**NAVIGATION, "cookie": before})

    assert urlsplit(replay.headers["location"]).path == "/oauth2/authorize"
    assert len(world.provider.grants) == 1
    assert not any("cg_session" in line for line in replay.headers.get_list("set-cookie"))


async def test_a_session_from_before_does_not_survive_a_new_sign_in():
    """Q5, C6, C16: signing in over a session gives a new one, and the old cookie opens nothing from then on."""
    world = World()
    visitor = world.visitor()
    await visitor.sign_in()
    old = visitor.cookies["__Host-cg_session"]
    another_flow = await visitor.navigate("/oauth2/login?return_to=/", cookie="")  # as if begun before signing in
    await visitor.navigate(world.provider.sign_in(another_flow.headers["location"]))

    with_old = await world.visitor().navigate("/", cookie=f"__Host-cg_session={old}")

    assert visitor.cookies["__Host-cg_session"] != old
    assert with_old.status_code == 302


async def test_the_provider_refusing_the_code_starts_again():
    """A code that the provider refuses is treated as a stale flow: started again, counted, explained."""
    world = World()
    visitor = world.visitor()
    world.provider.refusal = "invalid_grant"

    answer = await visitor.sign_in()
    statuses = [answer.status_code]
    for _ in range(2):
        answer = await visitor.navigate(world.provider.sign_in(answer.headers["location"]))
        statuses.append(answer.status_code)

    assert statuses == [302, 302, 400]


async def test_a_client_that_the_provider_does_not_know_is_said_at_once():
    """`invalid_client` never gets better by starting again: one page, no loop."""
    world = World()
    world.provider.refusal = "invalid_client"

    answer = await world.visitor().sign_in()

    assert answer.status_code == 502
    assert "does not accept this gateway" in answer.text


async def test_a_provider_that_is_down_at_the_callback_is_503_with_a_way_on():
    """An exchange that cannot be made is 503 with Retry-After and a link that keeps the deep link."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/deep?x=1")
    world.provider.down = True

    answer = await visitor.navigate(world.provider.sign_in(start.headers["location"]))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "/oauth2/login?return_to=/deep%3Fx%3D1" in answer.text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"nonce": "another"}, "nonce of another flow"),
        ({"nonce": None}, "no nonce"),
        ({"aud": "another-client"}, "audience"),
        ({"iss": "https://evil.example"}, "issuer"),
        ({"token_use": "access"}, "an access token in the ID token's place"),
        ({"exp": None}, "no expiry"),
        ({"aud": {"a": 1}}, "Q9: an audience that is neither text nor list"),
    ],
)
async def test_an_id_token_that_does_not_verify_signs_nobody_in(changes, why):
    """D3, D11, Q9: whatever is wrong with the ID token, the answer is the same page, and nobody is signed in."""
    world = World()
    visitor = world.visitor()
    world.provider.claims = changes

    answer = await visitor.sign_in()

    assert answer.status_code == 502, why
    assert "__Host-cg_session" not in visitor.cookies


async def test_the_provider_s_error_is_readable_and_escaped():
    """H1, H2: the error's text is shown escaped and shortened, with a way on that keeps the deep link."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/deep")

    answer = await visitor.navigate(
        world.provider.refuse(start.headers["location"], "access_denied", "<script>alert(1)</script>" + "x" * 3000)
    )

    assert answer.status_code == 403
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert len(answer.text) < 8000
    assert "/oauth2/login?return_to=/deep" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_an_error_without_our_state_never_looks_like_a_server_error():
    """A stranger can make the callback show an error page, but only as a 400."""
    answer = await World().visitor().navigate("/oauth2/callback?error=server_error&state=forged")

    assert answer.status_code == 400


async def test_a_browser_without_cookies_gets_a_page_and_no_loop():
    """Redirect-loop breaker: a browser that keeps no cookie is sent round three times at most."""
    world = World()
    address, answers = "/", []
    for _ in range(5):
        start = await world.visitor().navigate(address)
        answers.append(start.status_code)
        if start.status_code != 302:
            break
        address = world.provider.sign_in(start.headers["location"])

    assert answers == [302, 302, 302, 400]


async def test_a_browser_that_drops_the_session_cookie_gets_a_page_and_no_loop():
    """Redirect-loop breaker: sign-ins that succeed again and again without a session end on a page."""
    world = World()
    visitor = world.visitor()
    answers = []
    for _ in range(6):
        start = await visitor.navigate("/")
        answers.append(start.status_code)
        if start.status_code != 302:
            break
        await visitor.navigate(world.provider.sign_in(start.headers["location"]))
        visitor.client.cookies.delete("__Host-cg_session")

    assert answers == [302, 302, 302, 302, 400]


async def test_a_very_long_deep_link_rides_in_a_cookie_of_the_callback():
    """A return address too long for `state` comes back all the same, in a cookie that only the callback gets."""
    world = World()
    visitor = world.visitor()
    long = "/search?q=" + "x" * 2500

    start = await visitor.navigate(long)
    line = next(value for value in start.headers.get_list("set-cookie") if "cg_return" in value)
    back = await visitor.navigate(world.provider.sign_in(start.headers["location"]))

    assert len(query_of(start.headers["location"])["state"]) < 1024
    assert "Path=/oauth2/callback" in line
    assert line.startswith("__Secure-cg_return_")
    assert back.headers["location"] == long


async def test_an_endless_deep_link_is_given_up_quietly():
    """A return address that no cookie holds leads to the start page instead; sign-in works."""
    world = World()
    visitor = world.visitor()

    back = await visitor.sign_in("/search?q=" + "x" * 12_000)

    assert back.headers["location"] == "/"


async def test_the_provider_s_parameters_cannot_be_set_from_outside():
    """D10: nothing in the query of the login address reaches the authorize request."""
    world = World()

    answer = await world.visitor().navigate(
        "/oauth2/login?return_to=/x&redirect_uri=https://evil.example&scope=admin&prompt=none&client_id=evil"
    )

    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["redirect_uri"] == ["https://app.test/oauth2/callback"]
    assert asked["scope"] == ["openid email"]
    assert asked["client_id"] != ["evil"]
    assert "prompt" not in asked


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/%09/evil.example",
     "https:evil", "https://app.test@evil.example", "/./\\evil.example", "/\t/evil.example", "http://app.test.evil.example/"],
)  # fmt: skip
async def test_login_never_returns_elsewhere(target):
    """B1-B5, O2-O5: whatever `return_to` says, the browser ends on our own origin."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate(f"/oauth2/login?return_to={quote(target, safe='')}")

    back = await visitor.navigate(world.provider.sign_in(start.headers["location"]))

    assert back.headers["location"] == "/"


async def test_login_of_somebody_signed_in_goes_on():
    """The login address of a signed-in visitor leads straight to the return address."""
    world = World()
    visitor = world.visitor()
    await visitor.sign_in()

    answer = await visitor.navigate("/oauth2/login?return_to=/reports")

    assert answer.headers["location"] == "/reports"


async def test_a_disconnect_during_the_exchange_leaves_no_half_session():
    """F8: the client goes away while the code is redeemed: no crash, and the log stays clean of the code."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/")
    callback = world.provider.sign_in(start.headers["location"])
    parts = urlsplit(callback)
    scope = {
        "type": "http", "method": "GET", "path": parts.path, "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(), "client": ("192.0.2.7", 1), "scheme": "https",
        "headers": [(b"cookie", "; ".join(f"{n}={v}" for n, v in visitor.cookies.items()).encode())],
    }  # fmt: skip

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        raise OSError("the client went away")

    with pytest.raises(OSError, match="went away"):
        await world.gateway(scope, receive, send)

    assert "code-" not in world.log.getvalue()
