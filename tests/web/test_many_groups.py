"""Cognito's own limit, a user in a hundred groups with names of 128 characters, from the token to the upstream."""

import random
import string
from http.cookies import SimpleCookie

import httpx
import pytest

from gateway.proxy.app import ReverseProxy
from gateway.proxy.options import UpstreamOptions
from gateway.server import Limits, running
from tests.support.raw_http import Recorder
from tests.support.world import NAVIGATION, World

_CHANCE = random.Random(1)
GROUPS = ["".join(_CHANCE.choices(string.ascii_letters + string.digits + "_-", k=128)) for _ in range(100)]
"""Names that do not compress: the worst that a cookie can be asked to hold."""
ROLES = [f"arn:aws:iam::123456789012:role/{name[:64]}" for name in GROUPS]
ACCESS = [{"path": "/**", "groups": [GROUPS[-1]]}]
HEADERS = {"x-forwarded-groups": "${groups}", "authorization": "Bearer ${access_token}"}


def world(app=None, headers=None):
    made = World({"access": ACCESS, "headers": headers or HEADERS}, app)
    made.provider.claims = {"cognito:groups": GROUPS, "cognito:roles": ROLES}
    made.provider.access = {"cognito:groups": GROUPS}
    return made


@pytest.mark.parametrize("headers", [{"x-sub": "${sub}"}, HEADERS, {**HEADERS, "x-id": "${id_token}"}])
async def test_a_user_in_a_hundred_groups_signs_in_and_is_refreshed(headers):
    """The session fits into cookies, with both tokens in it too, and each refresh keeps it."""
    gateway = world(headers=headers)
    visitor = gateway.visitor()
    await visitor.sign_in()
    assert "__Host-cg_session.2" in visitor.cookies
    for _ in range(2):
        assert (await visitor.navigate("/")).status_code == 200
        gateway.now += 3200
    assert gateway.provider.refreshed == 1
    if "x-forwarded-groups" in headers:
        assert gateway.app.last[b"x-forwarded-groups"].decode().split(",") == GROUPS


async def test_tokens_that_were_verified_are_kept_within_bounds():
    """Of tokens of 18 KB as many are remembered as fit into the bound, the latest ones; each is still recognised."""
    gateway = world()
    bearers = gateway.gateway._guard._bearers
    assert bearers is not None
    bearers._limit = 500_000
    tokens = [gateway.provider.access_token(jti=str(number)) for number in range(20)]
    for token in [*tokens, tokens[0]]:
        assert (await bearers.recognise(token, int(gateway.now))).session.sub
    assert list(bearers._known) == [*tokens[1 - len(bearers._known) :], tokens[0]]
    assert 5 < len(bearers._known) < 20


async def test_a_hundred_groups_pass_real_servers():
    """Over sockets: the cookies come back within the server's limits, and the upstream gets groups and token, whether
    a person or a program asks."""
    upstream = Recorder()
    async with running(upstream, limits=Limits(header_bytes=64 * 1024)) as behind:
        gateway = world(ReverseProxy([UpstreamOptions(servers=(behind.url,))]))
        token = gateway.provider.access_token()
        assert len(token) > 18_000
        async with running(gateway.gateway) as server, httpx.AsyncClient(base_url=server.url) as client:
            host = {"host": "app.test", **NAVIGATION}
            start = await client.get("/", headers=host)
            back = httpx.URL(gateway.provider.sign_in(start.headers["location"])).raw_path.decode()
            landed = await client.get(back, headers={**host, "cookie": _cookies(start)})
            person = await client.get("/", headers={**host, "cookie": _cookies(landed)})
            program = await client.get("/", headers={"host": "app.test", "authorization": f"Bearer {token}"})
    assert (person.status_code, program.status_code) == (200, 200)
    for scope in upstream.scopes:
        seen = dict(scope["headers"])
        assert seen[b"x-forwarded-groups"].decode().split(",") == GROUPS
        assert len(seen[b"authorization"]) > 18_000


def _cookies(response: httpx.Response) -> str:
    """The Cookie line that a browser sends after this response."""
    jar = SimpleCookie()
    for line in response.headers.get_list("set-cookie"):
        jar.load(line)
    return "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items() if morsel["max-age"] != "0")
