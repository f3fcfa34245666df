"""Signing in through the gateway: one browser, many tabs, and everything that can go wrong on the way back."""

import asyncio
import base64
import hashlib
import html
import re
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import httpx
import pytest

from gateway.core.flow import FLOW_SECONDS
from tests.support.world import NAVIGATION, SETTINGS, World, long_address


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
    """A browser that collected more than eight bindings keeps its own, and few others."""
    world = World()
    visitor = world.visitor()
    for _ in range(10):
        other = world.visitor()
        await other.navigate("/")
        visitor.client.cookies.update(other.client.cookies)

    start = await visitor.navigate("/deep")
    left = [name for name in visitor.cookies if "bind" in name]
    back = await visitor.navigate(world.provider.sign_in(start.headers["location"]))

    assert len(left) == 2
    assert back.headers["location"] == "/deep"


def planted(number: int) -> dict[str, str]:
    return {f"__Host-cg_bind_{n:04d}": "AAAA" for n in range(number)}


def cookie_line(*jars: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for jar in jars for name, value in jar.items())


@pytest.mark.parametrize("method", ["cold visit", "callback", "sign-out"])
async def test_hundreds_of_stale_bindings_are_not_answered_by_hundreds_of_lines(method):
    """V3: whoever plants binding cookies by the hundred gets few Set-Cookie lines back, at each of our addresses."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/")
    line = cookie_line(planted(300), visitor.cookies)
    asked = {
        "cold visit": ("GET", "/", {}),
        "callback": ("GET", world.provider.sign_in(start.headers["location"]), {}),
        "sign-out": ("POST", "/oauth2/logout", {"sec-fetch-site": "same-origin"}),
    }
    verb, address, more = asked[method]

    answer = await world.visitor().fetch(address, verb, headers={**NAVIGATION, **more, "cookie": line})

    assert answer.status_code in {302, 303}
    assert len(answer.headers.get_list("set-cookie")) <= 11


async def test_planted_bindings_do_not_hide_the_genuine_one():
    """V3: the callback looks for the one binding that its flow names, however many others stand before it."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/deep")
    line = cookie_line(planted(300), visitor.cookies)

    back = await world.visitor().navigate(world.provider.sign_in(start.headers["location"]), cookie=line)

    assert back.headers["location"] == "/deep"
    assert any(line.startswith("__Host-cg_session=") for line in back.headers.get_list("set-cookie"))


@pytest.mark.parametrize("refusal", ["invalid_grant", None])
async def test_one_state_and_binding_buy_one_call_of_the_token_endpoint(refusal):
    """V4: a flow that came to the callback calls the provider once, whatever codes follow and whatever came of the
    first; the same cookies and `state` start a new sign-in instead."""
    world = World()
    world.provider.refusal = refusal
    visitor = world.visitor()
    start = await visitor.navigate("/")
    state = query_of(start.headers["location"])["state"]
    cookie = cookie_line(visitor.cookies)

    answers = [
        await world.visitor().navigate(f"/oauth2/callback?code=guess-{n}&state={state}", cookie=cookie)
        for n in range(5)
    ]

    assert len(world.provider.grants) == 1
    assert [urlsplit(answer.headers["location"]).path for answer in answers[1:]] == ["/oauth2/authorize"] * 4


async def test_a_flow_that_came_twice_leaves_the_binding_to_other_tabs():
    """V4: the second arrival of one tab's flow takes nothing from another tab: its sign-in finishes."""
    world = World()
    visitor = world.visitor()
    one, two = await visitor.navigate("/one"), await visitor.navigate("/two")
    state = query_of(one.headers["location"])["state"]
    for n in range(2):
        await visitor.navigate(f"/oauth2/callback?code=guess-{n}&state={state}")

    back = await visitor.navigate(world.provider.sign_in(two.headers["location"]))

    assert back.headers["location"] == "/two"
    assert "__Host-cg_session" in visitor.cookies


