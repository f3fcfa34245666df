"""The gateway round any ASGI application: act on the guard's verdict, forward or answer."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from starlette.responses import Response

from gateway.core.asgi import ASGIApp, HeaderList, Message, Receive, Scope, Send
from gateway.core.forwarding import Forwarding, without_own_cookies
from gateway.core.gate import Decision
from gateway.core.rules import Allow
from gateway.errors import GatewayError
from gateway.sessions.service import Sessions
from gateway.telemetry.logs import RequestLine
from gateway.web.authflow import AuthFlow
from gateway.web.caching import private_headers
from gateway.web.guard import Guard, Verdict
from gateway.web.refusals import Refusals

Handler = Callable[[Scope, Receive, int], Awaitable[Response]]
"""Answers one of the gateway's own addresses; the last argument is `now`."""

_log = logging.getLogger(__name__)

_NOBODY: Final[HeaderList] = []
_FORWARDED: Final = frozenset({Decision.ALLOW, Decision.ALLOW_IDENTIFIED})


class _Exchange:
    """The way of one answer to the client: knows whether it has begun, adds our cookies, keeps shared caches out."""

    __slots__ = ("_send", "cookies", "foreign", "private", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.private = False
        self.foreign = False  # the application answers, and so may not touch our cookies
        self.cookies: list[bytes] = []

    async def send(self, message: Message) -> None:
        if not self.status:
            self._begin(message)
        await self._send(message)

    def _begin(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.close":
            self.status = 403
        elif kind in _STARTS:
            self.status = message.get("status", 101)
            if self.foreign:
                message["headers"] = without_own_cookies(message.get("headers", ()))
            if self.private or self.cookies:
                headers = private_headers(message.get("headers", ()))
                message["headers"] = [*headers, *((b"set-cookie", value) for value in self.cookies)]


_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the middleware works with. `own` maps the gateway's exact paths to their handlers: such a request goes no
    further (A8). `clock` counts seconds since the epoch. `observe` is told of every request when it is over."""

    guard: Guard
    flow: AuthFlow
    sessions: Sessions
    forwarding: Forwarding
    refusals: Refusals
    own: Mapping[str, Handler]
    clock: Callable[[], float]
    observe: Callable[[RequestLine], None]
    new_id: Callable[[], str]


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        request_id = self._new_id()
        exchange = _Exchange(send)
        rule = decision = ""
        try:
            handler = self._own.get(scope["path"])
            if handler is not None:
                decision = "own"
                is_http = scope["type"] == "http"
                response = (
                    await handler(scope, receive, int(self._clock())) if is_http else self._refusals.no_websocket()
                )
                await response(scope, receive, exchange.send)
            else:
                verdict = await self._judge(scope)
                rule, decision = verdict.requirement.rule, verdict.decision.value
                await self._act(verdict, scope, receive, exchange, request_id)
        except GatewayError as error:
            _log.warning("%s %s: %s", request_id, type(error).__name__, error)
            if exchange.status:
                raise  # the answer has begun: only a broken connection can say that it is not whole
            exchange.foreign = False
            await self._refusals.error(error, scope)(scope, receive, exchange.send)
        finally:
            method = scope["method"] if scope["type"] == "http" else "WEBSOCKET"
            self._observe(RequestLine(request_id, method, rule, decision, exchange.status, perf_counter() - started))

    async def _judge(self, scope: Scope) -> Verdict:
        raw_path = scope.get("raw_path") or scope["path"].encode()
        method = scope.get("method", "GET")  # a WebSocket handshake is a GET (RFC 6455 §4.1)
        return await self._guard.judge(method, raw_path, scope["headers"], int(self._clock()))

    async def _act(
        self, verdict: Verdict, scope: Scope, receive: Receive, exchange: _Exchange, request_id: str
    ) -> None:
        if verdict.decision in _FORWARDED:
            await self._forward(verdict, scope, receive, exchange, request_id)
            return
        response = await self._answer(verdict, scope)
        exchange.cookies = verdict.set_cookies
        await response(scope, receive, exchange.send)

    async def _forward(
        self, verdict: Verdict, scope: Scope, receive: Receive, exchange: _Exchange, request_id: str
    ) -> None:
        identified = verdict.decision is Decision.ALLOW_IDENTIFIED and verdict.live is not None
        block = verdict.live.block if identified and verdict.live is not None else _NOBODY
        # A new list in a copied scope: servers that merge trailers into the live one never reach the application (A5).
        inner = dict(scope)
        inner["headers"] = self._forwarding.request_headers(scope["headers"], scope.get("client"), block)
        inner["headers"].append((b"x-request-id", request_id.encode()))
        exchange.foreign = True
        exchange.cookies = verdict.set_cookies
        if verdict.requirement.allow is not Allow.ANYONE and verdict.live is not None:
            exchange.private = True
            touched = self._sessions.touch(verdict.live, int(self._clock()))
            if touched is not None:
                exchange.cookies = [*exchange.cookies, touched]
        await self._app(inner, receive, exchange.send)

    async def _answer(self, verdict: Verdict, scope: Scope) -> Response:
        if verdict.decision is Decision.SIGN_IN:
            return await self._refusals.sign_in(scope, self._flow, int(self._clock()), bad_token=verdict.bad_token)
        if verdict.decision is Decision.UNAVAILABLE:
            return self._refusals.unavailable(scope)
        return self._refusals.forbidden(scope, signed_in=verdict.live is not None)
