"""Carry a request's body from the client to the upstream, then watch whether the client is still there."""

import asyncio
from typing import Final

from gateway.core.asgi import Message, Receive
from gateway.errors import BadData, RequestTooLarge
from gateway.proxy.request import CHUNKED
from gateway.proxy.wire import ClientGone, Connection

FIRST_PIECE: Final = 0.2
"""Seconds that a request waits for the first piece of its body before it takes a connection to the upstream: most often
the whole body is there by then. A client that wants to hear from the upstream before it sends is not held up longer."""


async def first_piece(receive: Receive) -> Message | None:
    """What the client sent of the body, or that it left; None when nothing comes in time."""
    try:
        async with asyncio.timeout(FIRST_PIECE):
            return await receive()
    except TimeoutError:
        return None


async def pump(connection: Connection, body: "Body") -> None:
    """Read the client until it leaves. Run as a task beside the exchange, which ends it.

    What comes is written while the upstream wants it; after that it is thrown away, so that a client that reads no
    answer before all is sent still gets one. Every failure ends the exchange, none escapes.
    """
    receive = connection.receive
    assert receive is not None
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                connection.fail(ClientGone())
                return
            if connection.sending:
                body.write(message)
                if connection.write_paused:
                    await connection.drain()
    except Exception as exc:  # noqa: BLE001 - whatever it was, the exchange raises it
        connection.fail(exc)


class Body:
    """Frames one request's body, and holds it to its length."""

    __slots__ = ("_connection", "_left", "_length", "_sent")

    def __init__(self, connection: Connection, length: int, max_body: int | None) -> None:
        self._connection = connection
        self._length = length
        self._sent = 0
        self._left = max_body if length == CHUNKED else length

    def write(self, message: Message) -> None:
        """Pass one piece on. Raises RequestTooLarge, or BadData when a length was promised and not kept."""
        connection = self._connection
        if connection.status >= 400:
            # The upstream does not want it (RFC 9112 §9.5: cease transmitting at once). The request stays incomplete.
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        if body:
            self._sent += len(body)
            connection.moved += len(body)
            if self._left is not None and self._sent > self._left:
                raise RequestTooLarge("a request body over its bound")
            connection.quiet = 0
            self._frame(body, last=not more)
        elif not more and self._length == CHUNKED:
            connection.transport.write(b"0\r\n\r\n")
        if not more:
            if self._length not in (CHUNKED, self._sent):
                raise BadData("a request body shorter than its Content-Length")
            connection.written()
            connection.quiet = 0

    def _frame(self, body: bytes, *, last: bool) -> None:
        transport = self._connection.transport
        if self._length == CHUNKED:
            transport.writelines((b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n" if last else b"\r\n"))
        else:
            transport.write(body)
