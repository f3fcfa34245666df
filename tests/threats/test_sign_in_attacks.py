"""What a hostile page, link or neighbour can try with the sign-in addresses."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamUnreachable
from tests.support.asgi import BROWSER, ask
from tests.support.world import NAVIGATION, PUBLIC_URL, SETTINGS, World

SESSION = "__Host-cg_session"
SAME_ORIGIN = [(n, v) for n, v in BROWSER if n != b"sec-fetch-site"] + [(b"sec-fetch-site", b"same-origin")]
WORLD = World()


def cookies_of(visitor):
    return (b"cookie", "; ".join(f"{name}={value}" for name, value in visitor.cookies.items()).encode())


def path_of(address):
    return address.removeprefix(PUBLIC_URL).encode()


OWN = ["/oauth2/login", "/oauth2/logout", "/oauth2/callback"]
SPELLINGS = [
    "{}",
    "{}?return_to=/x",
    "{}#f",
    "{}?x#y",
    PUBLIC_URL + "{}",
    "HTTPS://APP.TEST{}?a=b",
    "{}?return_to={}",
]


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_sign_in_never_returns_to_our_own_addresses(own, spelling):
    """B1, Q7: `return_to` that names our login, logout or callback leads to the start page: no loop, no sign-out."""
    world = World()
    visitor = world.visitor()
    target = quote(spelling.format(own, quote(own, safe="")), safe="")
    start = await visitor.navigate(f"/oauth2/login?return_to={target}")

    back = await visitor.navigate(world.provider.sign_in(start.headers["location"]))
    again = await visitor.navigate(f"/oauth2/login?return_to={target}")

    assert back.headers["location"] == "/"
    assert again.headers["location"] == "/"
    assert (await visitor.navigate("/")).status_code == 200


@pytest.mark.parametrize("own", OWN)
async def test_an_encoded_spelling_of_our_own_address_is_our_own(own):
    """B1: `/oauth2%2Flogin` and `/%6fauth2/login` reach the same handler, so they are no return addresses either."""
    for at in range(1, len(own)):
        spelled = f"{own[:at]}%{ord(own[at]):02x}{own[at + 1 :]}"
        visitor = World().visitor()
        start = await visitor.navigate(f"/oauth2/login?return_to={quote(spelled, safe='')}")
        back = await visitor.navigate(visitor.world.provider.sign_in(start.headers["location"]))
        assert back.headers["location"] == "/", spelled


SEPARATORS = [
    "/",
    "//",
    "\\",
    "%5c",
    "%2f",
    "%252f",
    "\t",
    "%09",
    "\r",
    "%0d",
    "\n",
    "%0a",
    "\x0b",
    "%0b",
    " ",
    "%20",
    "/./",
    "/../",
    "/%2e/",
    "\u2044",
    "\uff0f",
    "\u2215",
    "\x00",
    "%00",
    "@",
    ":",
    ";",
    "?",
    "#",
    ".",
    "%e3%80%82",
]
HOSTS = [
    "evil.example",
    "2130706433",
    "0x7f000001",
    "0177.1",
    "[::1]",
    "[fe80::1%25eth0]",
    "evil\u3002example",
    "\uff45vil.example",
    "app.test@evil.example",
    "app.test:443@evil.example",
    "app.test.evil.example",
    "evil-app.test",
    "app.test%00.evil.example",
]
SCHEMES = [
    "",
    "/",
    "//",
    "https:",
    "https:/",
    "https://",
    "HTTPS://",
    "http://",
    "javascript:",
    "data:text/html,",
    "ftp://",
    "blob:",
    "https:\\\\",
]
ADDRESSES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(SCHEMES),
        st.lists(st.sampled_from(SEPARATORS), max_size=4).map("".join),
        st.sampled_from(HOSTS),
        st.lists(st.sampled_from([*SEPARATORS, *HOSTS]), max_size=3).map("".join),
    ),
)


def browser_origin(location):
    """The origin that a browser ends on (WHATWG URL, for what can be told without a list of schemes)."""
    cleaned = "".join(char for char in location.strip("".join(map(chr, range(33)))) if char not in "\t\r\n").replace(
        "\\", "/"
    )
    if cleaned.startswith("//"):
        return "elsewhere"
    if cleaned.startswith("/"):
        return "ours"
    return "ours" if cleaned.lower().startswith((PUBLIC_URL + "/", PUBLIC_URL + "?")) else "elsewhere"


@pytest.mark.property
@given(ADDRESSES | st.text(max_size=60))
async def test_generated_return_addresses_stay_at_home(target):
    """B1-B7, B9, B13, O2-O6: mixes of schemes, slashes, control characters, userinfo, odd hosts and dots, whether
    asked for at login or visited directly: the browser ends on our own origin, in printable ASCII."""
    visitor = WORLD.visitor()
    start = await ask(WORLD.gateway, b"/oauth2/login?return_to=" + quote(target, safe="").encode())
    visitor.client.cookies.update(dict(line.split(";")[0].split("=", 1) for line in start.all("set-cookie")))
    callback = path_of(WORLD.provider.sign_in(start.one("location")))

    back = await ask(WORLD.gateway, callback, headers=[*BROWSER, cookies_of(visitor)])

    assert back.status == 302
    assert browser_origin(back.one("location")) == "ours", back.one("location")
    assert back.one("location").isascii()
    assert back.one("location").isprintable()


PROVIDER = "https://my-app.auth.eu-west-1.amazoncognito.com/"
REQUESTS = st.tuples(
    st.sampled_from(
        [
            b"//evil.example",
            b"/\\evil.example",
            b"/%2f/evil.example",
            b"/.//evil.example",
            b"/%5cevil.example",
            b"///evil.example",
        ]
    ),
    st.sampled_from([b"", b"/", b"/..", b"/%2e%2e", b"?x=https://evil.example", b"/%09/"]),
)


@pytest.mark.property
@given(REQUESTS.map(b"".join), st.sampled_from([b"evil.example", b"app.test", b"app.test@evil.example"]))
async def test_a_visited_address_cannot_lead_away(target, host):
    """B2, B3, B7: an address asked for directly goes to the provider, and then home, whatever Host says; the pages on
    the way link to nothing but ourselves."""
    headers = [(b"host", host), *BROWSER[1:], (b"x-forwarded-host", b"evil.example"), (b"x-forwarded-proto", b"evil")]
    answer = await ask(WORLD.gateway, target, headers=headers)
    assert answer.status in {302, 400, 403}
    if answer.status == 302:
        asked = parse_qs(urlsplit(answer.one("location")).query)
        assert answer.one("location").startswith(PROVIDER)
        assert asked["redirect_uri"] == [f"{PUBLIC_URL}/oauth2/callback"]
    assert b'href="//' not in answer.body
    assert b"evil.example" not in answer.body or b"return_to=" in answer.body


@pytest.mark.parametrize("target", [b"//evil.example/x", b"///evil.example", b"/\\evil.example/", b"/%5cevil.example"])
async def test_try_again_never_links_to_another_host(target):
    """B2, B3, H1: the page that says that an upstream is down offers a second try, but not at another host."""

    async def down(scope, receive, send):
        raise UpstreamUnreachable("down")

    world = World({"access": [{"path": "/**", "allow": "anyone"}]}, app=down)

    answer = await ask(world.gateway, target)
    plain = await ask(world.gateway, b"/fine?x=1")

    assert answer.status == 502
    assert b'href="/"' in answer.body
    assert b"evil" not in answer.body
    assert b'href="/fine?x=1"' in plain.body


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "DELETE", "PROPFIND"])
async def test_only_a_get_comes_back_from_the_provider(method):
    """D15, F8: another method on the callback spends no code and starts no session; the genuine GET still works."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/deep")
    callback = path_of(world.provider.sign_in(start.headers["location"]))

    refused = await ask(world.gateway, callback, method=method, headers=[*BROWSER, cookies_of(visitor)])
    back = await ask(world.gateway, callback, headers=[*BROWSER, cookies_of(visitor)])

    assert refused.status == 405
    assert refused.all("set-cookie") == []
    assert back.one("location") == "/deep"


