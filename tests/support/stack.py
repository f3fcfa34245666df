"""Everything real: the user pool, the sample application and the gateway, each served by uvicorn on a free port."""

import io
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.app import Gateway, build
from gateway.app_pool import build_pool
from gateway.core.asgi import ASGIApp
from gateway.demo.sample import sample_app
from gateway.pool.mail import Mail
from gateway.server import running
from gateway.settings.pool import PoolSettings
from gateway.settings.schema import GatewaySettings
from tests.support.certificates import TestAuthority

POOL_ID = "eu-west-1_TestPool1"
CLIENT_ID = "4example56789abcdef"
CLIENT_SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0IGNsaWVudA"
ADA = "ada@example.com"
PASSWORD = "Analytical-Engine-1843"
HEADERS = {
    "x-forwarded-user": "${sub}",
    "x-forwarded-email": "${email}",
    "x-forwarded-name": "${name}",
    "x-forwarded-groups": "${groups}",
}


@dataclass
class Stack:
    """What a test needs to know of it. `gateway_url` and `pool_url` are what a browser types."""

    gateway: Gateway
    gateway_url: str
    pool_url: str
    app_url: str
    chromium_args: tuple[str, ...] = ()
    log: io.StringIO = field(default_factory=io.StringIO)
    mails: list[Mail] = field(default_factory=list)

    def code(self) -> str:
        """The six digits in the newest e-mail."""
        return next(word for word in self.mails[-1].body.replace(".", " ").split() if word.isdigit() and len(word) == 6)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@asynccontextmanager
async def local_stack(folder: Path, app: Any = sample_app, **changes: Any) -> AsyncIterator[Stack]:
    """All on http://localhost, as in the demo. `changes` go into the gateway's settings."""
    ports = [free_port() for _ in range(3)]
    pool_url, gateway_url = f"http://localhost:{ports[0]}", f"http://localhost:{ports[1]}"
    provider = {"domain": pool_url, "issuer": f"{pool_url}/{POOL_ID}"}
    async with _started(folder, ports, (pool_url, gateway_url), provider, changes, None, app) as stack:
        yield stack


@asynccontextmanager
async def two_sites(
    folder: Path, authority: TestAuthority, app: Any = sample_app, **changes: Any
) -> AsyncIterator[Stack]:
    """The gateway on https://app.test and the pool on https://login.example: two sites, as in the world outside."""
    ports = [free_port() for _ in range(3)]
    back = f"https://localhost:{ports[0]}"
    provider = {
        "domain": "https://login.example",
        "issuer": f"https://login.example/{POOL_ID}",
        "ca_file": str(authority.ca_file),
        "endpoints": {
            "token_endpoint": f"{back}/oauth2/token",
            "jwks_uri": f"{back}/{POOL_ID}/.well-known/jwks.json",
            "revocation_endpoint": f"{back}/oauth2/revoke",
        },
    }
    urls = ("https://login.example", "https://app.test")
    async with _started(folder, ports, urls, provider, changes, authority, app) as stack:
        stack.chromium_args = (
            f"--host-resolver-rules=MAP app.test:443 127.0.0.1:{ports[1]}, MAP login.example:443 127.0.0.1:{ports[0]}",
            f"--ignore-certificate-errors-spki-list={authority.spki}",
        )
        yield stack


@asynccontextmanager
async def _started(
    folder: Path,
    ports: list[int],
    urls: tuple[str, str],
    provider: Mapping[str, Any],
    changes: Mapping[str, Any],
    authority: TestAuthority | None,
    behind: ASGIApp,
) -> AsyncIterator[Stack]:
    pool_url, gateway_url = urls
    log, mails = io.StringIO(), list[Mail]()
    certificate = (str(authority.certificate), str(authority.key)) if authority else None
    pool = build_pool(pool_settings(folder, pool_url, gateway_url), show=mails.append)
    settings = {
        "provider": {
            "preset": "cognito",
            "user_pool_id": POOL_ID,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scopes": ["openid", "email", "profile"],
            **provider,
        },
        "public_url": gateway_url,
        "session": {"secrets": ["the-test-stack-seals-with-kJ8x2qV0mZ5tR7yB"]},
        "upstreams": [{"url": f"http://127.0.0.1:{ports[2]}"}],
        "headers": HEADERS,
        **changes,
    }
    gateway = build(GatewaySettings.model_validate(settings), log=log)
    async with (
        running(pool, port=ports[0], certificate=certificate, grace=1),
        running(behind, port=ports[2], grace=1) as app,
        running(gateway, port=ports[1], certificate=certificate, grace=1),
    ):
        yield Stack(gateway, gateway_url, pool_url, app.url, log=log, mails=mails)


def pool_settings(folder: Path, pool_url: str, gateway_url: str) -> PoolSettings:
    """A pool with one client, two groups and one user; Argon2 at its cheapest."""
    return PoolSettings.model_validate(
        {
            "pool_id": POOL_ID,
            "name": "Test pool",
            "development": True,
            "base_url": pool_url,
            "database": f"sqlite+aiosqlite:///{folder / 'pool.sqlite'}",
            "secret": "the-test-pool-keeps-with-wE6uP9aS3dFkJ8x2",
            "required_attributes": ["email", "name"],
            "mail": {"kind": "mailbox"},
            "argon2": {"time_cost": 1, "memory": 8192, "parallelism": 1},
            "clients": [
                {
                    "client_id": CLIENT_ID,
                    "client_secret": CLIENT_SECRET,
                    "callback_urls": [f"{gateway_url}/oauth2/callback"],
                    "logout_urls": [f"{gateway_url}/"],
                }
            ],
            "groups": [{"name": "engineers"}, {"name": "admins"}],
            "users": [
                {
                    "username": ADA,
                    "password": PASSWORD,
                    "attributes": {"email": ADA, "name": "Ada Lovelace"},
                    "groups": ["engineers"],
                }
            ],
        }
    )
