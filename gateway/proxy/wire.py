"""One connection to an upstream: a request out, an answer in, back-pressure on the way."""

import asyncio
from typing import Final, Protocol

from gateway.core.asgi import Receive, Scope
from gateway.errors import BadUpstreamAnswer, UpstreamError
from gateway.proxy.answer import UNTIL_CLOSE
from gateway.proxy.dial import Address
from gateway.proxy.parsing import BODY, DONE, HEAD, IDLE, AnswerParser
from gateway.proxy.request import Request

HIGH_WATER: Final = 131_072
"""Bytes of an answer that wait for a slow client before we stop reading (one read of uvloop is up to 250 KB)."""


class SilentClose(BadUpstreamAnswer):
    """The connection ended before a byte of the answer came."""


class ClientGone(Exception):
    """The client left; there is nobody to answer."""


class Owner(Protocol):
    """What a connection tells its pool."""

    def lost(self, connection: "Connection") -> None:
        """It ended."""


class Connection(AnswerParser, asyncio.Protocol):
    """The loop pushes bytes in, the exchange pulls the answer out. An error ends it for good."""

    __slots__ = (
        "_drained",
        "_loop",
        "_owner",
        "_reading",
        "_waiter",
        "age",
        "born",
        "error",
        "exchange",
        "handed",
        "moved",
        "pace",
        "peer",
        "quiet",
        "reader",
        "receive",
        "request",
        "reused",
        "scope",
        "sending",
        "since",
        "spoilt",
        "transport",
        "write_paused",
    )

    def __init__(self, owner: Owner, loop: asyncio.AbstractEventLoop, max_head: int, *, lenient: bool = False) -> None:
        super().__init__(max_head, lenient=lenient)
        self._owner = owner
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._reading = True
        self.write_paused = False
        self.error: Exception | None = None
        self.reader: asyncio.Task[None] | None = None  # of the client: its body, then its presence
        self.receive: Receive | None = None
        self.scope: Scope | None = None
        self.exchange: asyncio.Task[object] | None = None  # while it may wait for the client to take the response
        self.reused = False
        self.peer: Address | None = None
        # In ticks of the pool's clock: made, put back last; of this exchange, and since something moved in it.
        self.born = self.since = self.age = self.quiet = 0
        self.handed = -1  # the `age` at which the client got the piece of the response that it has not taken yet
        self.moved = 0  # bytes to and from the client that are not in `pace` yet
        self.pace = -1.0  # bytes a second, negative before the first measurement

    # ---- for the exchange

    def begin(self, request: Request, scope: Scope, receive: Receive) -> None:
        """Send the head of `request`, whose body and whose client's presence `receive` tells."""
        self.expect(request.method)
        self.request = request
        self.scope = scope
        self.receive = receive
        self.sending = request.length != 0
        self.spoilt = request.binds
        self.age = self.quiet = self.moved = 0
        self.pace = -1.0
        self.transport.write(request.head)

    def written(self) -> None:
        """The last byte of the request was handed to the transport.

        Whether an upstream that has responded by then, or that never said `100 Continue`, still reads the body as a
        body is unknown (S1): such a connection carries nothing more.
        """
        self.sending = False
        request = self.request
        if self.phase != HEAD or (request.expects and not self.continued):
            self.spoilt = True

    @property
    def reusable(self) -> bool:
        """Whether another request may follow: both messages are complete, and the request has left this process."""
        if not self.keep or self.phase != DONE or self.sending or self.spoilt:
            return False
        return not (self.request.length and self.transport.get_write_buffer_size())

    def take(self) -> bytes:
        """The part of the body that has arrived, and may be none; reading goes on if it had stopped."""
        chunks = self.chunks
        if not chunks:
            return b""
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.size = 0
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()
        return body

    def changed(self) -> asyncio.Future[None]:
        """Done when something arrives; then `check`."""
        self._waiter = waiter = self._loop.create_future()
        if self.error is not None:
            waiter.set_result(None)
        return waiter

    def check(self) -> None:
        """Raise what went wrong, once all that came before it was taken."""
        if self.error is not None and not self.chunks:
            raise self.error

    async def drain(self) -> None:
        """Wait until the upstream takes more of the request."""
        while self.write_paused and self.error is None:
            self._drained = self._loop.create_future()
            await self._drained

    def fail(self, error: Exception) -> None:
        """End the exchange with `error`, unless it is complete; the connection is never used again."""
        self.keep = False
        if self.error is None and self.phase != DONE:
            self.error = error
        self.transport.abort()
        _wake(self._waiter)
        _wake(self._drained)

    @property
    def stalled_by_us(self) -> bool:
        """Whether nothing comes because we do not read."""
        return not self._reading

    # ---- for the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # the loop gives what was asked for

    def data_received(self, data: bytes) -> None:
        self.quiet = 0
        if self.phase not in (HEAD, BODY):
            self._surplus()
            return
        try:
            self.feed(data)
        except UpstreamError as exc:
            self.fail(exc)
            return
        if self.size > HIGH_WATER and self.phase == BODY and self._reading:
            self._reading = False
            self.transport.pause_reading()
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _surplus(self) -> None:
        """Bytes that answer no request are nobody's, nor is what follows them (G4)."""
        self.fail(BadUpstreamAnswer("bytes that answer no request"))
        self._owner.lost(self)

    def eof_received(self) -> None:
        self.keep = False
        if self.phase == IDLE:
            self._owner.lost(self)

    def connection_lost(self, exc: Exception | None) -> None:
        why = exc or "end of stream"
        if self.phase == BODY and self.length == UNTIL_CLOSE and exc is None:
            self.phase = DONE
        if self.phase == IDLE or self.silent:
            self.fail(SilentClose(f"closed before it answered ({why})"))
        else:
            self.fail(BadUpstreamAnswer(f"closed in the middle of its answer ({why})"))
        self._owner.lost(self)
        del self._parser  # it holds this object's methods: a cycle that only the garbage collector would undo

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        self.quiet = 0
        _wake(self._drained)


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
