"""The gateway signs users in at node's `oidc-provider`: a certified provider that nobody here wrote."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from tests.peers.program import Program, running_program
from tests.peers.site import MovableClock, Site, gateway_to, visitor
from tests.support.certificates import TestAuthority, make_authority
from tests.support.stack import free_port

pytestmark = [pytest.mark.peers, pytest.mark.browser, pytest.mark.network]

# RFC 6749 §2.3.1: both halves are form-encoded before Basic joins them with a colon. These notice when they are not.
CLIENT_ID = "gateway:of the+peers"
CLIENT_SECRET = "kJ8x+2qV/0m%5A:tR7 yB&=wE6uP9aS3dFq"
ACCESS_SECONDS = 60
PAST_REFRESH = 55
"""Seconds: a refresh is due at about 80 % of ACCESS_SECONDS, so after this many, but the token is not over."""
SCOPES = ["openid", "email", "profile", "groups", "offline_access"]


@dataclass
class World:
    """The gateway, the provider's program, and the address of the provider's pages."""

    site: Site
    provider: Program
    issuer: str
    browser: Browser

    @property
    def clock(self) -> MovableClock:
        return self.site.clock

    async def count(self, kind: str) -> int:
        """How many grants of a type the provider has given."""
        return sum(event.get("type") == kind for event in await self.provider.events())


def client_of(gateway_url: str) -> dict[str, Any]:
    """The gateway's registration at the provider."""
    return {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [f"{gateway_url}/oauth2/callback"],
        "post_logout_redirect_uris": [f"{gateway_url}/"],
        "scope": " ".join(SCOPES),
    }


def provider_settings(issuer: str) -> dict[str, Any]:
    """The provider in the gateway's settings. A provider gives a refresh token after consent (Core §11)."""
    return {
        "preset": "oidc",
        "issuer": issuer,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "scopes": SCOPES,
        "authorize_params": {"prompt": "consent"},
    }


@asynccontextmanager
async def local_world(folder: Path, **changes: Any) -> AsyncIterator[World]:
    """Both on ports of localhost: one site. `changes` go into the provider's settings."""
    ports = free_port(), free_port()
    issuer, url = f"http://localhost:{ports[0]}", f"http://localhost:{ports[1]}"
    given = {"issuer": issuer, "port": ports[0], "access_seconds": ACCESS_SECONDS, "client": client_of(url), **changes}
    async with (
        running_program("oidc_provider.mjs", {"claims_at_userinfo_only": False, **given}, folder) as provider,
        gateway_to(provider_settings(issuer), url, ports[1]) as site,
        visitor() as browser,
    ):
        yield World(site, provider, issuer, browser)


@asynccontextmanager
async def world_of_two_sites(folder: Path, authority: TestAuthority) -> AsyncIterator[World]:
    """The gateway on https://app.test and the provider on https://login.example."""
    ports = free_port(), free_port()
    issuer, url, back = "https://login.example", "https://app.test", f"https://localhost:{ports[0]}"
    given = {
        "issuer": issuer,
        "port": ports[0],
        "access_seconds": ACCESS_SECONDS,
        "client": client_of(url),
        "claims_at_userinfo_only": False,
        "tls": {"cert": str(authority.certificate), "key": str(authority.key)},
    }
    # The back channel knows no names of the test: it goes to the port itself.
    settings = {
        **provider_settings(issuer),
        "discovery_url": f"{back}/.well-known/openid-configuration",
        "endpoints": {
            "token_endpoint": f"{back}/token",
            "jwks_uri": f"{back}/jwks",
            "revocation_endpoint": f"{back}/token/revocation",
        },
        "ca_file": str(authority.ca_file),
    }
    async with (
        running_program("oidc_provider.mjs", given, folder) as provider,
        gateway_to(settings, url, ports[1], authority) as site,
        visitor(authority, app_test=ports[1], login_example=ports[0]) as browser,
    ):
        yield World(site, provider, issuer, browser)


@pytest.fixture
async def world(tmp_path):
    async with local_world(tmp_path) as world:
        yield world


async def sign_in(page: Page, login: str = "ada") -> None:
    """Fill in the provider's own pages: a name and any password, then the consent."""
    await page.fill("[name=login]", login)
    await page.fill("[name=password]", "any password does here")
    await page.click("text=Sign-in >> nth=-1")
    await page.click("text=Continue")


async def signed_in_page(world: World, path: str = "/") -> Page:
    page = await world.browser.new_page()
    await page.goto(world.site.url + path)
    await sign_in(page)
    await page.wait_for_url(world.site.url + path)
    return page


@pytest.mark.parametrize("sites", ["localhost", "two-sites"])
async def test_sign_in_greeting_refresh_and_sign_out(tmp_path, sites):
    """The whole visit: sign in (PKCE required), greeted by name, two refreshes whose tokens rotate, and a sign-out that
    ends both sessions: the next visit asks for the password."""
    where = local_world(tmp_path) if sites == "localhost" else world_of_two_sites(tmp_path, make_authority(tmp_path))
    async with where as world:
        page = await world.browser.new_page()
        await page.goto(world.site.url + "/?deep=link%26more")
        assert page.url.startswith(world.issuer)
        await sign_in(page)
        await page.wait_for_url(world.site.url + "/?deep=link%26more")
        await expect(page.locator("h1")).to_have_text("Welcome, Ada Lovelace")
        await expect(page.locator("body")).to_contain_text("engineers,staff")

        for refreshes in (1, 2):
            world.clock.ahead += PAST_REFRESH
            await page.reload()
            await expect(page.locator("h1")).to_have_text("Welcome, Ada Lovelace")
            assert await world.count("refresh_token") == refreshes

        await page.click("text=Sign out")
        assert page.url.startswith(world.issuer)
        await page.click("text=Yes, sign me out")
        await expect(page.locator("[name=login]")).to_be_visible()
        assert page.url.startswith(world.issuer)

        events = await world.provider.events()
        assert {"revoked", "session ended"} <= {event["event"] for event in events}
        assert not [event for event in events if event["event"] == "refused"]
        assert await world.count("authorization_code") == 1


