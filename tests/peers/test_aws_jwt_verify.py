"""Amazon's own verifier, npm's `aws-jwt-verify`, takes the pool's tokens for Cognito's, and refuses what is wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.peers.pool import AMAZON, CONFIDENTIAL, CONFIDENTIAL_SECRET, PUBLIC, PoolSite, pool_site, sign_in
from tests.peers.program import Program, running_program
from tests.peers.site import visitor
from tests.support.certificates import make_authority
from tests.support.stack import ADA, POOL_ID

pytestmark = [pytest.mark.peers, pytest.mark.browser, pytest.mark.network]


@asynccontextmanager
async def verifier(pool: PoolSite, folder: Path) -> AsyncIterator[Program]:
    """The library, ready to judge."""
    async with running_program("verifier.mjs", {"pool_url": pool.url}, folder, **pool.environment) as program:
        yield program


async def tokens_of(pool: PoolSite, folder: Path) -> dict[str, Any]:
    """Ada's tokens, as a client that nobody here wrote received them."""
    settings = {
        "issuer": pool.issuer,
        "client_id": CONFIDENTIAL,
        "client_secret": CONFIDENTIAL_SECRET,
        "redirect_uri": f"{pool.client_url}/callback",
        "metadata_url": f"{pool.url}/{POOL_ID}/.well-known/openid-configuration",
    }
    async with (
        running_program("openid_client.mjs", settings, folder, **pool.environment) as program,
        visitor(pool.authority) as browser,
    ):
        page = await browser.new_page()
        await page.goto(pool.client_url)
        await sign_in(page)
        tokens = await program.event("signed in")
    assert "error" not in tokens, tokens
    return tokens


async def test_cognito_s_verifier_takes_both_tokens(tmp_path):
    """With an Amazon-shaped issuer, a pool id and a client id are all that an API behind Cognito configures: keys come
    from the address that follows, and ID and access token pass, each as what it is."""
    async with pool_site(tmp_path, make_authority(tmp_path), issuer=AMAZON) as pool, verifier(pool, tmp_path) as judge:
        tokens = await tokens_of(pool, tmp_path)

        async def verdict(token: str, use: str, **more: Any) -> dict[str, Any]:
            given = {"userPoolId": POOL_ID, "clientId": CONFIDENTIAL, "tokenUse": use, **more}
            return await judge.ask(ask="cognito", token=tokens[token], **given)

        identity = (await verdict("id_token", "id", groups=["engineers"]))["result"]
        assert (identity["email"], identity["iss"], identity["aud"]) == (ADA, AMAZON, CONFIDENTIAL)
        access = (await verdict("access_token", "access", scope="openid", groups=["engineers"]))["result"]
        assert (access["username"], access["client_id"]) == (identity["cognito:username"], CONFIDENTIAL)

        assert (await verdict("id_token", "access"))["error"] == "CognitoJwtInvalidTokenUseError"
        assert (await verdict("access_token", "id"))["error"] == "CognitoJwtInvalidTokenUseError"
        assert (await verdict("id_token", "id", clientId=PUBLIC))["error"] == "CognitoJwtInvalidClientIdError"
        assert (await verdict("access_token", "access", clientId=PUBLIC))["error"] == "CognitoJwtInvalidClientIdError"
        assert (await verdict("access_token", "access", groups=["admins"]))["error"] == "CognitoJwtInvalidGroupError"
        assert (await verdict("access_token", "access", scope="api/read"))["error"] == "JwtInvalidScopeError"
        other_pool = await verdict("id_token", "id", userPoolId="eu-west-1_Another1")
        assert other_pool["message"] == f"issuer not configured: {AMAZON}"

        fetched = (await judge.ask(ask="fetched"))["result"]
        assert set(fetched) == {f"{AMAZON}/.well-known/jwks.json"}


async def test_the_library_s_general_verifier_takes_them_from_the_pool_s_own_address(tmp_path):
    """With the pool's own issuer, the library itself fetches the keys over https, from below the issuer."""
    async with pool_site(tmp_path, make_authority(tmp_path)) as pool, verifier(pool, tmp_path) as judge:
        tokens = await tokens_of(pool, tmp_path)
        given = {"issuer": pool.issuer, "jwksUri": f"{pool.issuer}/.well-known/jwks.json"}

        identity = await judge.ask(ask="any", token=tokens["id_token"], audience=CONFIDENTIAL, **given)
        access = await judge.ask(ask="any", token=tokens["access_token"], audience=None, **given)
        other = await judge.ask(ask="any", token=tokens["id_token"], audience=PUBLIC, **given)
        head, payload, signature = tokens["id_token"].split(".")
        forged = await judge.ask(ask="any", token=f"{head}.{payload}.{signature[::-1]}", audience=CONFIDENTIAL, **given)

        assert identity["result"]["sub"] == access["result"]["sub"]
        assert identity["result"]["iss"] == pool.issuer
        assert other["error"] == "JwtInvalidAudienceError"
        assert forged["error"] == "JwtInvalidSignatureError"
