"""A gateway with everything round it in memory: a clock to turn, a provider to break, an application that notes."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from gateway.app import Gateway
from gateway.core.asgi import ASGIApp, HeaderList, Receive, Scope, Send
from gateway.settings.load import loads
from tests.support.cognito import DOMAIN, FakeCognito
from tests.support.tokens import CLIENT_ID, NOW

PUBLIC_URL = "https://app.test"
NAVIGATION = {
    "accept": "text/html,application/xhtml+xml",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-site": "none",
}
SETTINGS: dict[str, Any] = {
    "provider": {
        "preset": "cognito",
        "region": "eu-west-1",
        "user_pool_id": "eu-west-1_AbC123",
        "domain": DOMAIN,
        "client_id": CLIENT_ID,
        "client_secret": "hush-hush-the-client-secret-of-tests",
    },
    "public_url": PUBLIC_URL,
    "session": {"secrets": ["kJ8x2qV0mZ5tR7yB1nC4wE6uP9aS3dF-newest"], "lifetime": "12h"},
    "bearer": {"enabled": True},
    "access": [
        {"path": "/public/**", "allow": "anyone"},
        {"path": "/admin/**", "groups": ["admins"]},
        {"path": "/closed/**", "allow": "nobody"},
        {"path": "/**", "allow": "signed-in"},
    ],
    "headers": {"x-forwarded-user": "${sub}", "x-forwarded-email": "${email}", "x-forwarded-groups": "${groups}"},
}


def long_address(length: int, seed: str = "a") -> str:
    """A deep link of that many characters which packing makes hardly more than half as long."""
    return "/search?q=" + hashlib.shake_256(seed.encode()).hexdigest(length // 2 + 1)[: length - 10]


@dataclass
class Noting:
    """The application behind the gateway: notes each scope, and answers 200."""

    seen: list[Scope] = field(default_factory=list)
    headers: HeaderList = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": b"the application"})

    @property
    def last(self) -> dict[bytes, bytes]:
        """The header lines of the newest request; a repeated name is an error of the test."""
        headers = self.seen[-1]["headers"]
        assert len({name for name, _ in headers}) == len(headers), headers
        return dict(headers)


class World:
    """The gateway under test, and the levers."""

    def __init__(self, changes: Mapping[str, Any] | None = None, app: ASGIApp | None = None) -> None:
        self.now = float(NOW)
        self.log = io.StringIO()
        self.provider = FakeCognito(now=lambda: int(self.now))
        self.app = Noting()
        settings = yaml.safe_dump({**SETTINGS, **(changes or {})}).encode()
        self.gateway = Gateway(
            app or self.app,
            loads(settings, "gateway.yaml", {}, Path()),
            clock=lambda: self.now,
            log=self.log,
            http=httpx.AsyncClient(transport=self.provider.transport()),
        )

    def visitor(self) -> "Visitor":
        return Visitor(self)


class Visitor:
    """A browser with a cookie jar of its own, that follows no redirect unless told to."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(world.gateway, client=("192.0.2.7", 4711)), base_url=PUBLIC_URL
        )

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.client.cookies.jar}

    async def navigate(self, path: str, **headers: str) -> httpx.Response:
        """A top-level navigation."""
        return await self.client.get(path, headers={**NAVIGATION, **headers})

    async def fetch(self, path: str, method: str = "GET", **more: Any) -> httpx.Response:
        """What a script or a program asks."""
        return await self.client.request(method, path, **more)

    async def sign_in(self, path: str = "/") -> httpx.Response:
        """From a cold visit to the answer of the callback."""
        start = await self.navigate(path)
        assert start.status_code == 302, start.text
        return await self.navigate(self.world.provider.sign_in(start.headers["location"]))
