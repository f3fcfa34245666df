"""Cookies that others write: the application behind, sibling hosts, and whoever can make up a Cookie header."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.seal import KeyRing
from gateway.core.secret import Secret
from tests.support.asgi import BROWSER, ask
from tests.support.cognito import DOMAIN
from tests.support.tokens import CLIENT_ID, ISSUER
from tests.support.world import NAVIGATION, SETTINGS, World, long_address

SESSION = "__Host-cg_session"
SAME_ORIGIN = {**NAVIGATION, "sec-fetch-site": "same-origin"}


async def signed_in(world):
    visitor = world.visitor()
    await visitor.sign_in()
    return visitor


def cookie_header(cookies):
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


OWN_NAMES = [
    "__Host-cg_session",
    "__Host-cg_session.1",
    "__Host-cg_bind_AAAA",
    "__Secure-cg_return_0",
    "cg_session",
    "__Host-cg_idle",
]
FORMS = [
    "{}=evil; Path=/; Secure",
    "{}=; Max-Age=0",
    " {}=x",
    "\t{} = x",
    "={}=x",
    " = {}=x",
    "{}",
    "{}=x; Domain=app.test",
]


@pytest.mark.parametrize("path", [b"/", b"/public/x"])
@pytest.mark.parametrize("line", [b"set-cookie", b"Set-Cookie", b"SET-COOKIE"])
async def test_an_application_cannot_write_our_cookies(path, line):
    """C6, Q5: an answer from behind neither sets nor removes a cookie of ours, in any form that a browser takes; the
    application's own cookies pass, in order."""
    world = World()
    visitor = await signed_in(world)
    theirs = [
        b"theirs=1; Path=/",
        b"x__Host-cg_session=1",
        b"__Host-theirs=2; Secure; Path=/",
        b"",
        b"=",
        b"cgsession=1",
    ]
    forged = [form.format(name).encode() for form in FORMS for name in OWN_NAMES]
    world.app.headers = [(line, value) for value in [*forged, *theirs]] + [(b"x-other", b"1")]

    answer = await ask(world.gateway, path, headers=[*BROWSER, (b"cookie", cookie_header(visitor.cookies).encode())])

    assert [value for name, value in answer.headers if name.lower() == b"set-cookie"] == theirs
    assert (b"x-other", b"1") in answer.headers


async def test_an_application_cannot_write_our_cookies_on_a_websocket():
    """C6: the answer to a WebSocket handshake is an answer too."""

    async def accepts(scope, receive, send):
        await send(
            {
                "type": "websocket.accept",
                "headers": [(b"set-cookie", b"__Host-cg_session=evil"), (b"set-cookie", b"a=1")],
            }
        )

    answer = await ask(World(app=accepts).gateway, b"/public/ws", kind="websocket")

    assert answer.status == 101
    assert answer.all("set-cookie") == ["a=1"]


async def test_our_own_cookies_still_ride_on_the_application_s_answer():
    """A refreshed session and what the application sets go out together."""
    world = World()
    visitor = await signed_in(world)
    world.app.headers = [(b"set-cookie", b"theirs=1")]
    world.now += 3700

    answer = await visitor.navigate("/")

    names = [line.partition("=")[0] for line in answer.headers.get_list("set-cookie")]
    assert names == ["theirs", SESSION]


@pytest.mark.parametrize(
    "form",
    [
        "theme=dark {}={}",
        "theme=dark\t{}={}",
        "theme=dark, {}={}",
        'theme="dark" {}={}',
        "theme={}={}",
        "a=1; theme=dark {}={}; b=2",
        "x{}={}",
        "={}={}",
    ],
)
@pytest.mark.parametrize("is_open_here", [True, False])
async def test_a_session_within_another_cookie_signs_nobody_in(form, is_open_here):
    """U1: an application that stores what a visitor types in a cookie of its own (`theme=…`) does not become a way to
    put a session into somebody's browser: a cookie is what stands between semicolons."""
    world = World()
    visitor = await signed_in(world)
    value = visitor.cookies[SESSION]
    if is_open_here:
        assert (await visitor.navigate("/")).status_code == 200

    answer = await ask(world.gateway, headers=[*BROWSER, (b"cookie", form.format(SESSION, value).encode())])

    assert answer.status == 302