async def test_a_flow_in_use_twice_at_the_same_time_calls_the_provider_once():
    """V4: two callbacks at the same moment are one call, not a race."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/")
    callback = world.provider.sign_in(start.headers["location"])

    answers = await asyncio.gather(*(visitor.navigate(callback) for _ in range(3)))

    assert len(world.provider.grants) == 1
    assert "/" in [urlsplit(answer.headers["location"]).path for answer in answers]


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
    assert "15 minutes" in start.text
    assert "cookie" not in start.text
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
    assert "did not accept" in answer.text
    assert "cookie" not in answer.text


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


@pytest.mark.parametrize("state", ["", "&state=forged", "&state={}"])
async def test_a_stranger_s_words_are_not_shown(state):
    """V6, H2: an error that does not belong to a flow of this browser shows a page of ours without the words that came
    with it, be its `state` missing, forged, or genuine and made for somebody else."""
    world = World()
    start = await world.visitor().navigate("/")
    query = "error=server_error&error_description=Call+0800+1234" + state.format(
        query_of(start.headers["location"])["state"]
    )

    answer = await world.visitor().navigate(f"/oauth2/callback?{query}")

    assert answer.status_code == 400
    assert "0800" not in answer.text
    assert "server_error" not in answer.text


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


def goes_to(answer: httpx.Response) -> str:
    """Where a browser goes next: by a redirect, or by a page that goes on by itself."""
    if answer.status_code == 302:
        return answer.headers["location"]
    refresh = re.search(r"""http-equiv="refresh" content="0;url=&#x27;([^"]+)&#x27;">""", answer.text)
    assert refresh, answer.text
    return html.unescape(refresh[1])


@pytest.mark.parametrize("length", [700, 1200, 2000, 2900])
async def test_a_long_deep_link_comes_back(length):
    """A return address of any likely length comes back; `state` stays under 1 KB, and a rest rides in a cookie that
    only the callback gets."""
    world = World()
    visitor = world.visitor()
    long = long_address(length)

    start = await visitor.navigate(long)
    lines = [value for value in start.headers.get_list("set-cookie") if "cg_return" in value]
    back = await visitor.navigate(world.provider.sign_in(start.headers["location"]))

    assert len(query_of(start.headers["location"])["state"]) < 1024
    assert len(lines) == (length > 1100)
    assert all("Path=/oauth2/callback" in line and line.startswith("__Secure-cg_return_") for line in lines)
    assert goes_to(back) == long
    assert [name for name in visitor.cookies if "cg_return" in name] == []


async def test_an_address_that_no_header_can_carry_is_reached_by_a_page():
    """V5: where session and address together exceed what a server in front takes as a head, a page goes on to it; what
    the address holds stays within its quotes."""
    visitor = World().visitor()
    long = "/?q=';url=//evil&\"<b>" + "x" * 4000

    back = await visitor.sign_in(long)
    address = goes_to(back)

    assert back.status_code == 200
    assert "__Host-cg_session" in visitor.cookies
    assert "'" not in address
    assert "<b>" not in back.text
    assert address.startswith("/?q=%27;url=//evil&")


async def test_what_repeats_itself_needs_no_cookie():
    """A return address that packs well rides in `state`, were it 12,000 characters long."""
    world = World()
    visitor = world.visitor()
    long = "/search?q=" + "filter[]=name&" * 850

    back = await visitor.sign_in(long)

    assert len(long) > 11_000
    assert goes_to(back) == long


@pytest.mark.parametrize("tabs", [2, 3])
async def test_every_tab_with_a_long_address_gets_its_own_back(tabs):
    """Tabs one after the other use slots of their own, in every round."""
    for turn in range(12):
        world = World()
        visitor = world.visitor()
        wanted = [long_address(2500, f"{turn}.{tab}") for tab in range(tabs)]
        starts = [await visitor.navigate(address) for address in wanted]

        ends = [await visitor.navigate(world.provider.sign_in(start.headers["location"])) for start in starts]

        assert [end.headers["location"] for end in ends] == wanted