async def test_an_attacker_s_callback_does_not_swap_a_session():
    """O1, C16: the victim is signed in; a callback of the attacker's own flow changes nothing of that."""
    world = World()
    victim, attacker = world.visitor(), world.visitor()
    await victim.sign_in()
    before = victim.cookies[SESSION]
    start = await attacker.navigate("/lure")
    callback = world.provider.sign_in(start.headers["location"])

    answer = await victim.navigate(callback)

    assert answer.status_code == 302
    assert answer.headers["location"] == "/lure"
    assert victim.cookies[SESSION] == before
    assert len(world.provider.grants) == 1


async def test_a_victim_s_state_with_the_attacker_s_code_signs_nobody_in():
    """O1, R2: code injection: the attacker's code in the victim's own flow fails at PKCE, which is derived from B."""
    world = World()
    victim, attacker = world.visitor(), world.visitor()
    own = await victim.navigate("/")
    foreign = await attacker.navigate("/")
    code = parse_qs(urlsplit(world.provider.sign_in(foreign.headers["location"])).query)["code"][0]
    state = parse_qs(urlsplit(own.headers["location"]).query)["state"][0]

    answer = await victim.navigate(f"/oauth2/callback?code={code}&state={state}")

    assert urlsplit(answer.headers["location"]).path == "/oauth2/authorize"
    assert SESSION not in victim.cookies