async def test_parallel_requests_refresh_once(world):
    """G2: a page whose requests all come when the token is due makes one refresh; a second one would replay a refresh
    token that has rotated, upon which this provider takes back everything."""
    page = await signed_in_page(world, "/headers")  # the greeting's content security policy forbids scripts
    world.clock.ahead += PAST_REFRESH

    statuses = await page.evaluate(
        "Promise.all(Array.from({length: 12}, (_, n) => fetch('/headers?' + n).then((answer) => answer.status)))"
    )

    assert statuses == [200] * 12
    assert await world.count("refresh_token") == 1
    assert not [event for event in await world.provider.events() if event["event"] in {"refused", "revoked"}]


async def test_what_the_provider_took_back_is_over(world):
    """`invalid_grant` at a refresh is final: the next request is sent to sign in, and a script gets 401."""
    page = await signed_in_page(world, "/headers")
    await world.provider.ask(ask="forget")
    world.clock.ahead += PAST_REFRESH

    status = await page.evaluate("fetch('/headers').then((answer) => answer.status)")
    await page.goto(world.site.url + "/")

    assert status == 401
    assert page.url.startswith(world.issuer)
    refused = [event for event in await world.provider.events() if event["event"] == "refused"]
    assert [event["error"] for event in refused] == ["invalid_grant"]


async def test_a_provider_that_is_gone_signs_nobody_out(world):
    """The provider's program ends: the session is served until its access token is over, then requests get 503 and the
    session is kept."""
    page = await signed_in_page(world)
    await world.provider.stop()

    world.clock.ahead += PAST_REFRESH
    served = await page.goto(world.site.url + "/")
    assert served is not None
    assert served.status == 200
    await expect(page.locator("h1")).to_have_text("Welcome, Ada Lovelace")

    world.clock.ahead += ACCESS_SECONDS
    waiting = await page.goto(world.site.url + "/")
    assert waiting is not None
    assert waiting.status == 503
    assert int(waiting.headers["retry-after"]) > 0

    world.clock.ahead -= ACCESS_SECONDS
    again = await page.goto(world.site.url + "/")
    assert again is not None
    assert again.status == 200


async def test_cancelling_at_the_provider_gives_a_page_with_a_way_on(world):
    """The visitor cancels: `access_denied` becomes a readable page, and its link leads to a sign-in that works."""
    page = await world.browser.new_page()
    await page.goto(world.site.url + "/?back=here")
    await page.click("text=Cancel")
    await page.wait_for_url("**/oauth2/callback?*")
    await expect(page.locator("h1")).to_have_text("Sign-in was cancelled")

    await page.click("text=Try again")
    await sign_in(page)

    await page.wait_for_url(world.site.url + "/?back=here")


async def test_two_tabs_both_arrive(world):
    """Two tabs opened at once, without any cookie yet, both come back to the page that they asked for."""
    context = await world.browser.new_context()
    first, second = await context.new_page(), await context.new_page()
    await asyncio.gather(first.goto(world.site.url + "/?tab=1"), second.goto(world.site.url + "/?tab=2"))

    await sign_in(first)
    await first.wait_for_url(world.site.url + "/?tab=1")
    await sign_in(second)
    await second.wait_for_url(world.site.url + "/?tab=2")

    await expect(second.locator("h1")).to_have_text("Welcome, Ada Lovelace")


async def test_claims_that_only_userinfo_gives_reach_the_application(tmp_path):
    """OpenID Connect Core §5.4: with a code, a provider gives the claims of `profile` and `email` at userInfo alone.
    They outlive a refresh."""
    async with local_world(tmp_path, claims_at_userinfo_only=True) as world:
        page = await signed_in_page(world)

        await expect(page.locator("h1")).to_have_text("Welcome, Ada Lovelace")
        await expect(page.locator("body")).to_contain_text("ada@example.com")
        world.clock.ahead += PAST_REFRESH
        await page.reload()
        await expect(page.locator("h1")).to_have_text("Welcome, Ada Lovelace")


async def test_the_log_and_the_addresses_hold_no_token(world):
    """H4: a whole visit later no token was in an address that the browser saw, and none is in the log."""
    seen: list[str] = []
    page = await world.browser.new_page()
    page.on("request", lambda request: seen.append(request.url))
    await page.goto(world.site.url + "/")
    await sign_in(page)
    await page.wait_for_url(world.site.url + "/")
    await page.click("text=Sign out")

    assert urlsplit(page.url).path == "/session/end"
    assert not [url for url in seen if "eyJ" in url]
    assert "eyJ" not in world.site.log.getvalue()
    assert "@" not in world.site.log.getvalue()
