"""Forward a WebSocket handshake to an upstream, and tunnel what follows."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from gateway.core.asgi import HeaderList, Receive, Scope, Send
from gateway.core.forwarding import end_to_end
from gateway.errors import BadUpstreamAnswer
from gateway.proxy.handshake import HandshakeAnswer, accept_key, handshake_request

Connect = Callable[[Callable[[], asyncio.Protocol]], Awaitable[asyncio.Transport]]
"""Opens one fresh upstream connection with the protocol that the factory makes.

Raises UpstreamUnreachable or UpstreamTimeout, within its own connect timeout.
"""

T = TypeVar("T")

_PORTS = {"http": ":80", "https": ":443"}
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketUpstream:
    """Where a handshake goes, and how long each step may take (seconds)."""

    connect: Connect
    host: bytes | None = None
    """Replaces the Host header when set; None passes the client's on."""
    trail: tuple[bytes, ...] = ()
    """Header lines that the request gets at its end."""
    first_byte_seconds: float = 60
    """From the handshake written to the end of the answer's head."""
    idle_seconds: float = 60
    """Between two pieces of the body of a refusal."""
    head_bytes: int = 64 * 1024
    """The largest head of an answer."""
    lenient: bool = False
    """Whether the answer's head may be malformed as old servers write it."""
    allowed_origins: frozenset[str] | None = frozenset()
    """Origins besides the request's own host that may open WebSockets; None = any (no check)."""


async def forward(scope: Scope, receive: Receive, send: Send, upstream: WebSocketUpstream) -> None:
    """Carry one WebSocket (scope type "websocket"; raw_path and query_string travel as they are) to the upstream.

    Ends when the tunnel is joined, or when a refusal has been passed on: what a handshake needs is then free again,
    however long the tunnel lives. A client that leaves ends the attempt. Without the server's tunnel extension the
    answer is 501, to a foreign Origin 403.

    Raises:
        UpstreamUnreachable, UpstreamTimeout, BadUpstreamAnswer: nothing has been sent to the client yet.

    """
    await receive()  # websocket.connect
    tunnel = scope.get("extensions", {}).get("gateway.tunnel")
    if tunnel is None:
        await _refuse(scope, send, 501, b"This server cannot tunnel WebSockets.\n")
    elif not is_origin_allowed(scope["headers"], upstream.allowed_origins):
        await _refuse(scope, send, 403, b"The Origin may not open a WebSocket here.\n")
    else:
        await _attempt(scope, receive, send, upstream, tunnel)


async def _attempt(scope: Scope, receive: Receive, send: Send, upstream: WebSocketUpstream, tunnel: Any) -> None:
    """Open, ask, then tunnel or pass the refusal on. The connection is never used for anything else."""
    request = handshake_request(scope, upstream.host, upstream.trail)
    answer = HandshakeAnswer(upstream.head_bytes, lenient=upstream.lenient)
    try:
        status = await _unless_gone(receive, _ask(answer, request, upstream))
        if status == 101:
            await _switch(scope, send, answer, tunnel)
        elif status is not None:
            await _unless_gone(receive, _relay(send, answer, upstream.idle_seconds))
    finally:
        answer.abandon()


async def _ask(answer: HandshakeAnswer, request: bytes, upstream: WebSocketUpstream) -> int:
    transport = await upstream.connect(lambda: answer)
    transport.write(request)
    return await answer.head(upstream.first_byte_seconds)


async def _switch(scope: Scope, send: Send, answer: HandshakeAnswer, tunnel: Any) -> None:
    # An upstream that switches without knowing the key speaks some other protocol (F2).
    if dict(answer.headers).get(b"sec-websocket-accept", b"").strip() != accept_key(scope["headers"]):
        raise BadUpstreamAnswer("the answer to the handshake does not match its key")
    headers = end_to_end(answer.headers)
    await send({"type": "websocket.accept", "headers": headers, "gateway.tunnel": True})
    transport, early = answer.leave()
    tunnel.join(transport, early)


async def _relay(send: Send, answer: HandshakeAnswer, idle_seconds: float) -> None:
    """The upstream's own refusal; the server closes behind it, and nothing is tunnelled after it (#1347)."""
    headers = end_to_end(answer.headers)
    await send({"type": "websocket.http.response.start", "status": answer.status, "headers": headers})
    while piece := await answer.piece(idle_seconds):
        await send({"type": "websocket.http.response.body", "body": piece, "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"", "more_body": False})


async def _unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T | None:
    """Do the work, but stop when the client leaves before its handshake is answered: None then."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


def is_origin_allowed(headers: HeaderList, allowed: frozenset[str] | None) -> bool:
    """Whether this page may open a WebSocket: cookies travel with it, and no CORS check stands before it.

    The request's own host is always allowed, as is where the gateway says that it lives, by the scheme that it says
    (U11); so are programs, which send no Origin. Ports are compared with the scheme's own filled in.
    """
    origins = [value.decode("latin-1").lower() for name, value in headers if name == b"origin"]
    if allowed is None or not origins:
        return True
    if len(origins) > 1:
        return False
    own = {value.decode("latin-1").lower() for name, value in headers if name in {b"host", b"x-forwarded-host"}}
    schemes = {value.decode("latin-1") for name, value in headers if name == b"x-forwarded-proto"} or set(_PORTS)
    return origins[0] in allowed or _is_of(origins[0], schemes, own)


def _is_of(origin: str, schemes: set[str], hosts: set[str]) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    port = _PORTS.get(parts.scheme)
    if port is None or parts.scheme not in schemes or not parts.netloc or f"{parts.scheme}://{parts.netloc}" != origin:
        return False
    return parts.netloc.removesuffix(port) in {host.removesuffix(port) for host in hosts}


async def _refuse(scope: Scope, send: Send, status: int, text: bytes) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1011 if status == 501 else 1008})
        return
    headers = [_TEXT, (b"content-length", str(len(text)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": text, "more_body": False})
