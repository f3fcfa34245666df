"""Forward a WebSocket handshake to an upstream, and tunnel what follows."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.core.asgi import Receive, Scope, Send

Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[asyncio.Transport]]
"""Opens one fresh upstream connection with the protocol that the factory makes.

Raises UpstreamUnreachable or UpstreamTimeout, within its own connect timeout.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketUpstream:
    """Where a handshake goes, and how long each step may take (seconds)."""

    connect: Connect
    host: bytes | None = None
    """Replaces the Host header when set; None passes the client's on."""
    first_byte_seconds: float = 60
    """From the handshake written to the end of the answer's head."""
    idle_seconds: float = 60
    """Between two pieces of the body of a refusal."""
    head_bytes: int = 64 * 1024
    """The largest head of an answer."""
    allowed_origins: frozenset[str] | None = frozenset()
    """Origins besides the request's own host that may open WebSockets; None = any (no check)."""


async def forward(scope: Scope, receive: Receive, send: Send, upstream: WebSocketUpstream) -> None:
    """Carry one WebSocket (scope type "websocket"; raw_path and query_string travel as they are) to the upstream.

    Without the server's tunnel extension the answer is 501.

    Raises:
        UpstreamUnreachable, UpstreamTimeout, BadUpstreamAnswer: nothing has been sent to the client yet.

    """
    raise NotImplementedError
