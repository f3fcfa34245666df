"""The gateway signs users in at npm's `oauth2-mock-server`: another provider that nobody here wrote, a lenient one."""

import pytest
from playwright.async_api import expect

from tests.peers.program import running_program
from tests.peers.site import gateway_to, visitor
from tests.support.stack import free_port

pytestmark = [pytest.mark.peers, pytest.mark.browser, pytest.mark.network]

CLAIMS = {"sub": "grace", "name": "Grace Hopper", "email": "grace@example.com", "groups": ["admirals"]}


async def test_a_public_client_signs_in_refreshes_and_signs_out(tmp_path):
    """A provider without pages of its own: the visitor is signed in at once, refreshed when due, and signed out."""
    ports = free_port(), free_port()
    issuer, url = f"http://localhost:{ports[0]}", f"http://localhost:{ports[1]}"
    settings = {"preset": "oidc", "issuer": issuer, "client_id": "a-public-client"}
    async with (
        running_program("mock_server.mjs", {"port": ports[0], "claims": CLAIMS}, tmp_path) as provider,
        gateway_to(settings, url, ports[1]) as site,
        visitor() as browser,
    ):
        page = await browser.new_page()
        await page.goto(url + "/?first=visit")
        await page.wait_for_url(url + "/?first=visit")
        await expect(page.locator("h1")).to_have_text("Welcome, Grace Hopper")
        await expect(page.locator("body")).to_contain_text("admirals")

        site.clock.ahead = 3550  # of the 3600 seconds that its access tokens live
        await page.reload()
        await expect(page.locator("h1")).to_have_text("Welcome, Grace Hopper")
        await page.click("text=Sign out")
        await page.wait_for_url(url + "/")

        types = [event["type"] for event in await provider.events() if event["event"] == "grant"]
        # It has no sign-in page, so it signs the visitor in again as soon as it has signed them out.
        assert types == ["authorization_code", "refresh_token", "authorization_code"]