STATES = st.one_of(st.binary(max_size=80), st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")))


@pytest.mark.property
@given(
    STATES,
    STATES,
    st.sampled_from(
        [b"code=%s&state=%s", b"error=%s&state=%s", b"%s&%s", b"state=%s;code=%s", b"code=%s&state=%s&iss=x"]
    ),
)
async def test_no_query_breaks_the_callback(one, two, form):
    """D6, #2311, #2822, #2833: any bytes in the callback's query are a 400 page; never a session, 5xx or redirect."""
    query = form % (quote(one).encode(), two.replace(b"#", b""))
    answer = await ask(WORLD.gateway, b"/oauth2/callback?" + query)
    assert answer.status == 400
    assert answer.all("set-cookie") == []
    assert answer.one("location") == ""


@pytest.mark.parametrize("repeats", [2, 3, 100])
@pytest.mark.parametrize("name", ["code", "state", "error", "iss"])
async def test_a_repeated_parameter_is_refused_whatever_its_values(name, repeats):
    """D5: two of the same parameter, equal or not, first or last: there is no telling which one counts."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/")
    callback = path_of(world.provider.sign_in(start.headers["location"]))
    own = parse_qs(callback.decode().partition("?")[2]).get(name, ["x"])[0]
    for value in (own, "other", ""):
        target = callback + f"&{name}={quote(value)}".encode() * repeats
        answer = await ask(world.gateway, target, headers=[*BROWSER, cookies_of(visitor)])
        assert answer.status == 400
    assert world.provider.grants == []


@pytest.mark.property
@given(st.binary(max_size=120), st.sampled_from(["GET", "POST", "HEAD"]))
async def test_no_form_or_query_breaks_sign_in_or_sign_out(data, method):
    """Q7, Q8: any bytes as query or form of login and logout: no 5xx, and nobody is signed out by them."""
    for path in (b"/oauth2/login", b"/oauth2/logout"):
        answer = await ask(
            WORLD.gateway, path + b"?" + data.replace(b"#", b"").replace(b"?", b""), method=method, body=data
        )
        assert answer.status in {200, 302, 403, 405}
    assert WORLD.provider.revoked == []


@pytest.mark.parametrize(
    "extra",
    [
        "scope=admin",
        "redirect_uri=https://evil.example",
        "nonce=x",
        "state=x",
        "client_id=x",
        "prompt=none",
        "code_challenge=x",
        "code_challenge_method=plain",
        "response_type=token",
        "response_mode=fragment",
    ],
)
@pytest.mark.parametrize("path", ["/oauth2/login?return_to=/x&{}", "/deep?{}"])
async def test_the_authorize_request_says_what_we_say(path, extra):
    """D10: nothing in a visitor's query becomes a parameter of the authorize request."""
    answer = await ask(WORLD.gateway, path.format(extra).encode())
    asked = parse_qs(urlsplit(answer.one("location")).query)
    assert set(asked) == {
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    }
    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["redirect_uri"] == [f"{PUBLIC_URL}/oauth2/callback"]
    assert "x" not in {value for name in ("state", "nonce", "client_id", "code_challenge") for value in asked[name]}


@pytest.mark.parametrize("referer", ["javascript:alert(1)//", "https://evil.example/", '"><script>alert(1)</script>'])
async def test_a_referer_reaches_no_page(referer):
    """B8: no page of ours links to where somebody says that they came from."""
    for target in (b"/closed/x", b"/oauth2/logout", b"/oauth2/callback", b"/%00"):
        answer = await ask(WORLD.gateway, target, headers=[*BROWSER, (b"referer", referer.encode())])
        assert b"alert" not in answer.body
        assert b"evil" not in answer.body


async def test_a_state_s_return_address_is_judged_again():
    """B12: `state` is sealed, and what it says is judged again on the way back: it is never used raw."""
    world = World({"sign_in": {"return_origins": ["https://other.test"]}})
    visitor = world.visitor()
    start = await visitor.navigate("/oauth2/login?return_to=https://other.test/x")
    strict = World()  # the same secret, after the operator took that origin off the list

    back = await ask(
        strict.gateway,
        path_of(strict.provider.sign_in(start.headers["location"])),
        headers=[*BROWSER, cookies_of(visitor)],
    )
    genuine = await visitor.navigate(world.provider.sign_in(start.headers["location"]))

    assert back.one("location") == "/"
    assert genuine.headers["location"] == "https://other.test/x"


async def test_a_pending_flow_survives_a_key_rotation_and_ends_with_its_key():
    """C4: `state` opens with any key of the ring; without that key it is a 400 page, not a crash."""
    old, new = "kJ8x2qV0mZ5tR7yB1nC4wE6uP9aS3dF-newest", "rotated-in-zX6cV8bN2mQ4wE6rT8yU0iO"
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/deep")
    for secrets, status in (([new, old], 302), ([new], 400)):
        later = World({"session": {**SETTINGS["session"], "secrets": secrets}})
        callback = path_of(later.provider.sign_in(start.headers["location"]))
        back = await ask(later.gateway, callback, headers=[*BROWSER, cookies_of(visitor)])
        assert back.status == status
        assert (back.one("location") == "/deep") is (status == 302)


async def test_sign_out_from_a_sibling_or_by_a_link_does_nothing():
    """Q7: links, images, forms of other sites and scripts of siblings: none of them signs anybody out."""
    world = World()
    visitor = world.visitor()
    await visitor.sign_in()
    cookie = cookies_of(visitor)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        answer = await ask(world.gateway, b"/oauth2/logout", method=method, headers=[*SAME_ORIGIN, cookie])
        assert answer.status in {200, 405}
        assert answer.all("set-cookie") == []
    for lines in (
        [(b"origin", b"https://app.test"), (b"sec-fetch-site", b"cross-site")],
        [(b"origin", b"https://app.test"), (b"origin", b"https://evil.example")],
        [(b"sec-fetch-site", b"same-origin"), (b"sec-fetch-site", b"cross-site")],
        [(b"sec-fetch-site", b"same-origin, cross-site")],
        [(b"origin", b"https://app.test:8443")],
        [(b"origin", b"http://app.test")],
        [(b"origin", b"HTTPS://APP.TEST/")],
        [(b"origin", b"")],
        [(b"referer", b"https://app.test/")],
        [(b"x-requested-with", b"XMLHttpRequest")],
    ):
        answer = await ask(
            world.gateway, b"/oauth2/logout", method="POST", headers=[(b"host", b"app.test"), *lines, cookie]
        )
        assert answer.status == 403, lines
    assert world.provider.revoked == []
    assert (await visitor.navigate("/")).status_code == 200


async def test_a_token_of_a_form_made_for_nobody_signs_nobody_out():
    """Q7: the form that a visitor without a session gets is good for no session at all."""
    world = World()
    page = await world.visitor().navigate("/oauth2/logout")
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    visitor = world.visitor()
    await visitor.sign_in()

    answer = await visitor.fetch("/oauth2/logout", "POST", data={"csrf_token": token}, headers={"accept": "text/html"})

    assert answer.status_code == 403


@pytest.mark.parametrize("kind", ["prefetch", "prefetch;prerender"])
async def test_a_prefetched_login_starts_nothing(kind):
    """Q6: a guess of the browser at the login address sets no cookie and counts no attempt."""
    answer = await World().visitor().navigate("/oauth2/login?return_to=/x", **{"sec-purpose": kind})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_identity_is_what_the_newest_refresh_says():
    """D16, O7: a group taken away at the provider closes its door at the next refresh, not at the session's end."""
    world = World()
    visitor = world.visitor()
    await visitor.sign_in()
    before = await visitor.fetch("/admin/x", headers=NAVIGATION)
    world.provider.claims = {"cognito:groups": ["staff"]}
    world.now += 3500  # near the end of the token: due, whatever the jitter

    after = await visitor.fetch("/admin/x", headers=NAVIGATION)

    assert [before.status_code, after.status_code] == [200, 403]


@pytest.mark.parametrize("target", [b"/caf\xc3\xa9?q=\xe2\x82\xac", b"/\xff\xfe", b"/a\x80?\xc3("])
async def test_raw_bytes_in_a_deep_link_come_back_encoded(target):
    """B1: bytes beyond ASCII in the address that was asked for are the same bytes, percent-encoded, after sign-in."""
    world = World()
    visitor = world.visitor()
    start = await ask(world.gateway, target)
    visitor.client.cookies.update(dict(line.split(";")[0].split("=", 1) for line in start.all("set-cookie")))

    back = await visitor.navigate(world.provider.sign_in(start.one("location")))

    assert back.headers["location"] == quote(target, safe="/?=(")
