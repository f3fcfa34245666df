"""One connection to an upstream: a request out, one parsed answer in, bounded on the way."""

import asyncio
from typing import Final, Protocol

import httptools

from gateway.core.asgi import HeaderList, Receive
from gateway.errors import BadUpstreamAnswer, UpstreamError
from gateway.proxy.answer import FRAMING, UNTIL_CLOSE, body_length, check_interim, passed_on, reusable
from gateway.proxy.request import Request

# A phase is what the connection waits for.
IDLE: Final = 0  # in the pool: any byte now is one too many
HEAD: Final = 1  # the head of an answer
BODY: Final = 2  # more of its body
DONE: Final = 3  # nothing: the answer is complete

HIGH_WATER: Final = 131_072
"""Bytes of an answer that wait for a slow client before we stop reading (one read of uvloop is up to 250 KB)."""


class SilentClose(BadUpstreamAnswer):
    """The connection ended before a byte of the answer came."""


class ClientGone(Exception):
    """The client left; there is nobody to answer."""


class Owner(Protocol):
    """What a connection tells its pool."""

    def lost(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """State is kept here, not per exchange: `begin` resets it. Reads are pushed by the loop, pulled by the exchange."""

    __slots__ = (
        "_bare", "_chunks", "_drained", "_head_bytes", "_interim", "_lines", "_loop", "_max_head", "_method", "_notes",
        "_owner", "_parser", "_reading", "_rest", "_size", "_waiter", "age", "born", "continued", "error", "headers",
        "hints", "keep", "length", "phase", "quiet", "reader", "receive", "request", "reused", "sending", "since",
        "status", "transport", "write_paused",
    )  # fmt: skip

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop, max_head: int) -> None:
        self._owner = owner
        self._loop = loop
        self._max_head = max_head
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._chunks: list[bytes] = []
        self._notes: dict[bytes, bytes] = {}
        self._reading = True
        self.write_paused = False
        self.reader: asyncio.Task[None] | None = None
        self.receive: Receive | None = None
        self.reused = False
        self.born = self.since = 0  # in ticks of the pool's clock: made, last put back
        self.phase = IDLE
        self.error: Exception | None = None

    # ---- for the exchange

    def begin(self, request: Request, receive: Receive) -> None:
        """Send the head of `request`, whose body and whose client's presence `receive` tells."""
        self.phase = HEAD
        self.headers: HeaderList = []
        self.status = 0
        self.keep = False
        self.length = 0
        self.sending = request.length != 0
        self.continued = not request.expects
        self.hints: HeaderList | None = None
        self.request = request
        self.receive = receive
        self.age = self.quiet = 0
        self._method = request.method
        self._lines: HeaderList = []
        self._head_bytes = self._size = self._rest = self._bare = 0
        self._interim = False
        self.transport.write(request.head)

    def take(self) -> bytes:
        """The part of the body that has arrived, and may be none; reading goes on if it had stopped."""
        chunks = self._chunks
        if not chunks:
            return b""
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._size = 0
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()
        return body

    async def changed(self) -> None:
        """Wait until something arrives; raises what went wrong, once all that came before it was taken."""
        if self.error is not None:
            raise self.error
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None
        if self.error is not None and not self._chunks:
            raise self.error

    async def drain(self) -> None:
        """Wait until the upstream takes more of the request."""
        while self.write_paused and self.error is None:
            self._drained = self._loop.create_future()
            await self._drained

    def fail(self, error: Exception) -> None:
        """End the exchange with `error`, unless it is over; the connection is never used again."""
        self.keep = False
        if self.error is None and self.phase != DONE:
            self.error = error
            self._wake()
        self._resume_writers()
        self.transport.abort()

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # the loop gives what was asked for

    def data_received(self, data: bytes) -> None:
        self.quiet = 0
        if self._rest > 0 and self.phase == BODY:
            self._plain(data)
        elif self.phase in (HEAD, BODY):
            self._parse(data)
        else:
            self.keep = False
            self.fail(BadUpstreamAnswer("bytes after the end of an answer"))
            self._owner.lost(self)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def eof_received(self) -> None:
        self.keep = False
        if self.phase == IDLE:
            self._owner.lost(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.phase == BODY and self.length == UNTIL_CLOSE and exc is None:
            self.phase = DONE
            self._wake()
        elif self.phase == HEAD and self._head_bytes == 0:
            self.fail(SilentClose(f"closed before it answered ({exc or 'end of stream'})"))
        elif self.phase in (HEAD, BODY):
            self.fail(BadUpstreamAnswer(f"closed in the middle of its answer ({exc or 'end of stream'})"))
        if self.error is None and self.phase == IDLE:
            self.error = SilentClose("closed while nobody used it")
        self.keep = False
        self._resume_writers()
        self._owner.lost(self)
        del self._parser  # it holds this object's methods: a cycle that only the garbage collector would undo

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        self.quiet = 0
        self._resume_writers()

    # ---- parsing

    def _parse(self, data: bytes) -> None:
        before = self._size
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.fail(BadUpstreamAnswer("switched protocols unasked"))
        except httptools.HttpParserError as exc:
            self.fail(exc.__context__ if isinstance(exc.__context__, UpstreamError) else BadUpstreamAnswer(str(exc)))
        if self.phase == HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > self._max_head:
                self.fail(BadUpstreamAnswer(f"a head of more than {self._max_head} bytes"))
        elif self.phase == BODY and self._size == before:
            # Chunk extensions and trailers carry nothing, and so may not go on for ever.
            self._bare += len(data)
            if self._bare > self._max_head:
                self.fail(BadUpstreamAnswer("a body of chunk extensions or trailers"))
        if self._size > HIGH_WATER:
            self._pause()

    def _plain(self, data: bytes) -> None:
        """A body of known length, past the first read: counted here, since the parser would only copy it."""
        self._rest -= len(data)
        if self._rest < 0:
            self.keep = False
            data = data[: self._rest]
        self._chunks.append(data)
        self._size += len(data)
        if self._rest <= 0:
            self.phase = DONE
            self._parser = httptools.HttpResponseParser(self)  # the old one still waits for the body that it missed
        elif self._size > HIGH_WATER:
            self._pause()

    def on_message_begin(self) -> None:
        if self.phase == DONE:  # a second answer to one request: nobody's (G4)
            self.keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in FRAMING:
            if self.phase == HEAD:
                notes = self._notes
                notes[name] = notes[name] + b"," + value if name in notes else value
            if name != b"content-length":
                return
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        if self.phase != HEAD:  # as above
            return
        status = self._parser.get_status_code()
        lines, notes = self._lines, self._notes
        self._lines = []  # where trailers go, to be forgotten
        if notes:
            self._notes = {}
        if status < 200:
            self._on_interim(status, lines, notes)
            return
        if status > 599:
            raise BadUpstreamAnswer(f"status {status}")
        method = self._method
        self.length = self._rest = body_length(status, method, notes)
        self.headers = passed_on(status, method, lines, notes)
        self.keep = self._parser.should_keep_alive()
        if method == "HEAD" or b"transfer-encoding" in notes:
            version = self._parser.get_http_version()
            self.keep = reusable(method, notes, parser_agrees=self.keep, version=version)
        self.status = status
        self.phase = BODY
        if method == "HEAD":
            self.phase = DONE
            self._parser = httptools.HttpResponseParser(self)  # this one expects a body, or an end, that never comes

    def on_body(self, body: bytes) -> None:
        if self.phase == BODY:
            self._chunks.append(body)
            self._size += len(body)
            self._rest -= len(body)
        else:
            self.keep = False

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
        elif self.phase == BODY:
            self.phase = DONE

    def _on_interim(self, status: int, lines: HeaderList, notes: dict[bytes, bytes]) -> None:
        check_interim(status, notes)
        self._interim = True
        if status == 100:
            self.continued = True
        elif status == 103:
            self.hints = lines

    # ---- flow

    def _pause(self) -> None:
        if self._reading and not self.transport.is_closing():
            self._reading = False
            self.transport.pause_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _resume_writers(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    @property
    def stalled_by_us(self) -> bool:
        """Whether nothing comes because we do not read."""
        return not self._reading
