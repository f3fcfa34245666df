"""The gateway round any ASGI application: act on the guard's verdict, forward or answer."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from starlette.responses import Response

from gateway.core.asgi import INTERIM, ASGIApp, HeaderList, Message, Receive, Scope, Send
from gateway.core.forwarding import Forwarding
from gateway.core.front import Front
from gateway.core.gate import Decision
from gateway.core.paths import mounted_path
from gateway.core.rules import Allow
from gateway.core.trust import TrustedPeers
from gateway.errors import GatewayError, UpstreamError
from gateway.sessions.service import Sessions
from gateway.telemetry.current import CURRENT_REQUEST
from gateway.web.answer_headers import application_headers, uncached_headers
from gateway.web.answers import head_size, stamped
from gateway.web.authflow import AuthFlow
from gateway.web.binding import HEAD_BYTES, size
from gateway.web.guard import Guard, Verdict
from gateway.web.refusals import Refusals
from gateway.web.requests import REQUEST_ID

Handler = Callable[[Scope, Receive, int], Awaitable[Response]]
"""Answers one of the gateway's own addresses; the last argument is `now`."""

Observe = Callable[[bytes, str, str, str, int, float], None]
"""Told of each request: its id, method, rule, decision, status (0: the client saw no answer) and seconds."""

_log = logging.getLogger(__name__)

_NOBODY: Final[HeaderList] = []
# In Python 3.11 an Enum's member costs as much as a call.
_ANYONE: Final = Allow.ANYONE
_IDENTIFIED: Final = Decision.ALLOW_IDENTIFIED
_FORWARDED: Final = frozenset({Decision.ALLOW, Decision.ALLOW_IDENTIFIED})


def _block(verdict: Verdict) -> HeaderList:
    """The identity header lines that the application gets."""
    live = verdict.live
    return live.block if live is not None and verdict.decision is _IDENTIFIED else _NOBODY


class _Exchange:
    """The way of one answer to the client: knows whether it has begun, adds our cookies, keeps shared caches out."""

    __slots__ = (
        "_send",
        "_tell_of_head",
        "asked",
        "cookies",
        "may_wait",
        "now",
        "private",
        "status",
        "uncached",
    )

    def __init__(self, send: Send, tell_of_head: Callable[[int], None]) -> None:
        """`tell_of_head`: told of the bytes of a head with cookies of ours that a server in front may refuse."""
        self._send = send
        self._tell_of_head = tell_of_head
        self.status = 0
        self.asked: HeaderList | None = None  # where the application answers, and so may not touch our cookies
        self.now = 0
        self.private = False
        self.uncached = False
        self.cookies: Sequence[bytes] = ()
        self.may_wait: Sequence[bytes] = ()  # those of `cookies` that a later response can bring

    def send(self, message: Message) -> Awaitable[None]:
        """Not a coroutine of its own: most messages of an answer pass through unchanged."""
        return self._send(message if self.status else self._begun(message))

    def _begun(self, message: Message) -> Message:
        """The message with our lines in it. A new one: an application may send the same one to everybody."""
        kind = message["type"]
        if kind == "websocket.close":
            self.status = 403
        if kind == INTERIM:
            return {**message, "headers": application_headers(message.get("headers", ()), None, self.now)}
        if kind not in _STARTS:
            return message
        self.status = message.get("status", 101)
        headers, cookies = message.get("headers", ()), self.cookies
        if self.uncached:
            headers = uncached_headers(headers)
        elif self.asked is not None:
            headers = application_headers(headers, self.asked if self.private or cookies else None, self.now)
        if cookies:  # our own responses say `no-store` themselves
            lines = [*headers]
            headers = lines + self._fitting(cookies, head_size(lines))
        return {**message, "headers": headers}

    def _fitting(self, cookies: Sequence[bytes], taken: int) -> HeaderList:
        """Their lines; without those that may wait, where a head would be larger than servers in front expect."""
        whole = taken + size(cookies)
        if whole > HEAD_BYTES and self.may_wait:
            cookies = [value for value in cookies if value not in self.may_wait]
        elif whole > HEAD_BYTES:
            self._tell_of_head(whole)
        return [(b"set-cookie", value) for value in cookies]


_LARGE_HEAD: Final = (
    "a response with a cookie of ours has a head of %d bytes; a server in front with a buffer of 4 KiB, such as nginx"
    " with its defaults, answers 502 to it: see docs/operations.md, In front of it. This is said once"
)
_HANDSHAKE: Final = "GET"  # a WebSocket's (RFC 6455 §4.1)
_KINDS: Final = frozenset({"http", "websocket"})
_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})


