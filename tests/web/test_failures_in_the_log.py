"""Each sign-in, refresh, fetch of keys and discovery that fails is one warning with its reason and its request."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from random import randbytes
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.telemetry.logs import configure
from tests.support.log_state import logging_restored
from tests.support.world import SETTINGS, World

EMAIL = "ada.lovelace@example.com"


@contextmanager
def log_of(world: World) -> Iterator[None]:
    """Everything goes into `world.log`, as in the process."""
    with logging_restored():
        configure(world.log, lambda: world.now, style="json")
        yield


def lines(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in world.log.getvalue().splitlines()]


def warnings(world: World) -> list[dict[str, Any]]:
    return [line for line in lines(world) if line.get("level") in {"warning", "error", "critical"}]


def last_request(world: World) -> dict[str, Any]:
    return [line for line in lines(world) if line["event"] == "request"][-1]


def bad_claims(**claims):
    def apply(provider):
        provider.claims = {"email": EMAIL, **claims}

    return apply


def refuses(error):
    return lambda provider: setattr(provider, "refusal", error)


SIGN_INS = {
    "issuer": (bad_claims(iss="https://other.example"), "iss is 'https://other.example', and the issuer is"),
    "audience": (bad_claims(aud="other"), "aud ['other'] does not name this client"),
    "nonce": (bad_claims(nonce="other"), "nonce is not the one of this sign-in"),
    "clock": (
        bad_claims(iat=1_767_225_600 + 900),
        "iat is in the future (the provider's clock: Thu, 01 Jan 2026 00:00:00 GMT, ours: Thu, 01 Jan 2026",
    ),
    "client secret": (refuses("invalid_client"), "invalid_client"),
    "code": (refuses("invalid_grant"), "invalid_grant"),
    "outage": (
        lambda provider: setattr(provider, "down", True),
        "ConnectError (down) at https://my-app.auth.eu-west-1.amazoncognito.com/oauth2/token",
    ),
    "too large": (bad_claims(**{"cognito:groups": [randbytes(30_000).hex()]}), "too large"),
}


@pytest.mark.parametrize(("spoil", "reason"), SIGN_INS.values(), ids=SIGN_INS.keys())
async def test_a_failed_sign_in_is_one_warning(spoil, reason):
    """With the reason, and with the id that stands in the request's own line; nothing in the log is secret (H4)."""
    world = World()
    await world.gateway.provider.warm()
    with log_of(world):
        visitor = world.visitor()
        start = await visitor.navigate("/")
        spoil(world.provider)
        callback = world.provider.sign_in(start.headers["location"])
        await visitor.navigate(callback)
        (warning,) = warnings(world)
    assert reason in warning["message"]
    assert warning["id"] == last_request(world)["id"]
    assert warning["message"].startswith(f"{warning['id']} sign-in failed: ")
    secrets = [value for values in parse_qs(urlsplit(callback).query).values() for value in values]
    assert not [secret for secret in [*secrets, *visitor.cookies.values(), EMAIL] if secret in world.log.getvalue()]


async def test_the_providers_no_is_one_warning():
    """Its own words, for a sign-in of ours; an address in them is masked, and a stranger's words are not repeated."""
    world = World()
    with log_of(world):
        visitor = world.visitor()
        start = await visitor.navigate("/")
        address = world.provider.refuse(start.headers["location"], "access_denied", f"{EMAIL} may not")
        await visitor.navigate(address)
        (warning,) = warnings(world)
        await world.visitor().navigate("/oauth2/callback?error=access_denied&error_description=spam")
        assert warnings(world) == [warning]
    assert warning["message"].endswith("sign-in failed: the provider says access_denied: *** may not")
    assert "spam" not in world.log.getvalue()


async def test_a_sign_in_that_comes_back_to_another_browser_is_one_warning():
    """A callback without the cookies of its sign-in says so, once starting again has not helped."""
    world = World()
    with log_of(world):
        response = await world.visitor().navigate("/")
        for _ in range(10):
            if response.status_code == 302:
                response = await world.visitor().navigate(world.provider.sign_in(response.headers["location"]))
        (warning,) = warnings(world)
    assert response.status_code == 400
    assert "sign-in given up after" in warning["message"]


