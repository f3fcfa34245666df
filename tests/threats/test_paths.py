"""Paths that a service behind reads differently, through the whole gateway and its settings."""

import pytest

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
