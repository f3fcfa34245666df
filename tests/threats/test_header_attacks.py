"""What a client can write into header lines, seen from the application behind the assembled gateway."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.identity_headers import fold, owned_names
from tests.support.asgi import BROWSER, ask
from tests.support.tokens import SUB
from tests.support.world import SETTINGS, World

SESSION = "__Host-cg_session"
OWNED = sorted(
    owned_names(SETTINGS["headers"]) | {b"x-request-id", b"x-amzn-oidc-anything", b"x-auth-request-anything"}
)
REBUILT = [b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"forwarded"]
ROUTING = [
    b"x-original-url",
    b"x-original-uri",
    b"x-rewrite-url",
    b"x-forwarded-uri",
    b"x-forwarded-method",
    b"x-forwarded-prefix",
    b"x-forwarded-path",
    b"x-envoy-original-path",
    b"x-host",
    b"x-forwarded-server",
    b"x-real-ip",
    b"x-client-ip",
]


async def signed_in(world):
    visitor = world.visitor()
    await visitor.sign_in()
    return (b"cookie", f"{SESSION}={visitor.cookies[SESSION]}".encode())


def received(world):
    return world.app.seen[-1]["headers"]


@st.composite
def spellings(draw, names):
    """A name in another case, with other separators."""
    name = draw(st.sampled_from(names))
    return b"".join(
        draw(st.sampled_from([b"-", b"_", b"."]))
        if byte == ord("-")
        else draw(st.sampled_from([bytes([byte]), bytes([byte]).lower()]))
        for byte in name
    )


EVIL = b"evil-value"
LINES = st.lists(st.tuples(spellings(OWNED + REBUILT + ROUTING), st.just(EVIL)), min_size=1, max_size=12)
KINDS = st.sampled_from(
    [
        ("http", "GET", b"/"),
        ("http", "GET", b"/public/x"),
        ("http", "POST", b"/public/x"),
        ("http", "OPTIONS", b"/public/x"),
        ("http", "OPTIONS", b"/"),
        ("websocket", "GET", b"/ws"),
        ("websocket", "GET", b"/public/ws"),
    ]
)


@pytest.mark.property
@given(LINES, KINDS, st.booleans())
async def test_no_spelling_of_an_owned_name_arrives(lines, kind, with_session):
    """A3, A4, A6, A7, A8, A9, A17, O9, Q11, Q14, #877: a name that we own, rebuild or never pass on, in any spelling,
    repeated, on any kind of request: the application sees what we say, or nothing."""
    world = World()
    scope, method, target = kind
    headers = [*BROWSER, *lines, *([await signed_in(world)] if with_session else [])]
    if method == "OPTIONS":
        headers += [(b"origin", b"https://app.test"), (b"access-control-request-method", b"PUT")]

    await ask(world.gateway, target, kind=scope, method=method, headers=headers)

    for seen in world.app.seen:
        assert EVIL not in b"".join(value for _, value in seen["headers"])
        folded = [fold(name) for name, _ in seen["headers"]]
        ours = {fold(name) for name, _ in lines}
        assert all(folded.count(name) <= 1 for name in ours)


CONNECTIONS = st.lists(
    st.lists(
        st.sampled_from(
            ["close", "keep-alive", *SETTINGS["headers"], "x-forwarded-host", "x-request-id", "forwarded", "host", ""]
        ),
        max_size=6,
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.property
@given(CONNECTIONS, st.sampled_from([", ", ",", " ,\t"]), st.booleans())
async def test_no_connection_line_takes_our_headers_away(names, separator, upper):
    """A1, A2: Connection lines in every case, order and number name our headers: they arrive all the same."""
    world = World()
    texts = [separator.join(line) for line in names]
    lines = [(b"connection", (text.upper() if upper else text).encode()) for text in texts]

    await ask(world.gateway, headers=[*BROWSER, await signed_in(world), *lines])

    headers = dict(received(world))
    assert headers[b"x-forwarded-user"] == SUB.encode()
    assert headers[b"x-forwarded-host"] == b"app.test"
    assert headers[b"x-request-id"]
    assert headers[b"host"] == b"app.test"
    assert b"connection" not in headers


@pytest.mark.parametrize("name", [b"x-request-id", b"x_request_id", b"x.request-id", b"x-request_id"])
async def test_a_client_cannot_choose_the_request_id(name):
    """H4, A17: the id that log and application share is ours: a client cannot forge it, repeat it or write into it."""
    world = World()

    await ask(world.gateway, b"/public/x", headers=[*BROWSER, (name, b"forged"), (name, b'","status":200,"x":"')])

    ids = [value for found, value in received(world) if fold(found) == b"x-request-id"]
    assert len(ids) == 1
    assert ids[0].decode() in world.log.getvalue()
    assert "forged" not in world.log.getvalue()


BY_METHOD = {
    "access": [
        {"path": "/items/**", "methods": ["GET", "POST"], "allow": "anyone"},
        {"path": "/items/**", "methods": ["DELETE"], "groups": ["owners"]},
        {"path": "/", "allow": "signed-in"},
    ]
}
OVERRIDES = [
    "x-http-method-override",
    "x_http_method_override",
    "x-http-method",
    "x-method-override",
    "x.http_method-override",
]


@pytest.mark.parametrize("name", OVERRIDES)
@pytest.mark.parametrize("value", ["DELETE", "delete", " DELETE ", "POST, DELETE", "PATCH", "\xff", ""])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("with_session", [False, True])
async def test_an_override_header_is_judged_as_the_method_that_it_names(name, value, method, with_session):
    """Q3, A17: frameworks serve X-HTTP-Method-Override: so both methods must be allowed, or the request ends here."""
    world = World(BY_METHOD)
    session = [await signed_in(world)] if with_session else []
    headers = [*BROWSER, *session, (name.encode(), value.encode("latin-1"))]

    answer = await ask(world.gateway, b"/items/7", method=method, headers=headers)

    assert answer.status in ({403} if with_session else {302, 401, 403})
    assert world.app.seen == []


@pytest.mark.parametrize("name", OVERRIDES)
async def test_an_override_that_the_rules_allow_passes(name):
    """Where the rules make no difference between the methods, the header travels as it is."""
    world = World(BY_METHOD)

    answer = await ask(world.gateway, b"/items/7", method="POST", headers=[*BROWSER, (name.encode(), b"GET")])

    assert answer.status == 200
    assert (name.encode(), b"GET") in received(world)


@pytest.mark.parametrize(
    "value",
    [
        "x\r\nx-admin: 1",
        "x\nx-admin: 1",
        "x\0y",
        "\u2028",
        "\ud800",
        "j\u00f6rg",
        "\uff0d",
        "a,b",
        "%0d%0aX: 1",
        " ",
        "\x7f",
        "x" * 5000,
    ],
)
async def test_a_claim_cannot_end_its_line(value):
    """A20: whatever a claim holds, in a text or in a list, it arrives as printable ASCII in one line, or not at all."""
    world = World()
    world.provider.claims = {"email": value, "cognito:groups": [value, "staff"]}

    await ask(world.gateway, headers=[*BROWSER, await signed_in(world)])

    for name, line in received(world):
        assert all(0x20 <= byte < 0x7F for byte in line), (name, line)
    assert not any(name == b"x-admin" for name, _ in received(world))
    assert dict(received(world))[b"x-forwarded-groups"].endswith(b"staff")


@pytest.mark.parametrize("claims", [{"cognito:groups": None, "email": None}, {"cognito:groups": [], "email": ""}])
async def test_a_claim_that_is_not_there_leaves_no_room_for_the_client_s(claims):
    """A6: somebody without groups or e-mail sends the headers themselves: they are gone, not passed on."""
    world = World()
    world.provider.claims = claims
    forged = [(b"x-forwarded-groups", b"admins"), (b"X_Forwarded_Email".lower(), b"root@example.com")]

    await ask(world.gateway, headers=[*BROWSER, await signed_in(world), *forged])

    assert {fold(name) for name, _ in received(world)} & {b"x-forwarded-groups", b"x-forwarded-email"} == set()


@pytest.mark.parametrize("name", [b"X-User", b"x-User", b"x_user", b"x.USER"])
async def test_the_operator_s_own_header_name_is_owned_in_every_case(name):
    """A18: a name that the settings write in capitals is compared without case, and folded."""
    world = World({"headers": {"X-USER": "${sub}"}})

    await ask(world.gateway, headers=[*BROWSER, await signed_in(world), (name.lower(), b"evil"), (b"x-user", b"evil")])

    assert [(n, v) for n, v in received(world) if fold(n) == b"x-user"] == [(b"x-user", SUB.encode())]


PEERS = [
    "127.0.0.1",
    "10.0.0.9",
    "172.16.0.1",
    "192.168.1.1",
    "::1",
    "::ffff:10.0.0.9",
    "fe80::1",
    "169.254.1.1",
    "203.0.113.9",
]


@pytest.mark.parametrize("peer", PEERS)
async def test_no_peer_is_trusted_by_its_address_alone(peer):
    """A12, A15, A16, O11, #552: loopback, private, link-local peers speak for nobody until the operator lists them."""
    world = World()
    claims = [
        (b"x-forwarded-for", b"127.0.0.1, 10.0.0.5"),
        (b"x-forwarded-uri", b"/public"),
        (b"x-real-ip", b"127.0.0.1"),
    ]

    await ask(world.gateway, b"/public/x", headers=[*BROWSER, *claims], client=(peer, 1))
    refused = await ask(world.gateway, b"/admin/x", headers=[(b"host", b"app.test"), *claims], client=(peer, 1))

    headers = dict(received(world))
    assert headers[b"x-forwarded-for"].decode() == peer.removeprefix("::ffff:")
    assert b"x-real-ip" not in headers
    assert refused.status == 401


