"""The gateway round an application: who gets through, with which headers, and how it says no."""

import asyncio
import json

import pytest

from gateway.web import answer_headers
from tests.support.tokens import LIFETIME, SUB, sign
from tests.support.world import NAVIGATION, SETTINGS, World

OWNED = ["X-Forwarded-User", "X_Forwarded_Email", "X.Forwarded.Groups", "x-amzn-oidc-data", "X-Auth_Request_User"]


async def signed_in(world):
    visitor = world.visitor()
    await visitor.sign_in()
    return visitor


@pytest.mark.parametrize("path", ["/", "/public/x", "/admin/x"])
@pytest.mark.parametrize("name", OWNED)
async def test_identity_headers_of_a_client_never_arrive(path, name):
    """A3, A4, A6, A7, O9, #877: in every spelling and on every path, public ones too, they are replaced or gone."""
    world = World()
    visitor = await signed_in(world)

    await visitor.navigate(path, **{name: "evil"})

    assert b"evil" not in b"".join(value for _, value in world.app.seen[-1]["headers"])


async def test_connection_cannot_name_our_headers_away():
    """A1, A2: `Connection: x-forwarded-user` removes nothing that the gateway adds."""
    world = World()
    visitor = await signed_in(world)

    await visitor.navigate("/", Connection="close, X-Forwarded-User, x-forwarded-host")

    assert world.app.last[b"x-forwarded-user"] == SUB.encode()
    assert world.app.last[b"x-forwarded-host"] == b"app.test"
    assert b"connection" not in world.app.last


@pytest.mark.parametrize("path", ["/oauth2/callback", "/oauth2/login", "/oauth2/logout", "/livez", "/readyz"])
async def test_our_own_addresses_never_reach_the_application(path):
    """A8: the gateway's own paths are answered by the gateway, whatever the method or header."""
    world = World()
    visitor = await signed_in(world)

    for method in ("GET", "OPTIONS", "POST", "PUT"):
        await visitor.fetch(path, method, headers={"x-forwarded-user": "evil"})

    assert world.app.seen == []


@pytest.mark.parametrize("header", ["X-Forwarded-Uri", "X-Original-URL", "X-Rewrite-URL", "X-Envoy-Original-Path"])
async def test_no_header_chooses_another_rule(header):
    """A11, A12, O11: a header that names a public path opens nothing, and does not go upstream."""
    world = World()

    refused = await world.visitor().fetch("/admin", headers={header: "/public/x"})
    await world.visitor().fetch("/public/x", headers={header: "/admin"})

    assert refused.status_code == 401
    assert header.lower().encode() not in world.app.last


@pytest.mark.parametrize("agent", ["GoogleHC/1.0", "ELB-HealthChecker/2.0", "kube-probe/1.30"])
async def test_a_user_agent_opens_nothing(agent):
    """A13, O10: no user agent is a way round sign-in."""
    answer = await World().visitor().fetch("/", headers={"user-agent": agent})

    assert answer.status_code == 401


async def test_forwarded_headers_are_rebuilt():
    """A10, A14, Q14: what an untrusted peer says of itself is replaced by what we know."""
    world = World()
    visitor = await signed_in(world)

    await visitor.navigate(
        "/",
        **{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil",
           "Forwarded": "for=1", "X-Forwarded-Prefix": "//evil", "X-Forwarded-Port": "1"},
    )  # fmt: skip

    assert world.app.last[b"x-forwarded-for"] == b"192.0.2.7"
    assert world.app.last[b"x-forwarded-proto"] == b"https"
    assert world.app.last[b"x-forwarded-host"] == b"app.test"
    assert b"x-forwarded-prefix" not in world.app.last
    assert b"evil" not in world.app.last[b"forwarded"]


@pytest.mark.parametrize(
    "path",
    ["/public/../admin", "/public/%2e%2e/admin", "/public/..%2fadmin", "/public/..;/admin", "/public%2f..%2fadmin",
     "/public/%252e%252e/admin", "/public\\..\\admin", "/public/..%5cadmin", "//admin", "/public/x%2f..%2f..%2fadmin"],
)  # fmt: skip
async def test_no_spelling_of_a_path_is_a_way_round_a_rule(path):
    """E1, E2, E4: a path with several readings gets the strictest decision of them all."""
    world = World()

    answer = await world.visitor().client.request("GET", "/")
    scope_path = path.encode()
    statuses = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    await world.gateway(
        {"type": "http", "method": "GET", "path": path, "raw_path": scope_path, "query_string": b"", "headers": [],
         "client": ("192.0.2.7", 1), "scheme": "https", "http_version": "1.1"},
        receive,
        send,
    )  # fmt: skip

    assert answer.status_code == 401
    assert statuses[0] in (400, 401, 403)
    assert world.app.seen == []


