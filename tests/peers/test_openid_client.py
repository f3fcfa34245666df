"""npm's `openid-client` (certified) uses the user pool like Amazon's: code, PKCE, refresh, userInfo, revoke."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.peers.pool import (
    CONFIDENTIAL,
    CONFIDENTIAL_SECRET,
    MACHINE,
    MACHINE_SECRET,
    PUBLIC,
    ROTATING,
    PoolSite,
    pool_site,
    sign_in,
)
from tests.peers.program import Program, running_program
from tests.peers.site import visitor
from tests.support.certificates import make_authority
from tests.support.stack import ADA

pytestmark = [pytest.mark.peers, pytest.mark.browser, pytest.mark.network]


@pytest.fixture
async def pool(tmp_path):
    async with pool_site(tmp_path, make_authority(tmp_path)) as pool:
        yield pool


@asynccontextmanager
async def application(
    pool: PoolSite, folder: Path, client_id: str, secret: str | None = None
) -> AsyncIterator[Program]:
    """A web application made of openid-client."""
    settings = {
        "issuer": pool.issuer,
        "client_id": client_id,
        "client_secret": secret,
        "redirect_uri": f"{pool.client_url}/callback",
    }
    async with running_program("openid_client.mjs", settings, folder, **pool.environment) as program:
        yield program


async def signed_in(pool: PoolSite, program: Program) -> dict[str, Any]:
    """Visit the application and sign in; what the library made of the answer."""
    async with visitor(pool.authority) as browser:
        page = await browser.new_page()
        await page.goto(pool.client_url)
        await sign_in(page)
        tokens = await program.event("signed in")
        assert "error" not in tokens, tokens
    return tokens


@pytest.mark.parametrize(("client_id", "secret"), [(CONFIDENTIAL, CONFIDENTIAL_SECRET), (PUBLIC, None)])
async def test_code_with_pkce_refresh_userinfo_and_revocation(pool, tmp_path, client_id, secret):
    """The library verifies state, nonce, PKCE, issuer, audience and signature; then it refreshes, reads userInfo, and
    revokes, after which nothing more is to be had."""
    async with application(pool, tmp_path, client_id, secret) as program:
        tokens = await signed_in(pool, program)
        claims = tokens["claims"]
        assert claims["email"] == ADA
        assert claims["cognito:groups"] == ["engineers"]
        assert claims["token_use"] == "id"

        refreshed = (await program.ask(ask="refresh"))["result"]
        assert refreshed["claims"]["sub"] == claims["sub"]
        assert refreshed["access_token"] != tokens["access_token"]
        assert "refresh_token" not in refreshed

        userinfo = (await program.ask(ask="userinfo", sub=claims["sub"]))["result"]
        assert (userinfo["username"], userinfo["email"], userinfo["name"]) == (claims["sub"], ADA, "Ada Lovelace")

        assert "error" not in await program.ask(ask="revoke")
        assert (await program.ask(ask="refresh"))["error"] == "invalid_grant"
        assert "error" in await program.ask(ask="userinfo", sub=claims["sub"])


async def test_a_rotated_refresh_token_is_replaced_and_spent(pool, tmp_path):
    """A client with rotation gets a new refresh token each time; the one before it is refused."""
    async with application(pool, tmp_path, ROTATING) as program:
        tokens = await signed_in(pool, program)
        refreshed = (await program.ask(ask="refresh"))["result"]
        again = await program.ask(ask="refresh")

    assert refreshed["refresh_token"] not in {None, tokens["refresh_token"]}
    assert again["error"] == "invalid_grant"


async def test_a_code_that_was_never_issued_is_refused(pool, tmp_path):
    """The library understands the pool's refusal as `invalid_grant`."""
    async with application(pool, tmp_path, PUBLIC) as program:
        await signed_in(pool, program)

        assert (await program.ask(ask="again"))["error"] == "invalid_grant"


async def test_sign_out_returns_to_the_application(pool, tmp_path):
    """The sign-out address that the library builds from discovery, with Cognito's `logout_uri`, ends the pool's session
    and returns; the next sign-in asks for the password."""
    async with application(pool, tmp_path, PUBLIC) as program, visitor(pool.authority) as browser:
        page = await browser.new_page()
        await page.goto(pool.client_url)
        await sign_in(page)
        await expect(page.locator("body")).to_have_text("Thank you.")
        await page.goto(pool.client_url)
        await expect(page.locator("body")).to_have_text("Thank you.")  # the pool's session still holds

        out = (await program.ask(ask="signOutUrl", logout_uri=f"{pool.client_url}/"))["result"]
        await page.goto(out)

        await expect(page.locator("#signInFormPassword")).to_be_visible()


async def test_a_machine_gets_an_access_token(pool, tmp_path):
    """Client credentials: the scope asked for, or all that the client may have; no ID token, no refresh token."""
    async with application(pool, tmp_path, MACHINE, MACHINE_SECRET) as program:
        one = (await program.ask(ask="machine", scope="api/read"))["result"]
        refused = await program.ask(ask="machine", scope="api/everything")

    assert one["token_type"] == "bearer"
    assert set(one) == {"access_token", "expires_in", "token_type"}
    assert refused["error"] == "invalid_scope"
