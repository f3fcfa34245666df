"""Paths that a service behind reads differently, through the whole gateway and its settings."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from gateway.app import access_rules
from gateway.core.rules import Allow
from gateway.settings.schema import GatewaySettings
from tests.support.asgi import ask
from tests.support.world import SETTINGS, World


@pytest.mark.parametrize(
    "path", [b"//host/closed", b"/\\host/closed", b"//user@host/closed/x", b"/CLOSED/x", b"/closed/"]
)
async def test_no_spelling_of_a_closed_path_is_open(path):
    """U3, U4: where all else is open, a closed path is closed in each spelling that a service may take for it."""
    world = World({"access": [{"path": "/closed/**", "allow": "nobody"}, {"path": "/**", "allow": "anyone"}]})

    assert (await ask(world.gateway, path)).status == 403
    assert (await ask(world.gateway, b"/open")).status == 200


@pytest.mark.parametrize(("case", "status"), [("ignore", 403), ("exact", 200)])
async def test_case_is_as_the_settings_say(case, status):
    """U4: `paths.case: exact` is for services that tell `/Closed` from `/closed`."""
    rules = [{"path": "/closed", "allow": "nobody"}, {"path": "/**", "allow": "anyone"}]

    answer = await ask(World({"access": rules, "paths": {"case": case}}).gateway, b"/Closed")

    assert answer.status == status


@pytest.mark.parametrize("how", [{"strip_prefix": True}, {"rewrite": "/v2"}])
def test_what_an_upstream_is_sent_is_judged(how):
    """U5: the prefixes that upstreams lose are known to the rules."""
    settings = GatewaySettings.model_validate(
        {
            **SETTINGS,
            "access": [{"path": "/app/closed/**", "allow": "nobody"}, {"path": "/**", "allow": "anyone"}],
            "upstreams": [{"path": "/app/", "url": "http://127.0.0.1:1", **how}, {"url": "http://127.0.0.1:2"}],
        }
    )

    assert access_rules(settings).judge("GET", b"/app//host/closed").allow is Allow.NOBODY
    assert access_rules(settings).judge("GET", b"/app/open").allow is Allow.ANYONE


@pytest.mark.parametrize("path", ["/closed", "/CLOSED/", "/a%2f..%2fclosed"])
@pytest.mark.parametrize("mounted", [True, False])
async def test_a_root_path_opens_nothing(path, mounted):
    """U12: with `uvicorn --root-path`, or mounted in another application, rules for the application's own paths hold;
    those for the whole paths do as well."""
    rules = [
        {"path": "/closed/**", "allow": "nobody"},
        {"path": "/api/shut", "allow": "nobody"},
        {"path": "/**", "allow": "anyone"},
    ]
    world = World({"access": rules})
    inside = Starlette(routes=[Mount("/api", world.gateway)]) if mounted else world.gateway
    root = "" if mounted else "/api"

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(inside, root_path=root), base_url="https://app.test"
    ) as client:
        assert (await client.get(f"/api{path}")).status_code == 403
        assert (await client.get("/api/shut")).status_code == 403
        assert (await client.get("/api/open")).status_code == 200


async def test_a_session_opens_nothing_more_behind_a_root_path():
    """U12: who is signed in is judged by the application's own path, too, each time."""
    world = World({"access": [{"path": "/admin/**", "groups": ["owners"]}, {"path": "/**", "allow": "signed-in"}]})
    visitor = world.visitor()
    await visitor.sign_in()
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(world.gateway, root_path="/api"), base_url="https://app.test"
    ) as client:
        asked = [await client.get(path, headers={"cookie": cookie}) for path in ("/api/", "/api/admin", "/api/admin")]

    assert [answer.status_code for answer in asked] == [200, 403, 403]
