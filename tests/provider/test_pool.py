"""The provider and the user pool: two programs that meet over HTTP alone, and must agree."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateway.core.oidc import pkce_challenge
from gateway.errors import BadToken, ProviderRefused
from gateway.pool.app import Pool, create_pool
from gateway.pool.records import AppClient
from gateway.provider.client import Provider, Tokens
from gateway.provider.options import ProviderOptions
from gateway.provider.presets import cognito, oidc
from tests.support.pool import CALLBACK, MACHINE, NOW, PUBLIC, ROTATING, WEB, Clock, ada, issue_code, options_for

POOL_ID = "eu-west-1_AbC123xyz"
BASE = "https://login.test"
ISSUER = f"{BASE}/{POOL_ID}"
VERIFIER = "v" * 43


@dataclass
class Pair:
    """A pool, and providers that reach it."""

    pool: Pool
    http: httpx.AsyncClient

    def provider(self, client: AppClient, *, generic: bool = False) -> Provider:
        return Provider(_options(client, generic=generic), self.http, Clock())

    async def sign_in(self, provider: Provider, client: AppClient, *, nonce: str = "n-1") -> Tokens:
        """Ada signs in; what the pages would do is done through the pool's grants."""
        code = await issue_code(
            self.pool.backend,
            client,
            await ada(self.pool.backend),
            redirect_uri=CALLBACK,
            scopes=["openid", "email", "profile"],
            nonce=nonce,
            code_challenge=pkce_challenge(VERIFIER),
            auth_time=NOW,
            now=NOW,
        )
        return await provider.exchange(code=code, redirect_uri=CALLBACK, code_verifier=VERIFIER, nonce="n-1", now=NOW)


def _options(client: AppClient, *, generic: bool) -> ProviderOptions:
    if generic:
        return oidc(issuer=ISSUER, client_id=client.client_id, client_secret=client.client_secret)
    return cognito(
        user_pool_id=POOL_ID, domain=BASE, client_id=client.client_id, client_secret=client.client_secret, issuer=ISSUER
    )


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """A pool that is open, and a client whose requests all reach it."""
    pool = create_pool(options_for(tmp_path), clock=Clock())
    async with pool, httpx.AsyncClient(transport=httpx.ASGITransport(pool)) as http:
        yield Pair(pool, http)


@pytest.mark.parametrize("generic", [False, True], ids=["cognito", "oidc"])
@pytest.mark.parametrize("client", [WEB, PUBLIC, ROTATING], ids=["confidential", "public", "rotating"])
async def test_the_whole_back_channel(pair, client, generic):
    """Exchange, userInfo, refresh and revocation, for each kind of client and both presets."""
    provider = pair.provider(client, generic=generic)
    await provider.warm()
    tokens = await pair.sign_in(provider, client)
    assert tokens.claims is not None
    assert (tokens.claims["email"], tokens.claims["token_use"]) == ("ada@example.com", "id")
    sub, access, refresh = tokens.claims["sub"], tokens.token_set.access_token, tokens.token_set.refresh_token
    assert access is not None
    assert refresh is not None
    assert (await provider.userinfo(access, sub))["email"] == "ada@example.com"
    assert (await provider.verify_bearer(access, NOW, {client.client_id}, set()))["sub"] == sub
    newer = await provider.refresh(refresh, NOW)
    assert newer.claims is not None
    assert newer.claims["sub"] == sub
    assert newer.token_set.refresh_token is not None
    assert (newer.token_set.refresh_token == refresh) is not client.refresh_token_rotation
    await provider.revoke(newer.token_set.refresh_token)
    with pytest.raises(ProviderRefused) as refusal:
        await provider.refresh(newer.token_set.refresh_token, NOW)
    assert refusal.value.error == "invalid_grant"


async def test_the_nonce_of_another_browser(pair):
    """D15: the pool copies the nonce it was given, and the provider misses its own."""
    with pytest.raises(BadToken):
        await pair.sign_in(pair.provider(WEB), WEB, nonce="another")


async def test_a_machines_token_is_a_bearer(pair):
    """A token of client_credentials opens calls for the clients that are allowed, and signs nobody in."""
    provider = pair.provider(WEB)
    answer = await pair.pool.backend.grants.client_credentials(MACHINE, scope="api/read", now=NOW)
    token = answer.access_token
    assert (await provider.verify_bearer(token, NOW, {MACHINE.client_id}, set()))["scope"] == "api/read"
    with pytest.raises(BadToken):
        await provider.verify_bearer(token, NOW, {WEB.client_id}, set())
