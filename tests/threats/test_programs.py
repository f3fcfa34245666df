"""Bearer tokens beside cookies: whose request it is, and what a token that is not good opens."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.asgi import BROWSER, ask
from tests.support.fake_provider import Ticker
from tests.support.tokens import SUB, sign
from tests.support.world import World

SESSION = "__Host-cg_session"
OTHER = "bbbbbbbb-0000-4000-8000-000000000000"
HOST = (b"host", b"app.test")
WORLD = World()
GOOD = WORLD.provider.access_token()


def bearer(token):
    return (b"authorization", f"Bearer {token}".encode("latin-1"))


async def session_cookie(world):
    visitor = world.visitor()
    await visitor.sign_in()
    return (b"cookie", f"{SESSION}={visitor.cookies[SESSION]}".encode())


def base64_of(text):
    return base64.b64encode(text.encode()).decode()


HEADERS = [
    "Bearer",
    "Bearer ",
    "Bearer  ",
    "Bearer abc def",
    "bearer",
    "Basic " + base64_of("token:"),
    "Basic " + base64_of(GOOD + ":"),
    "Basic " + base64_of("any-user:" + GOOD),
    "Basic " + base64_of(GOOD + ":x-oauth-basic"),
    GOOD,
    "Token " + GOOD,
    "Bearer=" + GOOD,
    "Bearer\t" + GOOD,
    f"Bearer {GOOD} {GOOD}",
    f"Bearer {GOOD}, Bearer {GOOD}",
    f"Bearer {GOOD},",
    f'Bearer "{GOOD}"',
    "Bearer " + "A" * 9000,
    f"Bearer {GOOD}=",
    f"Bearer .{GOOD}",
    f"Bearer {GOOD}.x",
    "Bearer \xff\xfe",
    "Bearer \u00e9.\u00e9.\u00e9",
]


@pytest.mark.parametrize("value", HEADERS)
async def test_an_authorization_line_that_is_no_bearer_token_is_none(value):
    """D1, A17, Authorization table: half a line, another scheme, two tokens or bytes that are none: 401, no crash."""
    world = World()

    answer = await ask(world.gateway, headers=[HOST, (b"authorization", value.encode("latin-1", "replace"))])

    assert answer.status == 401
    assert answer.one("www-authenticate").startswith("Bearer")
    assert world.app.seen == []


@pytest.mark.property
@given(st.data())
async def test_any_change_to_a_token_spoils_it(data):
    """D1, C13: one character changed, taken out or put in, anywhere in the token: nobody is identified."""
    at = data.draw(st.integers(0, len(GOOD) - 1))
    char = data.draw(st.sampled_from("AQgw09-_.+/= "))
    form = data.draw(st.sampled_from(["change", "insert", "remove"]))
    changed = GOOD[:at] + (char if form != "remove" else "") + GOOD[at if form == "insert" else at + 1 :]
    answer = await ask(WORLD.gateway, headers=[HOST, bearer(changed)])
    assert answer.status == 401 or changed.strip() == GOOD, changed


async def test_a_good_token_opens_the_door():
    """D1: the token that the tests above spoil is good."""
    assert (await ask(WORLD.gateway, headers=[HOST, bearer(GOOD)])).status == 200


async def test_a_session_and_a_token_of_two_people_are_never_mixed():
    """D1, C16: with a session and a bearer token the request is the session's as a whole: subject, groups, e-mail."""
    world = World()
    world.provider.claims = {"cognito:groups": ["staff"], "email": "ada@example.com"}
    cookie = await session_cookie(world)
    token = world.provider.access_token(sub=OTHER, email="eve@example.com", **{"cognito:groups": ["admins"]})

    own = await ask(world.gateway, headers=[HOST, cookie, bearer(token)])
    admin = await ask(world.gateway, b"/admin/x", headers=[HOST, cookie, bearer(token)])

    headers = dict(world.app.seen[-1]["headers"])
    assert (own.status, admin.status) == (200, 403)
    assert headers[b"x-forwarded-user"] == SUB.encode()
    assert headers[b"x-forwarded-groups"] == b"staff"


async def test_a_token_does_not_become_a_session():
    """D1, C6: a program gets no cookie of ours, whatever it asks and how often."""
    world = World({"session": {"secrets": ["kJ8x2qV0mZ5tR7yB1nC4wE6uP9aS3dF-newest"], "idle_timeout": "10m"}})
    headers = [*BROWSER, bearer(world.provider.access_token())]
    for _ in range(5):
        world.now += 300
        answer = await ask(world.gateway, headers=headers)
        assert answer.status == 200
        assert answer.all("set-cookie") == []
        assert "private" in answer.one("cache-control")


