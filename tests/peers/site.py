"""The sample application behind a gateway whose provider is somebody else's, and the browser that visits it."""

import io
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser

from gateway.app import build
from gateway.demo.sample import sample_app
from gateway.server import running
from gateway.settings.schema import GatewaySettings
from tests.support.certificates import TestAuthority
from tests.support.chromium import chromium
from tests.support.stack import HEADERS


class MovableClock:
    """The real time, and what a test adds to it: so a token grows old without anybody waiting."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Site:
    """What a test needs to know of it: `url` is what a browser types."""

    url: str
    clock: MovableClock = field(default_factory=MovableClock)
    log: io.StringIO = field(default_factory=io.StringIO)


@asynccontextmanager
async def gateway_to(
    provider: Mapping[str, Any], url: str, port: int, authority: TestAuthority | None = None
) -> AsyncIterator[Site]:
    """A gateway on a loopback port that browsers know as `url`; over https when there is an authority."""
    site = Site(url)
    certificate = (str(authority.certificate), str(authority.key)) if authority else None
    async with running(sample_app, grace=1) as app:
        settings = {
            "provider": provider,
            "public_url": url,
            "session": {"secrets": ["the-site-of-the-peers-seals-with-kJ8x2qV0mZ5t"]},
            "upstreams": [{"url": app.url}],
            "headers": HEADERS,
        }
        gateway = build(GatewaySettings.model_validate(settings), clock=site.clock, log=site.log)
        async with running(gateway, port=port, certificate=certificate, grace=1):
            yield site


@asynccontextmanager
async def visitor(authority: TestAuthority | None = None, **hosts: int) -> AsyncIterator[Browser]:
    """A browser that reaches this machine and nothing else: pages of others want fonts from elsewhere.

    `hosts` are names with the ports that answer for their https; `_` stands for a dot.
    """
    rules = [f"MAP {name.replace('_', '.')}:443 127.0.0.1:{port}" for name, port in hosts.items()]
    names = [f"EXCLUDE {name}" for name in ("localhost", "127.0.0.1")]
    args = [f"--host-resolver-rules={', '.join([*rules, 'MAP * ~NOTFOUND', *names])}"]
    if authority is not None:
        args.append(f"--ignore-certificate-errors-spki-list={authority.spki}")
    async with chromium(args) as browser:
        yield browser