async def test_nothing_exceeds_what_a_default_nginx_in_front_lets_pass():
    """V5: with long addresses in three tabs and bindings left over, each response head of a sign-in is below 4 KiB, and
    the Cookie line at the callback below 8 KiB (nginx's proxy_buffer_size and large_client_header_buffers)."""
    world = World()
    visitor = world.visitor()
    for _ in range(7):
        other = world.visitor()
        await other.navigate("/")
        visitor.client.cookies.update(other.client.cookies)
    starts = [await visitor.navigate(long_address(2900, f"{tab}")) for tab in range(3)]
    line = cookie_line(visitor.cookies)
    ends = [await visitor.navigate(world.provider.sign_in(start.headers["location"])) for start in starts]

    assert len(line) < 8192 - 2600
    assert [goes_to(end) for end in ends] == [long_address(2900, f"{tab}") for tab in range(3)]
    for answer in [*starts, *ends]:
        assert len("HTTP/1.1 302 Found\r\n") + sum(len(n) + len(v) + 4 for n, v in answer.headers.raw) < 4096 - 200


async def test_an_address_that_cannot_be_kept_is_said_before_the_sign_in(caplog):
    """A return address that neither `state` nor a cookie holds gets a page that says so, and a line in the log."""
    caplog.set_level("INFO")
    world = World()
    visitor = world.visitor()

    answer = await visitor.navigate(long_address(6000))

    assert answer.status_code == 401
    assert "too long to be kept" in answer.text
    assert 'href="/oauth2/login?return_to=/"' in answer.text
    assert "6000 characters" in caplog.text
    assert visitor.cookies == {}


async def test_a_fourth_long_address_is_said_too():
    """With all slots in use the page comes instead of a fourth cookie; after their time they are free again."""
    world = World()
    visitor = world.visitor()
    for tab in range(3):
        await visitor.navigate(long_address(2500, f"{tab}"))

    fourth = await visitor.navigate(long_address(2500, "3"))
    world.now += FLOW_SECONDS
    later = await visitor.navigate(long_address(2500, "3"))

    assert fourth.status_code == 401
    assert later.status_code == 302


async def test_an_address_whose_cookie_is_gone_is_said_after_the_sign_in(caplog):
    """The sign-in succeeds, and a page says that the address is lost; nobody wonders about the start page."""
    caplog.set_level("INFO")
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate(long_address(2500))
    visitor.client.cookies.delete(next(name for name in visitor.cookies if "cg_return" in name))

    back = await visitor.navigate(world.provider.sign_in(start.headers["location"]))

    assert back.status_code == 200
    assert "too long to be kept" in back.text
    assert "__Host-cg_session" in visitor.cookies
    assert "did not come back" in caplog.text


async def test_a_long_address_survives_a_second_start():
    """A flow that starts again keeps its address, and its slot."""
    world = World()
    visitor = world.visitor()
    long = long_address(2500)
    start = await visitor.navigate(long)
    world.now += FLOW_SECONDS - 1
    world.provider.refusal = "invalid_grant"
    again = await visitor.navigate(world.provider.sign_in(start.headers["location"]))
    world.provider.refusal = None

    back = await visitor.navigate(world.provider.sign_in(again.headers["location"]))

    assert len([name for name in again.headers.get_list("set-cookie") if "cg_return" in name]) == 1
    assert back.headers["location"] == long


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/a?path=C:\\temp", "/a?path=C:%5Ctemp"),
        ("/a//b", "/a//b"),
        ("/proxy/https://x/a", "/proxy/https://x/a"),
        ("/%2Fa", "https://app.test/%2Fa"),
    ],
)
async def test_odd_deep_links_of_our_own_host_come_back(asked, target):
    """Deep links that cannot leave the host survive a sign-in, in a spelling that every reader takes for ours."""
    scope = {
        "type": "http", "method": "GET", "path": asked.partition("?")[0], "raw_path": asked.partition("?")[0].encode(),
        "query_string": asked.partition("?")[2].encode(), "client": ("192.0.2.7", 1), "scheme": "https",
        "headers": [(name.encode(), value.encode()) for name, value in NAVIGATION.items()],
    }  # fmt: skip
    world = World()
    visitor = world.visitor()
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.disconnect"}

    await world.gateway(scope, receive, send)
    headers = sent[0]["headers"]
    start = next(value for name, value in headers if name == b"location").decode()
    cookie = next(value for name, value in headers if name == b"set-cookie").decode().partition(";")[0]

    back = await visitor.navigate(world.provider.sign_in(start), cookie=cookie)

    assert back.headers["location"] == target


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


