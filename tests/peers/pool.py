"""The user pool on https, as clients of Amazon's meet it, with one client of each kind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from gateway.app_pool import build_pool
from gateway.core.secret import Secret
from gateway.server import running
from gateway.settings.pool import Client, PoolSettings, ResourceServer
from tests.support.certificates import TestAuthority
from tests.support.stack import ADA, PASSWORD, POOL_ID, free_port, pool_settings

CONFIDENTIAL = "1confidential2345"
CONFIDENTIAL_SECRET = "c2VjcmV0IG9mIGEgY2xpZW50IGZyb20gbnBt"
PUBLIC = "2public345678"
ROTATING = "3rotating456789"
MACHINE = "4machine5678901"
MACHINE_SECRET = "c2VjcmV0IG9mIGEgbWFjaGluZSBmcm9tIG5wbQ"
AMAZON = f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL_ID}"


@dataclass(frozen=True)
class PoolSite:
    """Where the pool is, what it calls itself, and where its clients' pages are."""

    url: str
    issuer: str
    client_url: str
    authority: TestAuthority

    @property
    def client_port(self) -> int:
        """The port of `client_url`, which is free."""
        return int(self.client_url.rpartition(":")[2])

    @property
    def environment(self) -> dict[str, str]:
        """What makes node trust the pool's certificate."""
        return {"NODE_EXTRA_CA_CERTS": str(self.authority.ca_file)}


@asynccontextmanager
async def pool_site(folder: Path, authority: TestAuthority, issuer: str | None = None) -> AsyncIterator[PoolSite]:
    """A pool on a free port. `issuer` None: its own address and id."""
    port, client_port = free_port(), free_port()
    url, client_url = f"https://localhost:{port}", f"http://localhost:{client_port}"
    given = pool_settings(folder, url, client_url)
    settings = given.model_copy(
        update={
            "clients": (*given.clients, *clients_of(client_url)),
            "resource_servers": (ResourceServer(identifier="api", scopes={"read": "Read", "write": "Write"}),),
            "issuer": issuer,
        }
    )
    pool = build_pool(PoolSettings.model_validate(settings), show=lambda mail: None)
    async with running(pool, port=port, certificate=(str(authority.certificate), str(authority.key)), grace=1):
        yield PoolSite(url, issuer or f"{url}/{POOL_ID}", client_url, authority)


def clients_of(client_url: str) -> list[Client]:
    """One client of each kind: with a secret, without, without and with rotation, and a machine."""
    pages: dict[str, Any] = {"callback_urls": (f"{client_url}/callback",), "logout_urls": (f"{client_url}/",)}
    return [
        Client(client_id=CONFIDENTIAL, client_secret=Secret(CONFIDENTIAL_SECRET), **pages),
        Client(client_id=PUBLIC, require_pkce=True, **pages),
        Client(client_id=ROTATING, refresh_token_rotation=True, **pages),
        Client(
            client_id=MACHINE,
            client_secret=Secret(MACHINE_SECRET),
            allowed_flows=frozenset({"client_credentials"}),
            allowed_scopes=("api/read", "api/write"),
        ),
    ]


async def sign_in(page: Page) -> None:
    """Fill in the pool's page as Ada."""
    await page.fill("#signInFormUsername", ADA)
    await page.fill("#signInFormPassword", PASSWORD)
    await page.click("[name=signInSubmitButton]")
