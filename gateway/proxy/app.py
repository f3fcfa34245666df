"""The reverse proxy as an ASGI application: pick the upstream, hand the exchange over."""

import asyncio
from collections.abc import Sequence

from gateway.core.asgi import Receive, Scope, Send
from gateway.proxy.connections import Upstream
from gateway.proxy.http import exchange
from gateway.proxy.options import UpstreamOptions
from gateway.proxy.request import write_request
from gateway.proxy.routes import Routes
from gateway.proxy.websocket import WebSocketUpstream, forward


class ReverseProxy:
    """Forwards the scope that it is given; knows nothing of sessions or rules. One instance for each event loop.

    `__call__` raises UpstreamError (502, 503, 504), BadData (400), RequestTooLarge (413) or NoUpstream (404), each
    with its `status` and `public` sentence, before an answer has begun; once it has, whatever it raises means that
    the answer is incomplete, and the server must close the connection without ending the message.
    """

    def __init__(self, upstreams: Sequence[UpstreamOptions]) -> None:
        """Raises ValueError for an address that cannot be read, OSError for a TLS file that cannot."""
        self.upstreams = tuple(Upstream(options) for options in upstreams)
        self._routes = Routes([(upstream.options, upstream) for upstream in self.upstreams])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._lifespan(receive, send)
            return
        upstream, path = self._routes.find(scope)
        if kind == "http":
            query = scope["query_string"]
            target = path + b"?" + query if query else path
            request = write_request(scope["method"], target, scope["headers"], upstream.host)
            await exchange(request, scope, receive, send, upstream)
        elif kind == "websocket":
            await forward({**scope, "raw_path": path}, receive, send, _tunnelled(upstream))

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


def _tunnelled(upstream: Upstream) -> WebSocketUpstream:
    options = upstream.options
    return WebSocketUpstream(
        connect=upstream.connect,
        host=upstream.host,
        first_byte_seconds=options.timeouts.first_byte,
        idle_seconds=options.timeouts.idle,
        head_bytes=options.max_head,
        allowed_origins=None if options.websocket_origin == "any" else frozenset(),
    )
