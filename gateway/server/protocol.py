"""One client connection: uvicorn's httptools protocol with limits, strict framing and orderly refusals."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

from gateway.core.asgi import BARE_QUERY
from gateway.server.closing import close, finish_writing, reset
from gateway.server.cycle import BodyCycle, Cycle, Flow, OldCycle
from gateway.server.deadlines import sweeper_of
from gateway.server.head import LongLine, Refused, Unread, refusal_of, split_target
from gateway.server.limits import Limits
from gateway.server.reading import (
    BETWEEN,
    BODY,
    HEAD,
    LINGERING,
    MISREAD,
    NOT_OFFERED,
    STOPPED,
    WEBSOCKET,
    HeadReader,
    is_not_zero,
)
from gateway.server.unsent import Unsent, bytes_taken, bytes_waiting
from gateway.server.upgrade import Handshake, without_upgrade


class GatewayProtocol(HeadReader):
    """Parses requests, judges their heads, queues pipelined ones, and closes what it has refused."""

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, limits=limits, **kwargs)
        # uvicorn lets a request follow `Connection: close`; RFC 9112 §9.6 wants it unread.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=False)
        self.sweeper = sweeper_of(self.server_state, self.loop, limits)
        self._deadline = 0.0
        self._overhead = 0  # bytes fed since the last piece of body: trailers and chunk extensions
        self._progress = False
        self._held = bytearray()  # read, but not parsed before the queue of requests is empty
        self._misread = bytearray()  # the body of a request that is parsed again
        self._last_words: bytes | None = None  # a refusal that waits for earlier answers
        self._is_last = False  # no request may follow the one in hand
        self._linger_until = 0.0
        self._half_closed_until = 0.0  # 0: the client may still send
        self._taken = 0

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Register, or refuse when there are too many."""
        self.connections.add(self)
        self.transport = transport
        self.flow = Flow(transport)
        self.server = get_local_addr(transport)
        self.client = get_remote_addr(transport)
        self.scheme = "https" if is_ssl(transport) else "http"
        self._unsent = Unsent(transport, self.limits.write_seconds)
        self._deadline = self.loop.time() + self.limits.header_seconds
        self.sweeper.add(self)
        if self.limits.connections and len(self.connections) > self.limits.connections:
            self._say_last(self._said(Refused(503, "Too many connections.")))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the application that waits; requests that wait in the queue never start."""
        self.sweeper.discard(self)
        self.connections.discard(self)
        self._phase = STOPPED
        self.pipeline.clear()
        running, self._running = self._running, None
        if running is not None:
            running.leave()
        self.flow.resume_writing()
        if exc is None:
            close(self.transport)
        # Both refer back to this object, which goes at once without them (and without `_running`).
        self.parser = self.cycle = None  # type: ignore[assignment]

    def shutdown(self) -> None:
        """Finish the answer in flight, if any, and close."""
        if self._running is None:
            close(self.transport)
        else:
            self._running.keep_alive = False

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio lets it say whether the transport stays
        """The client sends no more. Requests that it has sent whole still get their responses (RFC 9112 §9.6)."""
        if self._running is None or self._phase in {BODY, LINGERING} or not self.transport.can_write_eof():
            return False
        if not self._half_closed_until:
            self._half_closed_until = self.loop.time() + self.limits.half_closed_seconds
            self._taken = bytes_taken(self.transport)
        return True

    @property
    def is_lingering(self) -> bool:
        """Whether the client has its last response, but may not have read it."""
        return self._phase is LINGERING

    def check_deadline(self, now: float) -> None:
        """End what takes too long: a head (408), a body (408), an idle connection, a refused client's farewell, and
        clients that take nothing."""
        if self._unsent.is_stuck(now):
            self.transport.abort()
        elif self._half_closed_until:
            self._check_half_closed(now)
        elif self._phase is BODY and self._is_waiting_for_us():
            self._deadline = now + self.limits.body_idle_seconds
        elif now < self._deadline:
            return
        elif self._phase in {HEAD, BODY}:
            self._fail(Refused(408, "The request took too long."))
        elif self._phase is LINGERING:
            self._end_lingering(now)
        elif self._running is None:
            close(self.transport)

    def _check_half_closed(self, now: float) -> None:
        taken = bytes_taken(self.transport)
        if taken != self._taken or bytes_waiting(self.transport):
            self._taken = taken
            self._half_closed_until = now + self.limits.half_closed_seconds
        elif now >= self._half_closed_until:
            self.transport.abort()

    def _end_lingering(self, now: float) -> None:
        if self._progress and now < self._linger_until:
            self._progress = False
            self._deadline = now + self.limits.linger_seconds
        elif not self.transport.can_write_eof():
            close(self.transport)
        elif not self.transport.get_write_buffer_size():
            self.transport.abort()

    def _is_waiting_for_us(self) -> bool:
        return self.flow.read_paused or self.cycle is not self._running or self.cycle.waiting_for_100_continue

    # Bytes

    def data_received(self, data: bytes) -> None:
        """Parse what came; large reads in pieces, so that a head cannot outgrow its limit unseen."""
        if self._phase >= STOPPED:
            self._progress = True
            return
        if self._held or self.pipeline or (len(data) > self.limits.header_bytes and self._phase is not BODY):
            self._held += data
        else:
            self._feed(data)
        if self._held:
            self._feed_held()

    def _feed_held(self) -> None:
        while self._held and not self.pipeline and self._phase < STOPPED:
            size = len(self._held) if self._phase is BODY else self.limits.header_bytes
            piece = bytes(self._held[:size])
            del self._held[:size]
            self._feed(piece)

    def _feed(self, data: bytes) -> None:
        self._fed = len(data)
        self._head_fed += self._fed
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stop:
            self._switch(data[stop.args[0] :])
        except httptools.HttpParserError as error:
            self._fail(refusal_of(error, data))
        else:
            if self._upgrade is MISREAD and self._phase is BODY:
                self.on_message_complete()
                self._switch(bytes(self._misread))
                self._misread.clear()
            if self._phase is not BETWEEN:
                self._measure()

    def _measure(self) -> None:
        """Keep the time and the size of a head or body that is still incomplete."""
        if self._phase is HEAD:
            self._deadline = self._deadline or self.loop.time() + self.limits.header_seconds
            if self._head_fed > self.limits.header_bytes + self.limits.request_line:
                too_large = Refused(431, "The header is too large.") if self.headers else LongLine()
                self._fail(too_large)
        elif self._phase is BODY:
            if self._progress:
                self._progress = False
                self._overhead = 0
                self._deadline = self.loop.time() + self.limits.body_idle_seconds
            else:
                self._overhead += self._fed
                if self._overhead > self.limits.header_bytes:
                    self._fail(Refused(431, "Too much between the pieces of the body."))

    # The parser's callbacks

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._is_last:
            raise Unread
        self._phase = HEAD
        self._deadline = 0.0  # set when the head is not complete at once
        self._hosts = 0
        if not self._is_plain:
            self._reset_head()
        self.url = b""
        self.headers = []

    def on_headers_complete(self) -> None:
        """The head is complete: judge it, then start the application or queue the request."""
        headers = self.headers
        version = self.parser.get_http_version()
        method = self._judge(version)
        path, query = split_target(method, self.url, self._host)
        scope = self._scope(version, method, path, query)
        if not query and self.url.endswith(b"?"):
            scope[BARE_QUERY] = True
        self.headers = []  # trailers, if any
        self._phase = BODY
        self._progress = True
        if self._upgrade is not NOT_OFFERED:
            scope["headers"] = headers
            return
        self._begin(scope)

    def _begin(self, scope: dict[str, Any]) -> None:
        keep_alive = scope["http_version"] == "1.1" and self.parser.should_keep_alive()
        has_body = self._length or self._codings is not None
        if has_body and scope["method"] in {"GET", "HEAD"} and is_not_zero(scope["headers"]):
            keep_alive = False  # its meaning is undefined (RFC 9110 §9.3.1): forwarded, but the last one here
        kind = OldCycle if scope["http_version"] == "1.0" else BodyCycle if has_body else Cycle
        expects = self.expect_100_continue and kind is not OldCycle  # which knows none (RFC 9110 §10.1.1)
        cycle = kind(self, scope, keep_alive, expects)
        self.cycle = cycle
        self._is_last = not keep_alive
        if self._running is None:
            self._start(cycle)
        else:
            self.pipeline.appendleft((cycle, self.app))
            self.flow.pause_reading()
            self.flow.hold = True

    def _start(self, cycle: Cycle) -> None:
        self._running = cycle
        cycle.start(self.app)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._progress = True
        if self._upgrade is MISREAD:
            self._misread += body
        else:
            self.cycle.feed(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._phase = BETWEEN
        self._head_fed, self._head_slack = 0, self._fed
        if self._upgrade is NOT_OFFERED:
            self.cycle.more_body = False
            self.cycle.wake()

    # Answers

    def on_response_complete(self) -> None:
        """An answer is complete: start the next request of the queue, or wait for one."""
        self.server_state.total_requests += 1
        done, self._running = self._running, None
        if self._phase is LINGERING or self.transport.is_closing():
            return
        if self._phase is BODY and done is self.cycle:
            self._linger()  # the rest of the body is not worth reading, and not a request
        elif self.pipeline:
            self._start(self.pipeline.pop()[0])
            self._release()
        elif self._last_words is not None:
            self._say_last(self._last_words)
        else:
            self.flow.resume_reading()
            if self._half_closed_until:
                close(self.transport)
            elif self._phase is BETWEEN:  # else the next head has begun, with its own time
                self._deadline = self.loop.time() + self.limits.keep_alive_seconds

    def _release(self) -> None:
        if not self.pipeline:
            self.flow.hold = False
            self.flow.resume_reading()
            self._feed_held()

    def end_after(self, cycle: Cycle) -> None:
        """Close behind an answer, so that the client can read it and sees whether it is whole."""
        if not cycle.response_complete and isinstance(cycle, OldCycle):
            reset(self.transport)  # an orderly close would look like the end of the body
        elif cycle.response_complete and self._phase is BODY and cycle is self.cycle:
            self._linger()
        else:
            close(self.transport)

    def _fail(self, refused: Refused) -> None:
        """Refuse what was being parsed. Earlier answers go first; nothing that follows is parsed."""
        broken = self.cycle if self._phase is BODY and self._upgrade is NOT_OFFERED else None
        self._phase = STOPPED
        self._held.clear()
        if isinstance(refused, Unread):
            return
        if broken is not None and self.pipeline and self.pipeline[0][0] is broken:
            self.pipeline.popleft()
        elif broken is not None and broken is self._running:
            broken.leave()
            self._running = None
            if broken.response_started:
                self.transport.abort()
                return
        if self._running is not None:
            self._last_words = self._said(refused)
        else:
            self._say_last(self._said(refused))

    def _said(self, refused: Refused) -> bytes:
        return refused.answer(self.server_state.default_headers)

    def _say_last(self, answer: bytes) -> None:
        self._last_words = None
        self.transport.write(answer)
        self._linger()

    def _linger(self) -> None:
        """Close for writing and throw away what comes: closing at once resets, and a reset destroys the answer.

        TLS has no half-open connections: a client that is still sending a body is left to close when it has read.
        """
        stays_open = self._phase is BODY and not self.transport.can_write_eof()
        self._phase = LINGERING
        self._held.clear()
        self.flow.hold = False
        self.flow.resume_reading()
        if not stays_open:
            finish_writing(self.transport)
        now = self.loop.time()
        self._progress = False
        self._deadline = now + self.limits.linger_seconds
        self._linger_until = now + self.limits.linger_total_seconds

    # Upgrades

    def _switch(self, rest: bytes) -> None:
        """The parser stopped behind a head with an Upgrade."""
        if self._upgrade is WEBSOCKET:
            rest += bytes(self._held)
            self._held.clear()
            self._phase = STOPPED  # nothing more is read here
            self.sweeper.discard(self)
            Handshake.take_over(self, rest)
            return
        self._held[:0] = without_upgrade(self.scope, self.url) + rest
        self.parser = httptools.HttpRequestParser(self)
        self._phase = BETWEEN


def make_protocol(limits: Limits) -> Callable[..., GatewayProtocol]:
    """A protocol factory for uvicorn's `http=`; it can be pickled, so that worker processes get it."""
    return functools.partial(GatewayProtocol, limits=limits)
