"""The assembled gateway with its own address as upstream, and what marks its requests."""

from pathlib import Path

import pytest
import yaml

from gateway.app import loop_name
from gateway.proxy.app import ReverseProxy
from gateway.proxy.hops import MAX_PASSES, Hops
from gateway.proxy.options import UpstreamOptions
from gateway.server import running
from gateway.settings.load import loads
from gateway.settings.schema import GatewaySettings
from tests.support.raw_http import status
from tests.support.wire import HOST, talk
from tests.support.world import SETTINGS, World

pytestmark = pytest.mark.network
UPSTREAM = {"url": "http://127.0.0.1:3000"}
OTHER_SECRET = "pT4wK9zL2mX7vQ0sJ5hG8nB3rY6cD1f-other"


def settings(**changes) -> GatewaySettings:
    return loads(yaml.safe_dump({**SETTINGS, "upstreams": [UPSTREAM], **changes}).encode(), "gateway.yaml", {}, Path())


@pytest.mark.parametrize("target", [b"/public/x", b"/public/x?y=z"])
async def test_a_gateway_that_is_its_own_upstream_answers_508(target):
    """T4: an anonymous request is judged and forwarded a few times, then the loop ends, and the client is told."""
    inner: list[ReverseProxy] = []

    async def application(scope, receive, send):
        await inner[0](scope, receive, send)

    world = World(app=application)
    async with running(world.gateway, grace=0.2, lifespan=ReverseProxy([])) as server:
        inner.append(ReverseProxy([UpstreamOptions(servers=(server.url,))], Hops(loop_name(settings()), via=True)))
        said = await talk(server, b"GET " + target + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        await inner[0].aclose()
    assert status(said) == 508
    assert world.log.getvalue().count("\n") == MAX_PASSES + 1


def test_the_mark_is_the_same_in_every_process():
    """T4: workers and replicas of one configuration find a loop through one another."""
    assert loop_name(settings()) == loop_name(settings())


def test_the_mark_stays_while_a_secret_is_changed():
    """T4: replicas that have the new secret and those that have not yet know each other's requests."""
    [old] = SETTINGS["session"]["secrets"]
    assert loop_name(settings(session={"secrets": [OTHER_SECRET, old]})) == loop_name(settings())


@pytest.mark.parametrize(
    "changes",
    [
        {"upstreams": [{"url": "http://127.0.0.1:3001"}]},
        {"upstreams": [UPSTREAM, {"url": "http://127.0.0.1:3001", "path": "/api"}]},
        {"upstreams": [{**UPSTREAM, "hosts": ["a.test"]}]},
        {"public_url": "https://other.test"},
        {"session": {"secrets": [OTHER_SECRET]}},
    ],
)
def test_gateways_in_a_chain_have_marks_of_their_own(changes):
    """T4: one that stands before or behind another is no loop, even where both share a secret."""
    assert loop_name(settings(**changes)) != loop_name(settings())


def test_the_mark_says_nothing_of_the_settings():
    """What upstreams see is made with a key: sixteen digits, nothing that can be compared with a guess."""
    name = loop_name(settings())
    assert len(name) == len("cg-") + 16
    assert "3000" not in name
