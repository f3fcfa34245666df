"""Assemble the user pool: an ASGI application of its own, reached over OpenID Connect and by browsers only."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Self

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.core.asgi import Receive, Scope, Send
from gateway.core.transport import strict_transport
from gateway.errors import GatewayError
from gateway.pool import oauth
from gateway.pool.backend import Backend
from gateway.pool.desk import Desk
from gateway.pool.hosted_plain import PlainPages
from gateway.pool.hosted_reset import ResetPages
from gateway.pool.hosted_signin import SignInPages
from gateway.pool.hosted_signup import SignUpPages
from gateway.pool.mail import Mail, Mailer
from gateway.pool.options import PoolOptions
from gateway.pool.rendering import Pages
from gateway.pool.security_headers import SecurityHeaders

_HTTP_WORDS: Final = {
    404: ("Nothing here", "There is no page at this address."),
    405: ("Not this way", "This page cannot be asked for in that way."),
}
_UNSAID: Final = ("Something went wrong", "The page could not be shown. Please go back and try again.")


class Pool:
    """The pool as an ASGI application. `async with pool:` opens it where no server sends lifespan events."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._desk = Desk(backend)
        words = _ErrorPages(self._desk.pages)
        groups = (SignInPages(self._desk), SignUpPages(self._desk), ResetPages(self._desk), PlainPages(self._desk))
        app = Starlette(
            routes=[*oauth.routes(backend), *(route for group in groups for route in group.routes())],
            exception_handlers={
                GatewayError: words.refusal,
                HTTPException: words.http,
                ClientDisconnect: _left,
                Exception: words.fault,
            },
            lifespan=self._lifespan,
        )
        app.router.redirect_slashes = False
        self._app = SecurityHeaders(app, strict_transport(backend.options.base_url, backend.options.hsts))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        await self._app(scope, receive, send)

    async def __aenter__(self) -> Self:
        await self.backend.open()
        await self._desk.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.backend.aclose()

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with self:
            yield


def create_pool(
    options: PoolOptions,
    *,
    clock: Callable[[], float],
    show: Callable[[Mail], None] | None = None,
    mailer: Mailer | None = None,
) -> Pool:
    """The pool of these options. `clock` gives seconds since the epoch; `show` receives each development e-mail."""
    return Pool(Backend(options, clock=clock, show=show, mailer=mailer))


async def _left(_request: Request, _error: Exception) -> Response:
    """The client went in the middle of its form: nobody reads this, and nothing is wrong here."""
    return Response(status_code=400)


class _ErrorPages:
    """Short safe pages for what goes wrong: no traceback, nothing of the request repeated. JSON for programs."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def refusal(self, request: Request, error: Exception) -> Response:
        """An error of ours carries its status and its sentence."""
        assert isinstance(error, GatewayError)
        page = self._pages.message(_UNSAID[0], error.public, status=error.status)
        return oauth.failure(request, error.status) or page

    async def http(self, request: Request, error: Exception) -> Response:
        """Starlette's own: no such page, no such method."""
        assert isinstance(error, HTTPException)
        page = self._pages.message(*_HTTP_WORDS.get(error.status_code, _UNSAID), status=error.status_code)
        response = oauth.failure(request, error.status_code) or page
        response.headers.update(error.headers or {})
        return response

    async def fault(self, request: Request, _error: Exception) -> Response:
        """A fault of ours; the server logs it, since Starlette raises it again."""
        return oauth.failure(request, 500) or self._pages.message(*_UNSAID, status=500)
