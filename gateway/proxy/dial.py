"""Open a connection to one address of an upstream."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar
from urllib.parse import urlsplit

from gateway.errors import UpstreamUnreachable
from gateway.proxy.options import UpstreamOptions, UpstreamTls

_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens. `authority` is what Host says when the policy is to replace it."""

    host: str
    port: int
    tls: bool
    authority: bytes
    path: str = ""
    """Of a unix socket; empty for TCP."""


def parse_address(server: str) -> Address:
    """Read `http://host:port`, `https://host:port` or `unix:/path`. Raises ValueError naming what is wrong."""
    if server.startswith("unix:"):
        return Address("", 0, tls=False, authority=b"localhost", path=server.removeprefix("unix:"))
    parts = urlsplit(server)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{server}: an upstream is http://host:port, https://host:port or unix:/path")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(f"{server}: an upstream's address has no path, query or user; use `rewrite` for a path")
    port = parts.port or _PORTS[parts.scheme]
    return Address(parts.hostname, port, tls=parts.scheme == "https", authority=parts.netloc.encode("ascii"))


@cache
def tls_context(options: UpstreamTls) -> ssl.SSLContext:
    """Verifying by default, against the system's authorities or the given file alone. Raises OSError.

    Made once: reading the system's authorities costs more than the handshake.
    """
    context = ssl.create_default_context(cafile=options.ca_file)
    if not options.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if options.certificate:
        context.load_cert_chain(options.certificate, options.key)
    context.set_alpn_protocols(["http/1.1"])
    return context


async def open_connection(
    options: UpstreamOptions, address: Address, factory: Callable[[], _Protocol]
) -> tuple[asyncio.Transport, _Protocol]:
    """A connected transport under a protocol from `factory`, TLS included. Raises UpstreamUnreachable in bounded time.

    The name is looked up anew each time, so that a changed DNS answer is followed.
    """
    limit = options.timeouts.connect + (options.timeouts.tls if address.tls else 0)
    try:
        async with asyncio.timeout(limit):
            return await _connect(options, address, factory)
    except TimeoutError as exc:
        raise UpstreamUnreachable(f"no connection within {limit:g} s") from exc
    except (OSError, ssl.SSLError, UnicodeError) as exc:
        raise UpstreamUnreachable(str(exc)) from exc


async def _connect(
    options: UpstreamOptions, address: Address, factory: Callable[[], _Protocol]
) -> tuple[asyncio.Transport, _Protocol]:
    loop = asyncio.get_running_loop()
    if address.path:
        return await loop.create_unix_connection(factory, address.path)
    if not address.tls:
        return await loop.create_connection(factory, address.host, address.port)
    return await loop.create_connection(
        factory,
        address.host,
        address.port,
        ssl=tls_context(options.tls),
        server_hostname=options.tls.server_name or address.host,
        ssl_handshake_timeout=options.timeouts.tls,
    )