@pytest.mark.parametrize("other", ["AAAA", "", "A" * 3000, "another gateway's", "state", "binding"])
@pytest.mark.parametrize("place", ["before", "after", "own line before"])
async def test_a_cookie_of_the_same_name_does_not_hide_the_session(other, place):
    """C4, C8: a sibling host can add cookies of our name; they open nothing, and the genuine one still counts."""
    world = World()
    visitor = await signed_in(world)
    genuine = f"{SESSION}={visitor.cookies[SESSION]}"
    value = await _other_value(other, world)
    tossed = f"{SESSION}={value}"
    lines = {
        "before": [f"{tossed}; {genuine}"],
        "after": [f"{genuine}; {tossed}"],
        "own line before": [tossed, genuine],
    }

    answer = await ask(world.gateway, headers=[*BROWSER, *((b"cookie", line.encode()) for line in lines[place])])

    assert answer.status == 200
    assert answer.all("set-cookie") == []
    assert not [line for line in world.app.seen[-1]["headers"] if line[0] == b"cookie"]


async def _other_value(kind, world):
    if kind == "another gateway's":
        theirs = World({"session": {"secrets": ["another-gateway-seals-with-wE6uP9aS3dF"]}})
        return (await signed_in(theirs)).cookies[SESSION]
    stranger = world.visitor()
    start = await stranger.navigate("/")
    if kind == "state":
        return start.headers["location"].split("state=")[1].split("&")[0]
    return next(iter(stranger.cookies.values())) if kind == "binding" else kind


async def test_a_tossed_return_address_does_not_hide_the_genuine_one():
    """B1, C8: `__Secure-` cookies can come from a sibling host: a forged one before ours is passed over."""
    world = World()
    visitor = world.visitor()
    long = long_address(2000)
    start = await visitor.navigate(long)
    callback = world.provider.sign_in(start.headers["location"])
    name = next(name for name in visitor.cookies if "cg_return" in name)
    own = cookie_header(visitor.cookies)

    back = await ask(
        world.gateway,
        callback.removeprefix("https://app.test").encode(),
        headers=[*BROWSER, (b"cookie", f"{name}=AAAA; {name}=; {own}".encode())],
    )

    assert back.one("location") == long


async def test_a_kept_return_address_is_its_own_flow_s_alone():
    """C4, Q17: the long return address of another flow, under the right name, leads nowhere: a page says that the
    address is lost."""
    world = World()
    visitor, other = world.visitor(), world.visitor()
    start = await visitor.navigate(long_address(2000))
    await other.navigate(long_address(2000, "evil"))
    stolen = next(value for name, value in other.cookies.items() if "cg_return" in name)
    name = next(name for name in visitor.cookies if "cg_return" in name)
    binding = {name: value for name, value in visitor.cookies.items() if "cg_bind" in name}

    back = await ask(
        world.gateway,
        world.provider.sign_in(start.headers["location"]).removeprefix("https://app.test").encode(),
        headers=[*BROWSER, (b"cookie", cookie_header({**binding, name: stolen}).encode())],
    )

    assert back.status == 200
    assert b"too long to be kept" in back.body


ODD_NAMES = [
    "__Host-cg_bind_",
    "__Host-cg_bind_(x)!",
    '__Host-cg_bind_"a"',
    "__Host-cg_bind_\xe9\xe9\xe9\xe9",
    "__Host-cg_bind_a b c",
    "__Host-cg_bind_" + "A" * 500,
    "__Host-cg_bind_a/b@",
    "__Host-cg_bind_AAA\x7f",
]


