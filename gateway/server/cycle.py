"""One request and its answer: the application's `receive` and `send`, and how the answer's body is framed."""

import asyncio
import logging
from typing import Any, Final, Protocol

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl

from gateway.core.asgi import INTERIM, ASGIApp, HeaderList, Message, Scope
from gateway.errors import GatewayError
from gateway.server.answering import STATUS_LINES, lines_of
from gateway.server.closing import close

_log = logging.getLogger("uvicorn.error")

_JOINED: Final = 16_384
"""Bytes of a first piece of body that are copied behind the head: cheaper than handing over two pieces."""
_NO_CONTENT: Final = frozenset((204, 304))
_EARLY_HINTS: Final = 103
_INTERIM: Final = range(102, 200)  # 100 is ours to send (RFC 9110 §10.1.1), 101 leaves HTTP
_TEXT: Final = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
_RETRY: Final = [*_TEXT, (b"retry-after", b"1")]


class Flow(FlowControl):
    """uvicorn's flow control, with a hold: requests in the queue must not be joined by more."""

    hold = False

    def resume_reading(self) -> None:
        """Read again, unless held. An application that waits for a disconnect resumes; a queue would then never end."""
        if self.read_paused and not self.hold:
            super().resume_reading()


class Connection(Protocol):
    """What a cycle needs of the connection."""

    transport: asyncio.Transport
    flow: Flow
    loop: asyncio.AbstractEventLoop
    tasks: set[asyncio.Task[None]]
    server_state: Any

    def on_response_complete(self) -> None:
        """The answer is complete."""

    def end_after(self, cycle: "Cycle") -> None:
        """Close behind this cycle."""