async def test_a_query_opens_nothing():
    """O8, E8: rules see the path alone."""
    answer = await World().visitor().fetch("/admin?path=/public/x")

    assert answer.status_code == 401


async def test_groups_decide():
    """O7: a rule with groups lets in only who is in one of them; being signed in is not enough."""
    world = World()
    world.provider.claims = {"cognito:groups": ["staff"]}
    visitor = await signed_in(world)

    answer = await visitor.navigate("/admin/users")

    assert answer.status_code == 403
    assert "Sign out" in answer.text
    assert world.app.seen == []


@pytest.mark.parametrize(
    "groups", [None, [], [""], ["admin"], ["Admins"], "admins,staff", {"admins": 1}, [["admins"]], 7]
)
async def test_a_groups_claim_that_does_not_fit_is_no_group(groups):
    """#3365: a list of texts names groups, or one text one group, compared exactly; nothing else is a way in."""
    world = World()
    world.provider.claims = {"cognito:groups": groups}
    visitor = await signed_in(world)

    answer = await visitor.navigate("/admin/users")

    assert answer.status_code == 403


async def test_nobody_means_nobody():
    """A rule for nobody refuses everybody, without sending anybody to sign in."""
    world = World()
    visitor = await signed_in(world)

    assert (await visitor.navigate("/closed/x")).status_code == 403
    assert (await world.visitor().navigate("/closed/x")).status_code == 403


async def test_a_program_is_told_where_to_sign_in():
    """A request that is no navigation gets 401 and JSON, with a login address that returns to no API."""
    answer = await World().visitor().fetch("/api/items", headers={"accept": "application/json"})

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {
        "error": "unauthorized",
        "message": "Sign-in is required.",
        "login_url": "https://app.test/oauth2/login",
    }


async def test_a_frame_gets_a_link_that_leaves_the_frame():
    """A sign-in page refuses framing, so a frame shows a link that opens at the top."""
    headers = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe", "accept": "text/html"}

    answer = await World().visitor().fetch("/widget", headers=headers)

    assert answer.status_code == 401
    assert 'target="_top"' in answer.text
    assert "x-frame-options" not in answer.headers


async def test_a_prefetch_starts_no_sign_in():
    """A guess of the browser sets no cookie and starts nothing."""
    answer = await World().visitor().navigate("/", **{"sec-purpose": "prefetch;prerender"})

    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


async def test_of_sessions_in_several_cookie_lines_the_first_counts():
    """However a request's cookies come, in one line or two, warm or cold, they mean the same person."""
    world = World()
    first, second = await signed_in(world), world.visitor()
    world.provider.claims = {"email": "other@example.com"}
    await second.sign_in()
    lines = [f"{name}={value}" for each in (first, second) for name, value in each.cookies.items() if "session" in name]

    for way in ([("cookie", "; ".join(lines))], [("cookie", line) for line in lines]):
        await world.visitor().fetch("/", headers=way)

        assert world.app.last[b"x-forwarded-email"] == b"ada@example.com"


@pytest.mark.parametrize("name", ["authorization", "x-http-method-override", "x-cookie"])
async def test_a_session_in_another_line_is_none(name):
    """Only a Cookie line signs somebody in."""
    world = World()
    ada = await signed_in(world)
    session = "; ".join(f"{name}={value}" for name, value in ada.cookies.items())

    assert (await world.visitor().fetch("/", headers={name: session})).status_code == 401
    assert (await world.visitor().fetch("/", headers={"cookie": session})).status_code == 200


async def test_names_of_answers_are_remembered_within_a_bound(monkeypatch):
    """An application that invents header names fills no memory, and loses none of them."""
    monkeypatch.setattr(answer_headers, "_plain", set())
    monkeypatch.setattr(answer_headers, "_MEMO_ENTRIES", 8)
    world = World()
    visitor = await signed_in(world)

    for number in range(20):
        name = f"x-{number}".encode()
        world.app.headers = [(name, b"1"), (b"x-" * 100, b"1")]
        answer = await visitor.navigate("/")

        assert answer.headers[name.decode()] == "1"
        assert answer.headers["cache-control"] == "private, no-cache"
    assert len(answer_headers._plain) == 8
    assert max(map(len, answer_headers._plain)) < 10


async def test_a_sent_form_is_not_redirected_away():
    """F9, F10: a POST navigation without a session gets a page; the application sees nothing of it."""
    world = World()

    answer = await world.visitor().fetch("/form", "POST", headers=NAVIGATION, content=b"a=b")

    assert answer.status_code == 401
    assert "sign in" in answer.text.lower()
    assert world.app.seen == []


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"public, max-age=60", b"private, max-age=60"),
        (b"max-age=60", b"private, max-age=60"),
        (b"PUBLIC", b"private, no-cache"),
        (b"s-maxage=60, max-age=5", b"private, max-age=5"),
        (b"no-store", b"private, no-store"),
        (b"private, max-age=5", b"private, max-age=5"),
        (None, b"private, no-cache"),
    ],
)
async def test_shared_caches_are_kept_out(given, kept):
    """G3: what only one person may see is never left to a shared cache."""
    world = World()
    visitor = await signed_in(world)
    world.app.headers = [(b"cache-control", given)] if given else []

    answer = await visitor.navigate("/")

    assert answer.headers["cache-control"].encode() == kept