async def test_a_bad_token_beside_a_good_session_changes_nothing():
    """D1: the session counts; a token that does not verify neither adds to it nor takes it away."""
    world = World()
    cookie = await session_cookie(world)

    answer = await ask(world.gateway, headers=[*BROWSER, cookie, bearer("AAAA.BBBB.CCCC")])

    assert answer.status == 200
    assert answer.all("set-cookie") == []


async def test_a_bad_token_is_not_identified_on_a_public_path():
    """A7, D1: where anyone may go, a token that does not verify goes as nobody."""
    world = World()

    for token in (
        "x",
        world.provider.access_token(exp=1),
        world.provider.tokens("n")["id_token"],
        sign({"sub": SUB}, "stranger"),
    ):
        answer = await ask(world.gateway, b"/public/x", headers=[HOST, bearer(token)])
        assert answer.status == 200
        assert b"x-forwarded-user" not in dict(world.app.seen[-1]["headers"])


async def test_bearers_are_off_unless_the_settings_want_them():
    """D1, Q11: without `bearer`, a good token of our own pool identifies nobody."""
    world = World({"bearer": {"enabled": False}})
    token = world.provider.access_token()

    protected = await ask(world.gateway, headers=[HOST, bearer(token)])
    await ask(world.gateway, b"/public/x", headers=[HOST, bearer(token)])

    assert protected.status == 401
    assert b"x-forwarded-user" not in dict(world.app.seen[-1]["headers"])


async def test_keys_that_cannot_be_fetched_let_nobody_in():
    """E10, D7: while the provider's keys are not there, a token is neither accepted nor called wrong."""
    world = World()
    token = world.provider.access_token()
    world.provider.down = True

    protected = await ask(world.gateway, headers=[HOST, bearer(token)])
    public = await ask(world.gateway, b"/public/x", headers=[HOST, bearer(token)])

    assert protected.status == 503
    assert protected.one("retry-after")
    assert public.status == 200
    assert b"x-forwarded-user" not in dict(world.app.seen[-1]["headers"])


async def test_a_withdrawn_key_ends_what_it_had_signed():
    """W4, D4: a bearer token that was good a moment ago is judged again once the provider has withdrawn its key."""
    world = World()
    ticks = Ticker()
    world.gateway.provider._keys._remote._clock = ticks
    headers = [HOST, bearer(world.provider.access_token(exp=world.now + 86_400))]
    assert (await ask(world.gateway, headers=headers)).status == 200
    world.provider.published = ("id", "access-2")
    ticks.now += 3600
    assert (await ask(world.gateway, headers=headers)).status == 200  # the newer keys are fetched behind this one
    await world.gateway.provider._keys.fetch()
    assert (await ask(world.gateway, headers=headers)).status == 401


@pytest.mark.parametrize(
    ("bearer_settings", "aud", "status"),
    [
        ({}, None, 200),
        ({}, "https://app.test", 200),
        ({}, ["https://payroll.example/api", "https://app.test/"], 200),
        ({}, "https://payroll.example/api", 401),
        ({}, "https://app.test/api", 401),
        ({"audiences": ["https://app.test/api"]}, "https://app.test/api", 200),
        ({"audiences": ["https://app.test/api"]}, "https://app.test", 401),
        ({"audiences": ["https://app.test/api"]}, None, 200),
    ],
)
async def test_a_token_made_for_another_service_opens_nothing(bearer_settings, aud, status):
    """W1: an access token with another service's `aud` is no credential here (RFC 9068 §4, RFC 8707)."""
    world = World({"bearer": bearer_settings})
    token = world.provider.access_token(aud=aud, **{"cognito:groups": ["admins"]})

    answer = await ask(world.gateway, b"/admin/x", headers=[HOST, bearer(token)])

    assert answer.status == status


async def test_two_people_s_tokens_are_kept_apart():
    """D4, G4: a token verified for one is remembered for that token alone; thousands of others do not push it out of
    line with the clock."""
    world = World()
    tokens = {sub: world.provider.access_token(sub=sub) for sub in (SUB, OTHER)}
    for _ in range(3):
        for sub, token in tokens.items():
            await ask(world.gateway, headers=[HOST, bearer(token)])
            assert dict(world.app.seen[-1]["headers"])[b"x-forwarded-user"] == sub.encode()
    world.now += 4000
    for token in tokens.values():
        assert (await ask(world.gateway, headers=[HOST, bearer(token)])).status == 401