class Cycle:
    """A request and its answer.

    The head of the answer goes out with the first piece of body, in one system call, and never waits for longer than
    one turn of the loop.
    """

    __slots__ = (
        "_chunked",
        "_connection",
        "_event",
        "_flow",
        "_head",
        "_left",
        "_news",
        "_pieces",
        "_size",
        "_task",
        "_transport",
        "disconnected",
        "keep_alive",
        "more_body",
        "response_complete",
        "response_started",
        "scope",
        "waiting_for_100_continue",
    )

    def __init__(self, connection: Connection, scope: Scope, keep_alive: bool, expects: bool) -> None:  # noqa: FBT001
        self.scope = scope
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = expects
        self.more_body = True
        self.disconnected = self.response_started = self.response_complete = False
        self._connection = connection
        self._transport = connection.transport
        self._flow = connection.flow
        self._pieces: list[bytes] | None = None  # of the body: came, and not received yet
        self._size = 0
        self._news = False  # something to receive
        self._event: asyncio.Event | None = None  # only when somebody had to wait for it
        self._head = b""
        self._chunked = False
        self._left = 0  # bytes of the body that were promised
        self._task: asyncio.Task[None] | None = None

    def start(self, app: ASGIApp) -> None:
        """Call the application in a task of its own."""
        connection = self._connection
        self._task = task = connection.loop.create_task(self._run(app))
        if not task.done():  # as it may be with an eager task factory
            connection.tasks.add(task)

    # For the connection

    def feed(self, body: bytes) -> None:
        """A piece of the request's body."""
        if self._pieces is None:
            self._pieces = []
        self._pieces.append(body)
        self._size += len(body)
        if self._size > HIGH_WATER_LIMIT:
            self._flow.pause_reading()
        self.wake()

    def leave(self) -> None:
        """The client is gone, or may not go on."""
        if not self.response_complete:
            self.disconnected = True
        self.wake()

    def wake(self) -> None:
        """There is something to receive."""
        self._news = True
        if self._event is not None:
            self._event.set()

    # The application

    async def _run(self, app: ASGIApp) -> None:
        try:
            await app(self.scope, self.receive, self.send)
            if not (self.response_complete or self.disconnected):
                self._fail("ASGI callable returned without completing its answer.", None)
        except asyncio.CancelledError:
            self._stop()
        except GatewayError:  # who raised it has logged it
            self._break_off()
        except BaseException as error:  # noqa: BLE001 - whatever it was, the client sees that the answer is not whole
            self._fail("Exception in ASGI application\n", error)
        finally:
            self._connection.tasks.discard(self._task)

    def _fail(self, what: str, error: BaseException | None) -> None:
        _log.error(what, exc_info=error)
        self._break_off()

    def _stop(self) -> None:
        """The server ends before the response is complete."""
        if not (self.disconnected or self.response_complete):
            _log.warning("The server stops: a %s request is cut off.", self.scope["method"])
        self.keep_alive = False
        self._break_off(503, b"Service Unavailable", _RETRY)

    def _break_off(
        self, status: int = 500, text: bytes = b"Internal Server Error", headers: HeaderList = _TEXT
    ) -> None:
        """End the response so that the client does not take it for whole; refuse the request if none has begun."""
        if self.disconnected or self.response_complete:
            return
        if not self.response_started:
            self._begin(status, [*headers, (b"content-length", b"%d" % len(text))])
            self._write(text, more=False)
        elif self._flow.write_paused:  # and the client takes nothing: what waits for it is of no use
            self._transport.abort()
        else:
            self._flush_head()
            self._end()

    async def receive(self) -> Message:
        """The next ASGI event of the request."""
        if not (self.disconnected or self.response_complete):
            if self.waiting_for_100_continue and not self._transport.is_closing():
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                self.waiting_for_100_continue = False
            self._flow.resume_reading()
        while not (self._news or self.disconnected or self.response_complete):
            self._event = event = self._event or asyncio.Event()
            event.clear()
            await event.wait()
        self._news = False
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        pieces, self._pieces, self._size = self._pieces, None, 0
        body = b"" if pieces is None else pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """Write one ASGI event. Raises RuntimeError when it is out of turn or breaks the framing."""
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.body" and self.response_started:
            self._write(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "http.response.start" and not self.response_started:
            self._begin(message["status"], message.get("headers", ()))
            self._connection.loop.call_soon(self._flush_head)
        elif kind == INTERIM and not self.response_started:
            self._interim(message["status"], message.get("headers", ()))
        elif kind == "http.response.early_hint" and not self.response_started:
            self._interim(_EARLY_HINTS, [(b"link", link) for link in message["links"]])
        else:
            raise RuntimeError(f"Unexpected ASGI message {kind!r}.")

    # The answer

    def _interim(self, status: int, headers: Any) -> None:
        lines, length, _, _ = lines_of(headers)
        if status not in _INTERIM or length is not None:
            raise RuntimeError("This is no interim response.")
        self._transport.write(STATUS_LINES[status] + lines + b"\r\n")

    def _begin(self, status: int, headers: Any) -> None:
        lines, length, has_date, closes = lines_of(headers)
        head = STATUS_LINES[status] + lines
        if not has_date:
            head += b"".join([b"%b: %b\r\n" % line for line in self._connection.server_state.default_headers])
        self.keep_alive = self.keep_alive and not closes
        self._left = 0 if length is None or status in _NO_CONTENT else length
        if length is None and self.scope["method"] != "HEAD" and status not in _NO_CONTENT:
            head += self._without_length()
        self.response_started = True
        self.waiting_for_100_continue = False
        self._head = head + (b"\r\n" if self.keep_alive or closes else b"connection: close\r\n\r\n")

    def _without_length(self) -> bytes:
        """Frame a body whose length is not known."""
        self._chunked = True
        return b"transfer-encoding: chunked\r\n"

    def _write(self, body: bytes, *, more: bool) -> None:
        if self.response_complete:
            raise RuntimeError("The answer is complete already.")
        size = len(body)
        if self.scope["method"] == "HEAD":
            body, self._left = b"", 0
        elif self._chunked:
            body = self._chunk(body, more=more)
        elif size > self._left:
            raise RuntimeError("Response content longer than Content-Length")
        else:
            self._left -= size
        self._flush(body)
        if not more:
            self._complete()

    def _chunk(self, body: bytes, *, more: bool) -> bytes:
        start = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return start if more else start + b"0\r\n\r\n"

    def _flush_head(self) -> None:
        """Write the head, if it has not been."""
        if self._head and not self.disconnected:
            self._flush(b"")

    def _flush(self, body: bytes) -> None:
        """Write the head, if it has not been, and `body`."""
        head = self._head
        if not head:
            self._transport.write(body)
            return
        self._head = b""
        if len(body) < _JOINED:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    def _complete(self) -> None:
        if self._left:
            raise RuntimeError("Response content shorter than Content-Length")
        self.response_complete = True
        if self._event is not None:
            self._event.set()
        if not self.keep_alive:
            self._end()
        self._connection.on_response_complete()

    def _end(self) -> None:
        """Close the connection behind what was written."""
        close(self._transport)


class BodyCycle(Cycle):
    """A request with a body: a refusal that comes before the body's end announces that the connection closes."""

    __slots__ = ()

    def _begin(self, status: int, headers: Any) -> None:
        # A client whose `Expect: 100-continue` gets a final answer may send the body or not (RFC 9110 §10.1.1): what
        # follows on this connection cannot be told apart, so nothing does.
        if (self.more_body and status >= 400) or self.waiting_for_100_continue:
            self.keep_alive = False
        super()._begin(status, headers)

    def _end(self) -> None:
        self._connection.end_after(self)


class OldCycle(BodyCycle):
    """HTTP/1.0 knows no chunks (RFC 9112 §6.1): an answer without a length ends with the connection."""

    __slots__ = ("_until_close",)

    def _interim(self, status: int, headers: Any) -> None:
        """Nothing: HTTP/1.0 has no interim responses (RFC 9110 §15.2)."""

    def _begin(self, status: int, headers: Any) -> None:
        self._until_close = False
        super()._begin(status, headers)

    def _without_length(self) -> bytes:
        self._until_close = True
        return b""

    def _write(self, body: bytes, *, more: bool) -> None:
        if self._until_close:
            self._left = len(body)
        super()._write(body, more=more)