async def test_a_rule_can_say_that_nobody_keeps_a_response():
    """U10: `cache: never` leaves `no-store` alone, whatever the application says, behind whichever kind of rule."""
    rules = [
        {"path": "/never/**", "allow": "signed-in", "cache": "never"},
        {"path": "/open/**", "allow": "anyone", "cache": "never"},
        {"path": "/**", "allow": "signed-in"},
    ]
    world = World({"access": rules})
    visitor = await signed_in(world)
    world.app.headers = [(b"Cache-Control", b"public, max-age=60"), (b"expires", b"0"), (b"x-other", b"1")]

    for path in ("/never/x", "/open/x", "/other/..;/never/x"):
        answer = await visitor.navigate(path)
        assert answer.headers["cache-control"] == "no-store"
        assert "expires" not in answer.headers
        assert answer.headers["x-other"] == "1"


async def test_public_answers_stay_as_they_are():
    """Behind a rule for anyone nothing of the answer changes."""
    world = World()
    world.app.headers = [(b"cache-control", b"public, max-age=60")]

    answer = await world.visitor().navigate("/public/x")

    assert answer.headers["cache-control"] == "public, max-age=60"
    assert "set-cookie" not in answer.headers


async def test_fifty_requests_with_an_old_token_make_one_refresh():
    """G2, Q16: parallel requests share one refresh; the absolute end stays where sign-in put it."""
    world = World()
    visitor = await signed_in(world)
    world.now += LIFETIME + 1

    answers = await asyncio.gather(*(visitor.navigate(f"/{number}") for number in range(50)))

    assert {answer.status_code for answer in answers} == {200}
    assert world.provider.refreshed == 1


async def test_an_outage_signs_nobody_out():
    """Transient is not fatal: served until the token ends, then 503 with the session kept, then served again."""
    world = World()
    visitor = await signed_in(world)
    world.provider.down = True
    world.now += int(LIFETIME * 0.95)
    served = await visitor.navigate("/")
    world.now += LIFETIME
    refused = await visitor.navigate("/")
    world.provider.down = False
    world.now += 5
    back = await visitor.navigate("/")

    assert [served.status_code, refused.status_code, back.status_code] == [200, 503, 200]
    assert refused.headers["retry-after"]
    assert "set-cookie" not in refused.headers


async def test_a_refused_refresh_is_final():
    """`invalid_grant` ends the session: the next navigation goes to sign in, a script gets 401."""
    world = World()
    visitor = await signed_in(world)
    world.provider.refusal = "invalid_grant"
    world.now += LIFETIME + 1

    page = await visitor.navigate("/")
    script = await visitor.fetch("/api")

    assert page.status_code == 302
    assert script.status_code == 401


async def test_the_lifetime_is_absolute():
    """Q16: refreshes do not carry a session past its lifetime."""
    world = World()
    visitor = await signed_in(world)
    statuses = []
    for _ in range(13):
        world.now += LIFETIME - 10
        statuses.append((await visitor.navigate("/")).status_code)

    assert statuses == [200] * 12 + [302]


@pytest.mark.parametrize(
    "cookie",
    ["__Host-cg_session=", "__Host-cg_session=AAAA", "__Host-cg_session=" + "A" * 6000, "=;;a", "__Host-cg_session",
     "__Host-cg_session=\xff", "; ; ;", "__Host-cg_session.0=x; __Host-cg_session.99999999999=y"],
)  # fmt: skip
async def test_a_broken_cookie_is_as_good_as_none(cookie):
    """C1, C5, C7, C8: whatever is wrong with a cookie, the answer is that of no cookie, and none is expired."""
    world = World()

    answer = await world.visitor().navigate("/", cookie=cookie.encode("latin-1"))

    assert answer.status_code == 302
    assert not any("cg_session" in line for line in answer.headers.get_list("set-cookie"))


