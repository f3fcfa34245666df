"""Speak one WebSocket handshake to an upstream: the request's bytes, and the answer read with bounds."""

import asyncio
import base64
import hashlib
from typing import cast

import httptools

from gateway.core.asgi import HeaderList, Scope
from gateway.core.forwarding import end_to_end
from gateway.errors import BadUpstreamAnswer, UpstreamError, UpstreamTimeout
from gateway.proxy.heads import Heads
from gateway.proxy.request import with_query

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_HIGH_WATER = 64 * 1024
_FORBIDDEN = (b"\r", b"\n", b"\0")
_FRAMING = frozenset({b"content-length", b"host"})


def handshake_request(scope: Scope, host: bytes | None, trail: tuple[bytes, ...] = ()) -> bytes:
    """The handshake as it goes to the upstream: the scope's lines in their order, hop-by-hop lines made new (Q15),
    `trail` behind them.

    Raises:
        ValueError: a line would split the head. Lines from the server cannot, lines added on the way might.

    """
    target = with_query(scope["raw_path"], scope)
    own_host = host if host is not None else _first(scope["headers"], b"host")
    lines = [b"GET ", target, b" HTTP/1.1\r\nhost: ", own_host, b"\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"]
    for name, value in end_to_end(scope["headers"]):
        if name not in _FRAMING:
            if any(mark in name or mark in value for mark in _FORBIDDEN):
                raise ValueError("a header line holds CR, LF or NUL")
            lines += [name, b": ", value, b"\r\n"]
    lines += [line + b"\r\n" for line in trail]
    lines.append(b"\r\n")
    return b"".join(lines)


def accept_key(headers: HeaderList) -> bytes:
    """What a WebSocket server must answer to these lines' key (RFC 6455 §4.2.2)."""
    digest = hashlib.sha1(_first(headers, b"sec-websocket-key") + _GUID, usedforsecurity=False)
    return base64.b64encode(digest.digest())


def _first(headers: HeaderList, name: bytes) -> bytes:
    return next((value for key, value in headers if key == name), b"")


class HandshakeAnswer(asyncio.Protocol):
    """Reads the answer: its head, then either the bytes behind a 101 or the body of a refusal."""

    def __init__(self, head_bytes: int, *, lenient: bool = False) -> None:
        self._heads = Heads(head_bytes, lenient=lenient)
        self._parser = httptools.HttpResponseParser(self)
        self._headers: HeaderList = []
        self._changed = asyncio.Event()
        self._error: UpstreamError | None = None
        self._switched = False
        self._delimited = False
        self._final = False
        self.complete = False
        self.transport: asyncio.Transport | None = None
        self.status = 0
        self.headers: HeaderList = []
        self.buffer = bytearray()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport, to pause it."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Parse; everything behind the 101 is kept as it is."""
        if self._switched:
            self.buffer += data
        elif self._error is None and not self.complete:
            self._parse(data)
        if len(self.buffer) > _HIGH_WATER and self.transport is not None:
            self.transport.pause_reading()
        self._changed.set()

    def _parse(self, data: bytes) -> None:
        try:
            rest = data if self._final else self._read_heads(data)
            if self._switched:
                self.buffer += rest
            elif rest:
                self._feed_parser(rest)
        except UpstreamError as error:
            self._error = self._error or error

    def _read_heads(self, data: bytes) -> bytes:
        """Parse every head that is whole; what follows the final one."""
        self._heads.add(data)
        while not self._final:
            head = self._heads.next()
            if head is None:
                return b""
            self._feed_parser(head)
        return self._heads.rest()

    def _feed_parser(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._switched = True
            del self._parser  # a tunnel may live long
        except httptools.HttpParserError as error:
            raise BadUpstreamAnswer(f"the answer to the handshake is not HTTP: {error}") from error

    def connection_lost(self, exc: Exception | None) -> None:
        """A body that ends with the connection is complete then; anything else is not."""
        if self._final and not self._delimited and exc is None:
            self.complete = True
        elif not self.complete and not self._switched:
            self._error = self._error or BadUpstreamAnswer("the connection closed in the middle of the answer")
        self._changed.set()

    # httptools

    def on_message_begin(self) -> None:
        """The final answer, or a 1xx before it."""
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field line of the head; trailers are dropped."""
        if not self._final:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Informational answers are skipped: a handshake has nothing to do with them."""
        self.status = self._parser.get_status_code()
        if self.status == 101 or self.status >= 200:
            self._final = True
            self.headers = self._headers
            if self.status == 101 and not self._parser.should_upgrade():
                self._error = BadUpstreamAnswer("a 101 that switches to nothing")
            names = {name for name, _ in self._headers}
            self._delimited = bool(names & {b"content-length", b"transfer-encoding"}) or self.status in {204, 304}

    def on_body(self, body: bytes) -> None:
        """A piece of a refusal's body."""
        self.buffer += body

    def on_message_complete(self) -> None:
        """The answer's end, unless it was informational."""
        self.complete = self._final and self.status != 101

    # What `forward` waits for

    async def head(self, seconds: float) -> int:
        """The status of the final answer. Raises UpstreamTimeout or BadUpstreamAnswer."""
        try:
            async with asyncio.timeout(seconds):
                while not self._final or (self.status == 101 and not self._switched):
                    await self._more()
        except TimeoutError as error:
            raise UpstreamTimeout("no answer to the handshake in time") from error
        return self.status

    async def piece(self, seconds: float) -> bytes:
        """The next piece of the body, b"" at its end. Raises UpstreamTimeout or BadUpstreamAnswer."""
        try:
            async with asyncio.timeout(seconds):
                while not self.buffer and not self.complete:
                    await self._more()
        except TimeoutError as error:
            raise UpstreamTimeout("the rest of the answer did not come in time") from error
        return self.take()

    def take(self) -> bytes:
        """What has been read and not taken yet."""
        taken = bytes(self.buffer)
        self.buffer.clear()
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
        return taken

    def leave(self) -> tuple[asyncio.Transport, bytes]:
        """Behind a 101: the connection is the caller's from now on, with what has been read and not taken yet."""
        assert self.transport is not None
        transport, early = self.transport, self.take()
        self.transport = None
        return transport, early

    def abandon(self) -> None:
        """End the connection, unless it was left to somebody."""
        if self.transport is not None:
            self.transport.abort()

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._changed.clear()
        await self._changed.wait()
