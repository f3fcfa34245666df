"""One exchange: an ASGI request to an upstream, and its answer back, piece by piece."""

import asyncio
import logging

from gateway.core.asgi import INTERIM, Message, Receive, Scope, Send
from gateway.errors import RequestTooLarge, SlowClient, UpstreamError
from gateway.proxy.connections import Upstream
from gateway.proxy.parsing import DONE, HEAD
from gateway.proxy.request import Request
from gateway.proxy.upload import first_piece
from gateway.proxy.wire import ClientGone, Connection, SilentClose

logger = logging.getLogger("gateway.proxy")

_EARLY_HINTS = 103


async def exchange(request: Request, scope: Scope, receive: Receive, send: Send, upstream: Upstream) -> None:
    """Forward `request`, relay the answer. Raises UpstreamError, and RequestTooLarge, only before the answer began.

    An answer that breaks off later raises too: the server then closes the client's connection without an end to
    the message, which is how HTTP/1.1 says that it is incomplete (RFC 9112 §8). A client that left gets nothing.
    """
    limit = upstream.options.max_body
    if limit is not None and request.length > limit:
        raise RequestTooLarge(f"a request body of {request.length} bytes")
    first = None
    if request.length and not (request.expects or upstream.options.streaming):
        first = await first_piece(receive)
        if first is not None and first["type"] == "http.disconnect":
            return
    await _carry(request, first, scope, receive, send, upstream)


async def _carry(
    request: Request, first: Message | None, scope: Scope, receive: Receive, send: Send, upstream: Upstream
) -> None:
    connection = upstream.take() or await _opened(upstream)
    try:
        try:
            connection.begin(request, scope, receive)
            if first is not None:
                upstream.read(connection, first)
            if not request.length:
                await connection.changed()  # which is all, when the answer comes in one piece
                connection.check()
            if connection.phase == HEAD or connection.interim is not None:
                await _head(connection, request, scope, send, upstream)
        except SilentClose:
            if not (connection.reused and request.replayable):
                raise
            upstream.drop(connection)
            connection = await _opened(upstream)
            connection.begin(request, scope, receive)
            await _head(connection, request, scope, send, upstream)
        await send({"type": "http.response.start", "status": connection.status, "headers": connection.headers})
        last = connection.take() if connection.phase == DONE else await _body(connection, send)
    except BaseException as exc:
        if isinstance(exc, UpstreamError):
            _log(upstream, exc)
            upstream.blame(connection, exc)
        upstream.drop(connection)
        if isinstance(exc, ClientGone):
            return
        raise
    # Given back before the client has taken the end: a slow client holds no connection of the upstream.
    upstream.put(connection)
    await send({"type": "http.response.body", "body": last, "more_body": False})


async def _opened(upstream: Upstream) -> Connection:
    try:
        return await upstream.open()
    except UpstreamError as exc:
        _log(upstream, exc)
        raise


def _log(upstream: Upstream, error: UpstreamError) -> None:
    logger.warning("upstream %s: %s: %s", upstream.options.label, type(error).__name__, error)


async def _head(connection: Connection, request: Request, scope: Scope, send: Send, upstream: Upstream) -> None:
    """Wait for the head of the final answer."""
    if connection.sending and not request.expects:
        upstream.read(connection)
    while True:
        if connection.interim is not None:
            await _interim(connection, scope, send)
        if connection.phase != HEAD:
            return
        if request.expects and connection.continued:
            upstream.read(connection)
        await connection.changed()
        connection.check()


async def _body(connection: Connection, send: Send) -> bytes:
    """Pass on each piece at once, nothing held back for a fuller one; give back the last."""
    connection.exchange = task = asyncio.current_task()
    try:
        while True:
            piece = connection.take()
            if connection.phase == DONE:
                return piece
            if piece:
                await _hand_over(connection, piece, send)
            else:
                await connection.changed()
                connection.check()
    except asyncio.CancelledError:
        if task is None or not isinstance(connection.error, SlowClient):
            raise
        task.uncancel()
        raise connection.error from None
    finally:
        connection.exchange = None


async def _hand_over(connection: Connection, piece: bytes, send: Send) -> None:
    """Give the client a piece, and remember for how long it does not take it."""
    connection.handed = connection.age
    try:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        connection.handed = -1
    connection.moved += len(piece)


async def _interim(connection: Connection, scope: Scope, send: Send) -> None:
    """Interim responses, where the server can send them: never to HTTP/1.0 clients (RFC 9110 §15.2)."""
    responses, connection.interim = connection.interim or [], None
    offered = scope.get("extensions", {})
    for status, headers in responses:
        if INTERIM in offered:
            await send({"type": INTERIM, "status": status, "headers": headers})
        elif status == _EARLY_HINTS and "http.response.early_hint" in offered:
            links = [value for name, value in headers if name == b"link"]
            await send({"type": "http.response.early_hint", "links": links})