async def test_another_purpose_s_value_is_no_session():
    """C4, Q17: `state` and the binding, presented as a session, open nothing."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/")
    state = dict(pair.split("=", 1) for pair in start.headers["location"].split("?", 1)[1].split("&"))["state"]
    binding = next(iter(visitor.cookies.values()))

    for value in (state, binding):
        answer = await world.visitor().navigate("/", cookie=f"__Host-cg_session={value}")
        assert answer.status_code == 302


async def test_a_program_with_an_access_token_gets_through():
    """Programs come with bearer tokens on the same routes, and are identified like people."""
    world = World()
    token = world.provider.access_token(**{"cognito:groups": ["admins"]})

    answer = await world.visitor().fetch("/admin/x", headers={"authorization": f"Bearer {token}"})

    assert answer.status_code == 200
    assert world.app.last[b"x-forwarded-user"] == SUB.encode()
    assert world.app.last[b"x-forwarded-groups"] == b"admins"


def tampered(token: str) -> str:
    head, body, signature = token.split(".")
    return f"{head}.{body[:-2]}AA.{signature}"


BAD_TOKENS = {
    "random": lambda world: "AAAA.BBBB.CCCC",
    "tampered": lambda world: tampered(world.provider.access_token()),
    "expired": lambda world: world.provider.access_token(exp=int(world.now)),
    "another issuer": lambda world: world.provider.access_token(iss="https://evil.example"),
    "another client": lambda world: world.provider.access_token(client_id="another"),
    "an ID token": lambda world: world.provider.tokens("n")["id_token"],
    "no expiry": lambda world: world.provider.access_token(exp=None),
    "alg none": lambda world: "eyJhbGciOiJub25lIn0." + world.provider.access_token().split(".")[1] + ".",
    "unknown key": lambda world: sign({"sub": SUB}, "stranger"),
    "empty": lambda world: "",
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
async def test_a_bearer_token_that_does_not_verify_is_refused(kind):
    """D1, D2, D3: a token is good only when everything about it is; the refusal is the same for every cause."""
    world = World()

    answer = await world.visitor().fetch("/", headers={"authorization": f"Bearer {BAD_TOKENS[kind](world)}"})

    assert answer.status_code == 401
    assert world.app.seen == []


async def test_a_verified_token_is_refused_once_it_expires():
    """D4: a token kept after its verification is still compared with the clock."""
    world = World()
    headers = {"authorization": f"Bearer {world.provider.access_token()}"}
    first = await world.visitor().fetch("/", headers=headers)
    world.now += LIFETIME

    second = await world.visitor().fetch("/", headers=headers)

    assert [first.status_code, second.status_code] == [200, 401]


async def test_two_authorization_lines_are_none():
    """A17: with two Authorization lines there is no telling which one counts, so neither does."""
    world = World()
    good = f"Bearer {world.provider.access_token()}"

    answer = await world.visitor().client.get("/", headers=[("authorization", good), ("authorization", "Bearer x")])

    assert answer.status_code == 401


async def test_the_log_tells_no_secret():
    """H4: after sign-in, requests and sign-out no line of the log holds a token, code, cookie, state or e-mail."""
    world = World()
    visitor = world.visitor()
    start = await visitor.navigate("/reports?token=abc")
    await visitor.navigate(world.provider.sign_in(start.headers["location"]))
    await visitor.navigate("/reports?token=abc")
    secrets = [*visitor.cookies.values(), start.headers["location"].split("state=")[1][:40]]
    await visitor.fetch("/oauth2/logout", "POST", headers={**NAVIGATION, "sec-fetch-site": "same-origin"})

    log = world.log.getvalue()
    assert log.count("\n") == 4
    assert not [secret for secret in [*secrets, "code-", "refresh-", "eyJ", "@", "abc"] if secret in log]


async def test_one_line_a_request():
    """The log has one JSON line for each request: id, method, rule, decision, status and time."""
    world = World()
    await world.visitor().fetch("/public/x")

    line = json.loads(world.log.getvalue())

    assert line["rule"] == "/public/**"
    assert line["decision"] == "allow"
    assert line["status"] == 200
    assert world.app.last[b"x-request-id"].decode() == line["id"]


async def test_probes_are_answered_without_a_session():
    """/livez and /readyz answer without sign-in; readiness tells the provider's state and does not depend on it."""
    world = World()

    live = await world.visitor().fetch("/livez")
    ready = await world.visitor().fetch("/readyz")

    assert live.text == "ok\n"
    assert ready.json() == {"ready": True, "provider": "waiting"}


async def test_an_application_that_sends_one_message_to_everybody_mixes_nobody_up():
    """G4: a start message that the application keeps and sends again is never changed, so no cookie of ours that rode
    on one person's answer reaches the next."""
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}

    async def app(scope, receive, send):
        await send(start)
        await send({"type": "http.response.body", "body": b"hello"})

    world = World({"session": {**SETTINGS["session"], "idle_timeout": "10m"}}, app=app)
    first, second = await signed_in(world), await signed_in(world)
    world.now += 300

    one, other = await first.navigate("/"), await second.navigate("/")

    assert start["headers"] == [(b"content-type", b"text/plain")]
    assert len(one.headers.get_list("set-cookie")) == 1
    assert len(other.headers.get_list("set-cookie")) == 1
