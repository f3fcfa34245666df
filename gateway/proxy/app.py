"""The reverse proxy as an ASGI application: pick the upstream, hand the exchange over."""

import asyncio
from collections.abc import Sequence

from gateway.core.asgi import Receive, Scope, Send
from gateway.proxy.connections import Upstream
from gateway.proxy.hops import Hops, forwards_left, with_forwards
from gateway.proxy.http import exchange
from gateway.proxy.options import UpstreamOptions
from gateway.proxy.request import with_query, write_request
from gateway.proxy.routes import Routes
from gateway.proxy.websocket import WebSocketUpstream, forward

_ALLOW = (b"allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")


class ReverseProxy:
    """Forwards the scope that it is given; knows nothing of sessions or rules. One instance for each event loop.

    `__call__` raises UpstreamError (502, 503, 504), BadData (400), RequestTooLarge (413), LoopDetected (508) or
    NoUpstream (404), each with its `status` and `public` sentence, before an answer has begun; once it has, whatever
    it raises means that the answer is incomplete, and the server must close the connection without ending the message.
    """

    def __init__(self, upstreams: Sequence[UpstreamOptions], hops: Hops | None = None) -> None:
        """`hops` marks what is forwarded (None: nothing does).

        Raises ValueError for an address that cannot be read, OSError for a TLS file that cannot.
        """
        self.upstreams = tuple(Upstream(options) for options in upstreams)
        self._hops = hops or Hops()
        self._routes = Routes([(upstream.options, upstream) for upstream in self.upstreams])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(receive, send)
            return
        upstream, path = self._routes.find(scope)
        if kind == "http":
            method, headers = scope["method"], scope["headers"]
            if method == "OPTIONS" and (left := forwards_left(headers)) is not None:
                if left == 0:
                    await _answer_options(send)
                    return
                headers = with_forwards(headers, left - 1)
            target = with_query(path, scope)
            request = write_request(
                method, target, headers, upstream.host, self._hops, scope.get("http_version", "1.1")
            )
            await exchange(request, scope, receive, send, upstream)
        elif kind == "websocket":
            self._hops.check(scope["headers"])
            await forward({**scope, "raw_path": path}, receive, send, _tunnelled(upstream, self._hops))

    async def aclose(self) -> None:
        """Close every connection."""
        await asyncio.gather(*(upstream.aclose() for upstream in self.upstreams))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _answer_options(send: Send) -> None:
    """The request may go no further, and this is the last one to receive it (RFC 9110 §7.6.2)."""
    await send({"type": "http.response.start", "status": 204, "headers": [_ALLOW]})
    await send({"type": "http.response.body", "body": b""})


def _tunnelled(upstream: Upstream, hops: Hops) -> WebSocketUpstream:
    options = upstream.options
    return WebSocketUpstream(
        connect=upstream.connect,
        host=upstream.host,
        trail=hops.lines,
        first_byte_seconds=options.timeouts.first_byte,
        idle_seconds=options.timeouts.idle,
        head_bytes=options.max_head,
        lenient=options.lenient,
        allowed_origins=None if options.websocket_origin == "any" else frozenset(),
    )