def _level(error: GatewayError) -> int:
    """A client's mistake is not worth a line; what went wrong with an upstream, the proxy has said already."""
    return logging.DEBUG if error.status < 500 or isinstance(error, UpstreamError) else logging.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the middleware works with. `own` maps the gateway's exact paths to their handlers: such a request goes no
    further (A8). `own_lines` are header lines of every response that is the gateway's own. `front` tells an application
    in this process what the browser used; `trusted` are the servers in front. `clock` counts seconds since the epoch.
    `observe` is told of every request when it is over."""

    guard: Guard
    flow: AuthFlow
    sessions: Sessions
    forwarding: Forwarding
    refusals: Refusals
    own: Mapping[str, Handler]
    clock: Callable[[], float]
    observe: Observe
    new_id: Callable[[], bytes]
    own_lines: HeaderList
    trusted: TrustedPeers
    front: Front | None = None


class Middleware:
    """Pure ASGI: the gateway round `app`."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._guard = parts.guard
        self._flow = parts.flow
        self._sessions = parts.sessions
        self._forwarding = parts.forwarding
        self._refusals = parts.refusals
        self._own = parts.own
        self._clock = parts.clock
        self._observe = parts.observe
        self._new_id = parts.new_id
        self._own_lines = parts.own_lines
        self._front = parts.front
        self._trusted = parts.trusted
        self._told_of_heads = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in _KINDS:
            await self._other(scope, receive, send)
            return
        started = perf_counter()
        exchange = _Exchange(send, self._tell_of_head)
        request_id = self._new_id()
        is_http = kind == "http"
        method = scope["method"] if is_http else "WEBSOCKET"
        rule = decision = ""
        try:
            if scope["path"] in self._own:
                decision = "own"
                response = await self._own_answer({**scope, REQUEST_ID: request_id}, receive)
                await self._stamped(response, request_id)(scope, receive, exchange.send)
            else:
                now = int(self._clock())
                plain, other = self._forwarding.split(scope["headers"])
                raw_path = scope.get("raw_path") or scope["path"].encode()
                asked = (
                    method if is_http else _HANDSHAKE,
                    raw_path,
                    other,
                    now,
                    mounted_path(scope["path"], scope["root_path"]) if scope.get("root_path") else None,
                )
                verdict = self._guard.glance(*asked) or await self._judged(request_id, asked)
                decision, rule = verdict.decision, verdict.requirement.rule
                exchange.cookies = verdict.set_cookies
                if decision in _FORWARDED:
                    lines = self._forwarding.request_headers(plain, other, scope.get("client"), _block(verdict))
                    lines.append((b"x-request-id", request_id))
                    self._expect(exchange, verdict, scope, now)
                    # A new list in a copied scope: servers that merge trailers into the live one never reach the
                    # application (A5).
                    inside = self._front.translated(scope, lines) if self._front else {**scope, "headers": lines}
                    await self._app(inside, receive, exchange.send)
                else:
                    response = await self._answer(verdict, {**scope, REQUEST_ID: request_id}, now)
                    await self._stamped(response, request_id)(scope, receive, exchange.send)
        except GatewayError as error:
            _log.log(_level(error), "%s %s: %s", request_id.decode(), type(error).__name__, error)
            if exchange.status:
                raise  # the answer has begun: only a broken connection can say that it is not whole
            response = self._stamped(self._refusals.error(error, scope), request_id)
            await response(scope, receive, exchange.send)
        finally:
            self._observe(request_id, method, rule, decision, exchange.status, perf_counter() - started)

    def _stamped(self, response: Response, request_id: bytes) -> Response:
        response = stamped(response, request_id, self._own_lines)
        head = head_size(response.raw_headers)
        if head > HEAD_BYTES:
            self._tell_of_head(head)
        return response

    async def _judged(self, request_id: bytes, asked: tuple[str, bytes, HeaderList, int, bytes | None]) -> Verdict:
        """The verdict where a glance is not enough: what has to be said of a refresh has the request's id."""
        CURRENT_REQUEST.set(request_id.decode())
        return await self._guard.judge(*asked)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lifespan, and whatever else ASGI may bring."""
        await self._app(scope, receive, send)

    async def _own_answer(self, scope: Scope, receive: Receive) -> Response:
        CURRENT_REQUEST.set(scope[REQUEST_ID].decode())
        if scope["type"] == "websocket":
            return self._refusals.no_websocket()
        return await self._own[scope["path"]](scope, receive, int(self._clock()))

    def _expect(self, exchange: _Exchange, verdict: Verdict, scope: Scope, now: int) -> None:
        """Tell `exchange` what the application's answer must be."""
        exchange.asked, exchange.now = scope["headers"], now
        exchange.uncached = verdict.requirement.uncached
        if verdict.set_cookies and self._may_wait(verdict, scope, now):
            exchange.may_wait = verdict.set_cookies
        live = verdict.live
        if live is not None and verdict.requirement.allow is not _ANYONE:
            exchange.private = True
            touched = self._sessions.touch(live, now)
            if touched is not None:
                exchange.cookies = [*exchange.cookies, touched]

    def _may_wait(self, verdict: Verdict, scope: Scope, now: int) -> bool:
        """Whether a refreshed session may come with a later response: there is a server in front, whose buffer an
        application's large head would exceed, and the next request will be given the same cookies."""
        peer = scope["client"][0] if scope.get("client") else None
        return verdict.live is not None and self._trusted.trusts(peer) and self._sessions.comes_again(verdict.live, now)

    def _tell_of_head(self, excess: int) -> None:
        if not self._told_of_heads:
            self._told_of_heads = True
            _log.warning(_LARGE_HEAD, excess)

    async def _answer(self, verdict: Verdict, scope: Scope, now: int) -> Response:
        if verdict.decision is Decision.SIGN_IN:
            return await self._refusals.sign_in(scope, self._flow, now, bad_token=verdict.bad_token)
        if verdict.decision is Decision.UNAVAILABLE:
            return self._refusals.unavailable(scope)
        return self._refusals.forbidden(scope, signed_in=verdict.live is not None)