async def test_a_listed_proxy_speaks_for_one_hop_only():
    """A15, PR 3478: behind a listed proxy the client is the rightmost address that is not listed."""
    world = World({"trusted_proxies": ["10.0.0.0/8"]})
    claimed = (b"x-forwarded-for", b"127.0.0.1, 10.0.0.5, 203.0.113.9, 10.0.0.7")

    await ask(world.gateway, b"/public/x", headers=[*BROWSER, claimed], client=("10.0.0.1", 1))

    assert dict(received(world))[b"x-forwarded-for"] == b"203.0.113.9, 10.0.0.7, 10.0.0.1"


NON_UTF8 = [b"\xff\xfe", b"\x80", b"\xc3\x28", bytes(range(0x80, 0x100))]


@pytest.mark.parametrize("value", NON_UTF8)
@pytest.mark.parametrize(
    "name", [b"accept", b"user-agent", b"cookie", b"authorization", b"origin", b"sec-fetch-mode", b"x-odd"]
)
async def test_bytes_that_are_no_text_open_nothing(name, value):
    """E10: a header that is not UTF-8 leaves the decision as it is: closed, and without a crash."""
    world = World()
    for kind in ("http", "websocket"):
        answer = await ask(world.gateway, b"/admin/x", kind=kind, headers=[(b"host", b"app.test"), (name, value)])
        assert answer.status in {302, 401}
    assert world.app.seen == []


