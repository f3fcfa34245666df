"""The middleware behind a server that takes TLS off: the application redirects to what the browser used."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.world import World

RULES = [{"path": "/**", "allow": "anyone"}]


async def told(request: Request) -> JSONResponse:
    client = request.client.host if request.client else None
    return JSONResponse({"url": str(request.url), "client": client, "for": request.url_for("told")._url})


APPLICATION = Starlette(routes=[Route("/told/", told)])


def front(trusted: list[str]) -> httpx.AsyncClient:
    """What a server on 192.0.2.7 sends on over plain http, with a Host of its own."""
    world = World({"access": RULES, "trusted_proxies": trusted}, app=APPLICATION)
    transport = httpx.ASGITransport(world.gateway, client=("192.0.2.7", 4711))
    return httpx.AsyncClient(
        transport=transport, base_url="http://backend:8000", headers={"x-forwarded-for": "203.0.113.9"}
    )


@pytest.mark.parametrize(
    ("trusted", "location"),
    [
        (["192.0.2.0/24"], "https://app.test/told/"),
        (["198.51.100.0/24"], "http://backend:8000/told/"),
        ([], "http://backend:8000/told/"),
    ],
)
async def test_a_framework_s_redirect_says_https(trusted, location):
    """V8: a redirect of the framework's own (a slash at the end) leads to the address that browsers use, behind a
    trusted server, and is as it was behind any other."""
    async with front(trusted) as client:
        answer = await client.get("/told")

    assert answer.status_code == 307
    assert answer.headers["location"] == location


async def test_addresses_that_the_application_builds_and_the_client_are_the_browser_s():
    """`request.url`, `url_for` and `request.client` are what the browser used."""
    async with front(["192.0.2.7"]) as client:
        answer = await client.get("/told/?a=b")

    assert answer.json() == {
        "url": "https://app.test/told/?a=b",
        "client": "203.0.113.9",
        "for": "https://app.test/told/",
    }
