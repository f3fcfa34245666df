"""What every response of the gateway's own says beside its content: the request's id, and the promise of https."""

import json
import re

import httpx
import pytest

from gateway.errors import BadUpstreamAnswer, NoUpstream, UpstreamBusy, UpstreamTimeout, UpstreamUnreachable
from tests.support.world import NAVIGATION, World

PUBLIC = {"public_url": "https://app.example.com"}
HSTS = "strict-transport-security"
OWN = ["/", "/livez", "/readyz", "/oauth2/login", "/oauth2/logout", "/oauth2/callback", "/oauth2/callback?error=x"]


def raising(error):
    async def app(scope, receive, send):
        raise error

    return app


async def answers(world: World) -> list[httpx.Response]:
    visitor = world.visitor()
    found = [await visitor.navigate(path) for path in OWN]
    return [*found, await visitor.fetch("/"), await visitor.fetch("/", "POST", headers=NAVIGATION)]


async def test_every_response_of_our_own_promises_https():
    """V1: on a public host every page, redirect and JSON of the gateway carries HSTS, for this host alone."""
    for answer in await answers(World(PUBLIC)):
        assert answer.headers.get_list(HSTS) == ["max-age=31536000"], answer.url


async def test_an_error_in_the_place_of_an_application_is_our_own_response():
    """V1: what is said where an application is silent is ours too."""
    world = World({**PUBLIC, "access": [{"path": "/**", "allow": "anyone"}]}, app=raising(UpstreamTimeout("late")))

    answer = await world.visitor().navigate("/")

    assert answer.status_code == 504
    assert answer.headers[HSTS] == "max-age=31536000"


@pytest.mark.parametrize("changes", [{}, {"public_url": "http://localhost:8000"}, {**PUBLIC, "hsts": "0s"}])
async def test_no_promise_for_a_developer_s_host_or_when_it_is_off(changes):
    """V1: `app.test`, `localhost` and `hsts: 0s` are never promised."""
    for answer in await answers(World(changes)):
        assert HSTS not in answer.headers, answer.url


async def test_an_application_s_response_is_its_own_business():
    """V1: HSTS is neither added to an application's response nor taken from it."""
    world = World({**PUBLIC, "access": [{"path": "/**", "allow": "anyone"}]})
    bare = await world.visitor().navigate("/")
    world.app.headers = [(b"Strict-Transport-Security", b"max-age=60; includeSubDomains")]

    own = await world.visitor().navigate("/")

    assert HSTS not in bare.headers
    assert own.headers.get_list(HSTS) == ["max-age=60; includeSubDomains"]


async def test_a_page_shows_the_id_that_the_log_has():
    """Whoever reports a failure can name the request: the page, a header and the log say the same id."""
    world = World()

    answer = await world.visitor().navigate("/oauth2/callback?code=x&state=y")

    line = json.loads(world.log.getvalue())
    assert answer.headers["x-request-id"] == line["id"]
    assert f"Request id: {line['id']}</p>" in answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)


async def test_every_response_of_our_own_has_the_header_and_no_mark_is_left():
    """Pages that tell of no failure show no id, but the header is there."""
    for answer in await answers(World()):
        assert answer.headers.get_list("x-request-id") != []
        assert "<!--" not in answer.text
        assert ("Request id" in answer.text) == (answer.status_code == 400)


@pytest.mark.parametrize(
    ("error", "status", "passes"),
    [
        (UpstreamBusy("full"), 503, True),
        (UpstreamTimeout("late"), 504, True),
        (UpstreamUnreachable("no"), 502, False),
        (BadUpstreamAnswer("no HTTP"), 502, False),
        (NoUpstream("nothing"), 404, False),
    ],
)
async def test_only_what_passes_is_worth_another_try_in_a_moment(error, status, passes):
    """A mistake in a file does not go away in a moment, and no page says that it does."""
    world = World({"access": [{"path": "/**", "allow": "anyone"}]}, app=raising(error))

    answer = await world.visitor().navigate("/")

    assert answer.status_code == status
    assert ("in a moment" in answer.text) is passes


@pytest.mark.parametrize("refusal", ["invalid_client", "unauthorized_client"])
async def test_a_mistake_in_the_settings_is_not_said_to_pass(refusal):
    """A client that the provider does not know stays unknown: the page says whom to tell, and not to try again."""
    world = World()
    world.provider.refusal = refusal

    answer = await world.visitor().sign_in()

    assert answer.status_code == 502
    assert "in a moment" not in answer.text
    assert "Try again" not in answer.text
    assert "tell whoever runs this service" in answer.text


@pytest.mark.parametrize("kind", ["invalid_client", "invalid_grant", "down", "bad token", "denied"])
async def test_a_failed_sign_in_is_one_warning_with_its_reason_and_the_request_s_id(kind, caplog):
    """Each failure at the callback is one line: what was wrong, and by which id the page calls it."""
    world = World()
    await world.gateway.provider.warm()  # keys that cannot be fetched are a warning of their own
    visitor = world.visitor()
    start = await visitor.navigate("/")
    callback = world.provider.sign_in(start.headers["location"])
    why = {"down": "ConnectError", "bad token": "nonce is not", "denied": "access_denied"}.get(kind, kind)
    world.provider.refusal = kind if kind.startswith("invalid") else None
    world.provider.down = kind == "down"
    world.provider.claims = {"nonce": "another"} if kind == "bad token" else {}
    if kind == "denied":
        callback = world.provider.refuse(start.headers["location"], "access_denied")

    answer = await visitor.navigate(callback)

    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(lines) == 1
    assert lines[0].startswith(f"{answer.headers['x-request-id']} sign-in failed: ")
    assert why in lines[0]
    assert not re.search(r"code-|state=", lines[0])
