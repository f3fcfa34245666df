"""Give every answer of the pool the headers that tell browsers to be careful with it."""

from typing import Final

from gateway.core.asgi import ASGIApp, HeaderList, Message, Receive, Scope, Send

_ALWAYS: Final[HeaderList] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # The query holds `state`, and forms need a true Origin: `no-referrer` would make browsers send `Origin: null`.
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


class SecurityHeaders:
    """Pure ASGI: adds each header, those of `more` too, unless the response has one of that name."""

    def __init__(self, app: ASGIApp, more: HeaderList) -> None:
        self._app = app
        self._headers = [*_ALWAYS, *more]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through; touch the start of HTTP answers only."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                added = [header for header in self._headers if header[0] not in present]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        await self._app(scope, receive, guarded)