async def test_behind_strict_cookies_the_callback_is_first_answered_by_a_page_of_our_own_site():
    """With `same_site: Strict` the provider's redirect brings no session: a page goes on to the same callback, nothing
    is redeemed before, and what a stranger puts into the address stays within its quotes."""
    world = World({"session": {**SETTINGS["session"], "same_site": "Strict"}})
    visitor = world.visitor()
    start = await visitor.navigate("/deep")
    callback = world.provider.sign_in(start.headers["location"])

    page = await visitor.navigate(callback)
    grants = len(world.provider.grants)
    back = await visitor.navigate(goes_to(page))

    assert page.status_code == 200
    assert page.headers.get_list("set-cookie") == []
    assert grants == 0
    assert back.headers["location"] == "/deep"
    assert "SameSite=Strict" in next(v for v in back.headers.get_list("set-cookie") if "cg_session" in v)
    odd = await visitor.navigate("/oauth2/callback?code='\"><script>alert(1)</script>&state=\xe9")
    assert "<script>" not in odd.text
    assert goes_to(odd).startswith("/oauth2/callback?code=%27%22%3E%3Cscript%3E")


KEEPING = {"sign_in": {"keep_fragment": True}}


async def test_where_fragments_are_kept_a_page_begins_the_sign_in():
    """The page runs one script, which its policy names by hash; its link works without; the sign-in that follows ends
    at the address with its fragment."""
    world = World(KEEPING)
    visitor = world.visitor()

    page = await visitor.navigate("/inbox?a=b")
    script = re.search("<script>(.*)</script>", page.text)
    link = html.unescape(re.findall('<a class="button" href="([^"]+)"', page.text)[0])
    start = await visitor.navigate(f"{link}%23%2Fmail%2F7")
    back = await visitor.navigate(world.provider.sign_in(start.headers["location"]))

    assert page.status_code == 401
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert goes_to_itself(page.text) == link
    assert back.headers["location"] == "/inbox?a=b#/mail/7"


def goes_to_itself(text: str) -> str:
    refresh = re.search(
        r"""<noscript><meta http-equiv="refresh" content="0;url=&#x27;([^"]+)&#x27;"></noscript>""", text
    )
    assert refresh, text
    return html.unescape(refresh[1])


async def test_keeping_fragments_does_not_hide_a_loop():
    """The sign-ins that the page begins are counted on: a browser that drops the session still gets the page that says
    so, after as many sign-ins as without."""
    world = World(KEEPING)
    visitor = world.visitor()
    for _ in range(4):
        page = await visitor.navigate("/")
        start = await visitor.navigate(goes_to_itself(page.text))
        await visitor.navigate(world.provider.sign_in(start.headers["location"]))
        visitor.client.cookies.delete("__Host-cg_session")

    last = await visitor.navigate(goes_to_itself((await visitor.navigate("/")).text))

    assert last.status_code == 400
    assert "without its cookie" in last.text


@pytest.mark.parametrize("kind", ["HEAD", "long", "script"])
async def test_what_has_no_fragment_to_keep_gets_no_such_page(kind):
    """HEAD has no page, an address that the login address could not carry is redirected, and a program gets JSON."""
    visitor = World(KEEPING).visitor()

    answer = await {
        "HEAD": lambda: visitor.fetch("/", "HEAD", headers=NAVIGATION),
        "long": lambda: visitor.navigate("/?" + "a=%20&" * 1000),
        "script": lambda: visitor.fetch("/"),
    }[kind]()

    assert "<script>" not in answer.text
    assert answer.status_code == (401 if kind == "script" else 302)