REFRESHES = {
    "invalid_grant": (refuses("invalid_grant"), "refresh was refused, and its session ends: invalid_grant"),
    "invalid_client": (refuses("invalid_client"), "refresh failed: refused for another reason"),
    "issuer": (bad_claims(iss="https://other.example"), "refresh failed: the refreshed tokens do not verify: iss is"),
    "outage": (lambda provider: setattr(provider, "down", True), "refresh failed: ConnectError (down) at https://"),
}


@pytest.mark.parametrize(("spoil", "reason"), REFRESHES.values(), ids=REFRESHES.keys())
async def test_a_failed_refresh_is_one_warning(spoil, reason):
    """However many requests wait for it."""
    world = World()
    visitor = world.visitor()
    await visitor.sign_in()
    with log_of(world):
        spoil(world.provider)
        world.now += 3200
        await visitor.fetch("/")
        (warning,) = warnings(world)
        assert warning["id"] == last_request(world)["id"]
        await visitor.fetch("/")
        assert warnings(world) == [warning]
    assert warning["message"].startswith(reason)


async def test_a_bad_access_token_is_explained_for_debugging_alone():
    """Its reason is found by who looks for it; strangers cannot fill the log with warnings."""
    world = World()
    for level, said in (("info", []), ("debug", ["an access token is refused: aud ['x'] does not name this service"])):
        with logging_restored():
            configure(world.log, lambda: world.now, style="json", level=level)
            token = world.provider.access_token(aud="x")
            await world.visitor().fetch("/", headers={"authorization": f"Bearer {token}"})
        assert warnings(world) == []
        refused = [line["message"] for line in lines(world) if "refused" in line.get("message", "")]
        assert refused == said
        assert token not in world.log.getvalue()


@pytest.mark.parametrize(("spoil", "count"), [(None, 0), ("down", 1), ("refuses", 1)])
async def test_a_refresh_token_that_lives_on_after_sign_out_is_a_warning(spoil, count):
    """A sign-out that the provider did not follow says so, without the token."""
    world = World()
    visitor = world.visitor()
    await visitor.sign_in()
    with log_of(world):
        world.provider.down = spoil == "down"
        world.provider.revokes = spoil != "refuses"
        headers = {"sec-fetch-site": "same-origin", "origin": "https://app.test"}
        await visitor.fetch("/oauth2/logout", "POST", headers=headers)
        said = warnings(world)
    assert len(said) == count
    assert all("lives on" in line["message"] and "refresh-" not in line["message"] for line in said)


async def test_failed_keys_are_one_warning_and_the_reason_of_readyz():
    """/readyz says why the provider is not ready, and no more of it once it is."""
    world = World()
    world.provider.down = True
    with log_of(world):
        await world.visitor().fetch("/", headers={"authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.e30.AAAA"})
        (warning,) = warnings(world)
        waiting = await world.visitor().fetch("/readyz")
    assert warning["message"].startswith("the provider's keys cannot be fetched: ConnectError (down) at https://")
    assert warning["id"]
    said = warning["message"].partition("fetched: ")[2]
    assert waiting.json() == {"ready": True, "provider": "waiting", "reason": said}
    world.provider.down = False
    await world.gateway.provider.warm()
    assert (await world.visitor().fetch("/readyz")).json() == {"ready": True, "provider": "ready"}


async def test_a_discovery_that_fails_is_one_warning():
    """The metadata of another issuer: both are named; the sign-in that could not begin is a warning of its own."""
    provider = {"preset": "oidc", "issuer": "https://login.example", "client_id": SETTINGS["provider"]["client_id"]}
    world = World({"provider": provider})
    world.gateway.provider._discovery._http = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"issuer": "https://login.example/"}))
    )
    with log_of(world):
        assert (await world.visitor().navigate("/")).status_code == 503
        discovery, sign_in = warnings(world)
    why = "issuer is 'https://login.example/', and the settings say 'https://login.example'"
    assert discovery["message"].startswith(
        "the provider's metadata cannot be fetched: https://login.example/.well-known"
    )
    assert discovery["message"].endswith(why)
    assert sign_in["message"].endswith(why)
    assert discovery["id"] == sign_in["id"] == last_request(world)["id"]
