"""npm's `oidc-client-ts` in a real browser: a page without a server of its own uses the user pool across origins.

Amazon's own quick start for Cognito gives newcomers this library.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Route

from gateway.server import running
from tests.peers.pool import PUBLIC, ROTATING, PoolSite, pool_site, sign_in
from tests.peers.program import MODULES, node
from tests.peers.site import visitor
from tests.support.certificates import make_authority
from tests.support.stack import ADA

pytestmark = [pytest.mark.peers, pytest.mark.browser, pytest.mark.network]

_PAGE = """<!doctype html><title>Client</title><script src="/oidc-client-ts.js"></script>
<script>const manager = new oidc.UserManager({settings})</script>"""


@asynccontextmanager
async def single_page_application(pool: PoolSite, client_id: str) -> AsyncIterator[None]:
    """A page on an origin of its own; its script has a UserManager named `manager`."""
    node()  # says so when the packages are not there
    settings = {
        "authority": pool.issuer,
        "client_id": client_id,
        "redirect_uri": f"{pool.client_url}/callback",
        "scope": "openid email profile",
        "loadUserInfo": True,
        "automaticSilentRenew": False,
    }
    html = _PAGE.replace("{settings}", json.dumps(settings))

    def page(request: Request) -> HTMLResponse:
        return HTMLResponse(html)

    def library(request: Request) -> FileResponse:
        return FileResponse(MODULES / "oidc-client-ts/dist/browser/oidc-client-ts.min.js", media_type="text/javascript")

    pages = [Route("/", page), Route("/callback", page), Route("/oidc-client-ts.js", library)]
    async with running(Starlette(routes=pages), port=pool.client_port, grace=1):
        yield


@dataclass
class Visit:
    """A visitor of the application who has signed in; `user` is what the library made of it."""

    page: Page
    pool: PoolSite
    user: dict[str, Any]

    async def call(self, expression: str) -> dict[str, Any]:
        """What the library answers, or the error that it raises."""
        answer: dict[str, Any] = await self.page.evaluate(f"{expression}.then(user => ({{...user}})).catch({_PROBLEM})")
        return answer


_PROBLEM = "e => ({error: e.error ?? e.name, message: e.message})"


@asynccontextmanager
async def signed_in(folder: Path, client_id: str) -> AsyncIterator[Visit]:
    authority = make_authority(folder)
    async with (
        pool_site(folder, authority) as pool,
        single_page_application(pool, client_id),
        visitor(authority) as browser,
    ):
        page = await browser.new_page()
        await page.goto(pool.client_url)
        await page.evaluate("void manager.signinRedirect()")
        await page.wait_for_url(f"{pool.url}/login?*")
        await sign_in(page)
        await page.wait_for_url(f"{pool.client_url}/callback?*")
        visit = Visit(page, pool, {})
        visit.user = await visit.call("manager.signinCallback()")
        yield visit


@pytest.mark.parametrize("client_id", [PUBLIC, ROTATING])
async def test_sign_in_refresh_and_revocation_across_origins(tmp_path, client_id):
    """Discovery, keys, code with PKCE, userInfo, refresh and revocation, each with what the browser's CORS demands;
    where the client rotates, each refresh brings the token for the next."""
    async with signed_in(tmp_path, client_id) as visit:
        assert visit.user["profile"]["email"] == ADA, visit.user
        assert visit.user["profile"]["cognito:groups"] == ["engineers"]
        assert visit.user["profile"]["username"]  # said by userInfo alone

        renewed = await visit.call("manager.signinSilent()")
        again = await visit.call("manager.signinSilent()")
        assert len({user["access_token"] for user in (visit.user, renewed, again)}) == 3
        assert len({user["refresh_token"] for user in (visit.user, renewed, again)}) == (
            3 if client_id == ROTATING else 1
        )

        await visit.page.evaluate(
            "manager.getUser().then(user => window.kept = user)"
            ".then(() => manager.revokeTokens(['refresh_token'])).then(() => manager.storeUser(window.kept))"
        )
        refused = await visit.call("manager.signinSilent()")
        assert refused["error"] == "invalid_grant"


async def test_sign_out_ends_the_pool_s_session(tmp_path):
    """With Cognito's two parameters beside the library's own, sign-out returns to the page, and the next sign-in asks
    for the password."""
    async with signed_in(tmp_path, PUBLIC) as visit:
        page, pool = visit.page, visit.pool
        extra = {"client_id": PUBLIC, "logout_uri": f"{pool.client_url}/"}
        await page.evaluate(f"void manager.signoutRedirect({{extraQueryParams: {json.dumps(extra)}}})")
        await page.wait_for_url(f"{pool.client_url}/")

        assert await page.evaluate("manager.getUser()") is None
        await page.evaluate("void manager.signinRedirect()")
        await page.wait_for_url(f"{pool.url}/login?*")