@pytest.mark.parametrize(
    "name",
    [
        "accept",
        "sec-fetch-mode",
        "sec-fetch-dest",
        "purpose",
        "sec-purpose",
        "x-requested-with",
        "user-agent",
        "origin",
    ],
)
@pytest.mark.parametrize(
    "value",
    ["navigate", "prefetch", "GoogleHC/1.0", "kube-probe/1.30", "*/*", "text/html;q=nan", "text/html;q=1e999", ""],
)
async def test_no_header_but_cookie_and_authorization_is_a_way_in(name, value):
    """A13, O10, Q4: whatever kind of request it claims to be, a protected path stays closed; so does OPTIONS."""
    world = World()
    lines = [(b"host", b"app.test"), (name.encode(), value.encode()), (b"access-control-request-method", b"GET")]
    for method in ("GET", "HEAD", "OPTIONS", "POST"):
        answer = await ask(world.gateway, b"/admin/x", method=method, headers=lines)
        assert answer.status in {302, 401}
    assert world.app.seen == []


async def test_a_websocket_needs_what_its_path_needs():
    """A8, O7, F2: a WebSocket handshake is judged like a GET: 401 and 403 before it is accepted; our own addresses are
    no WebSockets, also for somebody signed in."""
    world = World()
    session = await signed_in(world)
    world.provider.claims = {"cognito:groups": ["staff"]}
    staff = await signed_in(world)

    cold = await ask(world.gateway, b"/ws", kind="websocket")
    outside = await ask(world.gateway, b"/admin/ws", kind="websocket", headers=[*BROWSER, staff])
    nobody = await ask(world.gateway, b"/closed/ws", kind="websocket", headers=[*BROWSER, session])
    own = [
        await ask(world.gateway, path, kind="websocket", headers=[*BROWSER, session])
        for path in (b"/oauth2/logout", b"/oauth2/login", b"/oauth2/callback?code=c&state=s", b"/livez", b"/readyz")
    ]

    assert [cold.status, outside.status, nobody.status] == [401, 403, 403]
    assert {answer.status for answer in own} == {404}
    assert world.app.seen == []
    await ask(world.gateway, b"/admin/ws", kind="websocket", headers=[*BROWSER, session])
    assert dict(received(world))[b"x-forwarded-user"] == SUB.encode()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.property
@given(email=JSON, groups=JSON, times=JSON)
async def test_no_claim_breaks_a_session(email, groups, times):
    """A20, C18, D14: claims of any JSON kind, in the place of texts, lists and times: nobody is signed in, or somebody
    with header lines in printable ASCII; after a refresh too."""
    world = World()
    visitor = world.visitor()
    for auth_time in (world.now, times):
        world.provider.claims = {"email": email, "cognito:groups": groups, "auth_time": auth_time}
        back = await visitor.sign_in()
        assert back.status_code in {302, 502}
        for later in (0, 3500):
            world.now += later
            world.app.seen.clear()
            answer = await visitor.navigate("/")
            assert answer.status_code in {200, 302, 503}
            for _, line in world.app.last.items() if world.app.seen else ():
                assert all(0x20 <= byte < 0x7F for byte in line)
        visitor.client.cookies.clear()