@pytest.mark.parametrize("odd", ODD_NAMES)
async def test_an_odd_name_like_a_binding_s_breaks_nothing(odd):
    """C8: a script can write cookies whose names no Set-Cookie may hold; sign-in and sign-out still work."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/")
    cookie = f"{odd}=1; {cookie_header(visitor.cookies)}".encode("latin-1")
    callback = world.provider.sign_in(start.headers["location"]).removeprefix("https://app.test").encode()

    back = await ask(world.gateway, callback, headers=[*BROWSER, (b"cookie", cookie)])
    out = await ask(
        world.gateway,
        b"/oauth2/logout",
        method="POST",
        headers=[(n, v) for n, v in BROWSER if n != b"sec-fetch-site"]
        + [(b"sec-fetch-site", b"same-origin"), (b"cookie", cookie)],
    )

    assert back.status == 302
    assert any(line.startswith(f"{SESSION}=") for line in back.all("set-cookie"))
    assert out.status == 303


PIECES = st.sampled_from(
    [
        b"__Host-cg_session",
        b"__Host-cg_session.1",
        b"__Host-cg_bind_",
        b"__Host-cg_bind_AAAA",
        b"__Host-cg_signins",
        b"__Secure-cg_return_1",
        b"__Host-cg_idle",
        b"=",
        b";",
        b"; ",
        b",",
        b'"',
        b" ",
        b"\t",
        b"2.",
        b"99999999999.",
        b"AAAA",
        b"\xff",
        b"\x00",
        b"%00",
        b"\xc3\xa9",
    ]
)
COOKIES = st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=25).map(b"".join)
TARGETS = st.sampled_from(
    [b"/", b"/public/x", b"/oauth2/login?return_to=/x", b"/oauth2/logout", b"/oauth2/callback?code=c&state=s"]
)
WORLD = World()


@pytest.mark.property
@given(COOKIES, TARGETS, st.sampled_from(["GET", "POST", "HEAD", "OPTIONS"]))
async def test_no_cookie_header_breaks_anything_or_signs_anybody_in_or_out(cookie, target, method):
    """C5, C7, C8, F13: any bytes in a Cookie header give a 4xx, a redirect or the public page; no session begins."""
    answer = await ask(WORLD.gateway, target, method=method, headers=[*BROWSER, (b"cookie", cookie)])

    assert answer.status in {200, 302, 303, 400, 401, 403, 405}
    assert not any(line.startswith(SESSION) and "Max-Age=0" not in line for line in answer.all("set-cookie"))
    assert len(answer.all("set-cookie")) < 20


async def sealed_values():
    """One genuine value of every kind that this gateway seals or signs, by its kind."""
    world = World({"session": {**SETTINGS["session"], "idle_timeout": "1h"}})
    visitor = world.visitor()
    start = await visitor.navigate(long_address(2000))
    values = {name: value for name, value in visitor.cookies.items() if "cg_bind" in name or "cg_return" in name}
    values["state"] = start.headers["location"].split("state=")[1].split("&")[0]
    await visitor.navigate(world.provider.sign_in(start.headers["location"]))
    values |= {name: value for name, value in visitor.cookies.items() if name.startswith("__Host-cg_")}
    page = await visitor.navigate("/oauth2/logout")
    values["csrf_token"] = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    values["access token"] = world.provider.access_token()
    values["id token"] = world.provider.tokens("n")["id_token"]
    assert len(values) == 9, list(values)
    return world, values


async def test_every_sealed_value_is_refused_in_every_other_s_place():
    """C4, Q17: session, idle time, binding, return address, count of sign-ins, state, form token and the provider's
    tokens: each in the place of each other opens nothing, and nothing breaks."""
    world, values = await sealed_values()
    cookies = [name for name in values if name.startswith("__")]
    for kind, value in values.items():
        for name in cookies:
            if name == kind:
                continue
            answer = await ask(world.gateway, headers=[*BROWSER, (b"cookie", f"{name}={value}".encode())])
            assert answer.status == 302, (kind, name)
        if kind != "state":
            target = f"/oauth2/callback?code=c&state={value}".encode()
            assert (await ask(world.gateway, target)).status == 400, kind
        if kind != "access token":
            lines = [(b"host", b"app.test"), (b"authorization", f"Bearer {value}".encode())]
            assert (await ask(world.gateway, headers=lines)).status == 401, kind
        if kind != "csrf_token":
            refused = await ask(world.gateway, b"/oauth2/logout", method="POST", body=f"csrf_token={value}".encode())
            assert refused.status == 403, kind
    assert world.app.seen == []


@pytest.mark.parametrize(
    "provider",
    [
        {"client_id": "another-client"},
        {"user_pool_id": "eu-west-1_Other1234"},
        {"user_pool_id": "eu-west-1_Other1234", "client_id": "another"},
    ],
)
async def test_a_tenant_s_session_opens_nothing_at_another_with_the_same_secret(provider):
    """C4, D2, R6: two gateways that share a secret but not the pool or the client do not share sessions."""
    ours = World()
    session = (await signed_in(ours)).cookies[SESSION]
    theirs = World({"provider": {**SETTINGS["provider"], **provider, "domain": DOMAIN}})

    answer = await ask(theirs.gateway, headers=[*BROWSER, (b"cookie", f"{SESSION}={session}".encode())])

    assert answer.status == 302


async def test_every_way_to_break_a_cookie_looks_the_same():
    """C1: a flipped bit anywhere, another key's value or another purpose's: status, header and body are the same."""
    world = World()
    visitor = await signed_in(world)
    genuine = visitor.cookies[SESSION]
    broken = [
        genuine[:at] + ("A" if genuine[at] != "A" else "B") + genuine[at + 1 :] for at in range(0, len(genuine), 97)
    ]
    ring = KeyRing([Secret("another-gateway-seals-with-wE6uP9aS3dF")])
    broken += [genuine[:-1], genuine + "A", genuine[1:], "", genuine.swapcase(), genuine + "=", genuine[:40]]
    broken += [ring.box("session", SESSION, ISSUER, CLIENT_ID).seal(b"x" * 500)]

    seen = {await _seen(world, value) for value in broken}

    assert len(seen) == 1
    assert json.loads(seen.pop())[0] == 401


async def _seen(world, value):
    headers = [(b"host", b"app.test"), (b"cookie", f"{SESSION}={value}".encode())]
    answer = await ask(world.gateway, headers=headers)
    lines = [(n.decode(), v.decode()) for n, v in answer.headers if n != b"x-request-id"]
    return json.dumps([answer.status, lines, answer.body.decode()])


@pytest.mark.parametrize("count", ["99999999999", "2000000000", "-1", "0", "1", "7", "2147483648", "1e9", "٣", ""])
async def test_no_number_in_a_cookie_makes_us_count(count):
    """C7: what a part says of its number is checked against a small bound; no Set-Cookie line comes of it."""
    world = World()
    parts = f"{SESSION}.1={count}.AAAA; {SESSION}.2=BBBB; {SESSION}.3=CCCC; {SESSION}_chunks={count}"

    answer = await ask(world.gateway, headers=[*BROWSER, (b"cookie", parts.encode())])

    assert answer.status == 302
    assert not [line for line in answer.all("set-cookie") if "session" in line]


async def test_every_cookie_of_ours_is_removed_with_the_attributes_of_its_prefix():
    """C10, O14: sign-out removes all that this browser holds of ours; each removal carries Secure and Path=/."""
    world, values = await sealed_values()
    del values["state"], values["csrf_token"], values["access token"], values["id token"]
    held = {name: value for name, value in values.items() if name.startswith("__Host-")} | {f"{SESSION}.2": "x"}
    headers = [(n, v) for n, v in BROWSER if n != b"sec-fetch-site"] + [(b"sec-fetch-site", b"same-origin")]

    answer = await ask(
        world.gateway, b"/oauth2/logout", method="POST", headers=[*headers, (b"cookie", cookie_header(held).encode())]
    )

    lines = answer.all("set-cookie")
    assert {line.partition("=")[0] for line in lines} == set(held)
    for line in lines:
        attributes = {part.strip() for part in line.split(";")[1:]}
        assert {"Secure", "Path=/", "HttpOnly", "Max-Age=0"} <= attributes, line
        assert line.partition("=")[2].startswith(";"), line
