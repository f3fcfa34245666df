"""Serve the pages outside an authorization request: `/logout`, `/error`, static files, and what development has."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.errors import StorageUnavailable
from gateway.pool import cookies, page_data, sso
from gateway.pool.authorize import BackToClient, ErrorPage, missing_parameter
from gateway.pool.desk import Desk
from gateway.pool.forms import Params, read_query
from gateway.pool.mail import DevelopmentMailbox, Mail
from gateway.pool.mismatch import mismatch_facts
from gateway.pool.page_words import REASONS
from gateway.pool.rendering import STATIC
from gateway.pool.signout import read_logout
from gateway.pool.sso import SsoSessions

MAILBOX_PATH = "/_dev/mail"
_HEADING = "An error was encountered with the requested page."


class PlainPages:
    """Pages that anybody may open at any time."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Where the pages are served; start page and mailbox in development only."""
        routes = [
            Route("/logout", self.logout, methods=["GET"]),
            Route("/error", self.error, methods=["GET"]),
            Route("/livez", self.livez, methods=["GET"]),
            Route("/favicon.ico", self.icon, methods=["GET"]),
            Route(f"{STATIC}/{{name}}", self._desk.pages.assets.serve, methods=["GET"]),
        ]
        if self._desk.options.development:
            routes.append(Route("/", self.start, methods=["GET"]))
            if self._desk.backend.mailbox is not None:
                routes.append(Route(MAILBOX_PATH, self.mailbox, methods=["GET"]))
        return routes

    async def logout(self, request: Request) -> Response:
        """End the browser's session, then go where Cognito would. It ends also when the addresses are wrong."""
        params = read_query(request)
        with contextlib.suppress(StorageUnavailable):  # the browser at least is signed out
            await self._end(cookies.every(request, sso.COOKIE))
        target = read_logout(params, self._desk.options.client(params.get("client_id")))
        response: Response
        if isinstance(target, BackToClient):
            response = RedirectResponse(target.location, 302)
        elif isinstance(target, ErrorPage):
            response = self._desk.go(target.address(development=self._desk.options.development))
        else:
            response = self._desk.go(f"/login?{target}")
        self._desk.drop_cookie(response, sso.COOKIE)
        self._desk.drop_cookie(response, page_data.COOKIE)
        return response

    async def _end(self, values: Sequence[str]) -> None:
        if values:
            async with self._desk.backend.storage.transaction() as tx:
                for value in values:
                    await SsoSessions(tx.sso).end(value)

    async def error(self, request: Request) -> Response:
        """Say what is wrong, in our own words: nothing of the query is repeated (H2, R14), except in development."""
        params = read_query(request)
        reason, advice = _reason(params)
        facts = mismatch_facts(params, self._desk.options)
        return self._desk.pages.message(
            "Something is not right", _HEADING, status=400, reason=reason, advice=advice, facts=facts
        )

    async def livez(self, _request: Request) -> Response:
        """200 for as long as the event loop turns."""
        return PlainTextResponse("ok\n")

    async def start(self, _request: Request) -> Response:
        """What somebody who has just started the pool wants to know; all of it is public."""
        options = self._desk.options
        paths = [f"/{options.pool_id}/.well-known/{name}" for name in ("openid-configuration", "jwks.json")]
        return self._desk.pages.render(
            "start.html",
            issuer=options.issuer,
            pool_id=options.pool_id,
            documents=[{"path": path, "address": options.base_url + path} for path in paths],
            mailbox=MAILBOX_PATH if self._desk.backend.mailbox is not None else "",
        )

    async def icon(self, _request: Request) -> Response:
        """What browsers ask for unasked."""
        return RedirectResponse(self._desk.pages.assets.address("icon.svg"), 302)

    async def mailbox(self, request: Request) -> Response:
        """The e-mails of the development mailbox, for whoever names this pool by its own address.

        Another name for the same machine is how a foreign page would read it (DNS rebinding), so the Host must be ours.
        """
        mailbox = self._desk.backend.mailbox
        if not isinstance(mailbox, DevelopmentMailbox) or not self._is_own_host(request):
            return PlainTextResponse("Not found\n", 404)
        mails = [_shown(mail) for mail in mailbox.mails]
        return self._desk.pages.render("mailbox.html", mails=mails, links={"self": MAILBOX_PATH})

    def _is_own_host(self, request: Request) -> bool:
        return request.headers.get("host", "") == urlsplit(self._desk.options.base_url).netloc


def _reason(params: Params) -> tuple[str, str]:
    """The reason line and the advice: of a known code, or the parameter that is missing from the original request."""
    if params.get("error"):
        return REASONS.get(params.get("error"), ("", "Please go back to the application and try again."))
    missing = missing_parameter(params)
    if not missing:
        return "", "Please go back to the application and try again."
    return f"Required String parameter '{missing}' is not present", REASONS["invalid_request"][1]


def _shown(mail: Mail) -> dict[str, Any]:
    at = datetime.fromtimestamp(mail.at, UTC)
    return {
        "to": mail.to,
        "subject": mail.subject,
        "body": mail.body,
        "code": mail.code or "",
        "at_iso": at.isoformat(),
        "at_text": at.strftime("%d %b %Y, %H:%M:%S UTC"),
    }
