"""What every hosted page needs: who asks for what, a safe form, a page, a redirect, a signed-in browser."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.core.trust import TrustedPeers
from gateway.pool import cookies, csrf, page_data, sso
from gateway.pool.authorize import (
    AuthorizeRequest,
    BackToClient,
    ErrorPage,
    code_location,
    read_authorize,
)
from gateway.pool.backend import Backend
from gateway.pool.forms import Params, read_form, read_query
from gateway.pool.page_data import PageData, PageDataSeal, Purpose
from gateway.pool.page_words import username_words
from gateway.pool.records import User
from gateway.pool.rendering import LEAVING_CSP, Pages
from gateway.pool.sso import SsoSessions
from gateway.pool.storage import Transaction
from gateway.pool.stored import StoredKey

OUTDATED: Final = "This page was open for too long, or was not sent from here. Please try again."
_KEY_NAME: Final = "page-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of a page within an authorization request. `query` is the page's own, ready to be put into links."""

    request: Request
    ask: AuthorizeRequest
    query: str
    address: str | None
    """The client's IP address, for limits."""
    now: int

    def here(self, path: str) -> str:
        """The address of another hosted page within the same authorization request."""
        return f"{path}?{self.query}"


Handler = Callable[[Visit], Awaitable[Response]]
Shown = Callable[[Visit, str], Awaitable[Response]]
"""Shows a form, with an error or an empty text."""
Posted = Callable[[Visit, Params], Awaitable[Response]]
"""Takes a form that came from our own page."""


class Desk:
    """Holds the pool's parts for the pages; stateless between requests."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.options = backend.options
        self.words = username_words(backend.options)
        self.pages = Pages(backend.options.name or "User pool")
        self._secure = backend.options.base_url.startswith("https:")
        self._peers = TrustedPeers(backend.options.trusted_proxies)
        self._seal: PageDataSeal | None = None

    async def open(self) -> None:
        """Fetch the key of page data, shared by every process of the pool; once the backend is open."""
        key = StoredKey(name=_KEY_NAME, value=secrets.token_bytes(32))
        self._seal = PageDataSeal(await self.backend.key(key))

    @property
    def seal(self) -> PageDataSeal:
        """Signs page data."""
        if self._seal is None:
            raise RuntimeError("the pool is not open yet")
        return self._seal

    # Entering a page ------------------------------------------------------------------------------------------------

    def enter(self, request: Request) -> Visit | Response:
        """Judge the authorization request in the query, as `/oauth2/authorize` does; a Response ends the visit."""
        params = read_query(request)
        client = self.options.client(params.get("client_id"))
        ask = read_authorize(params, client, self.options.resource_servers)
        if isinstance(ask, ErrorPage):
            return self.go(ask.address(development=self.options.development))
        if isinstance(ask, BackToClient):
            return RedirectResponse(ask.location, 302)
        return Visit(
            request=request,
            ask=ask,
            query=urlencode(params.pairs),
            address=self.address(request),
            now=self.backend.now(),
        )

    def address(self, request: Request) -> str | None:
        """Whom limits per address count: a proxy itself where it does not say for whom it speaks, not nobody."""
        peer = request.client.host if request.client else None
        return self._peers.client_address(peer, request.headers.getlist("x-forwarded-for")) or peer

    def page(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint that is entered with a valid authorization request."""

        async def endpoint(request: Request) -> Response:
            visit = self.enter(request)
            return visit if isinstance(visit, Response) else await handler(visit)

        return endpoint

    def form(self, shown: Shown, posted: Posted) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint that shows a form on GET and takes it on POST, if it came from our own page (R8).

        A form that did not is not acted upon: the page is shown again with a fresh token, and says so.
        """

        async def endpoint(visit: Visit) -> Response:
            if visit.request.method != "POST":
                return await shown(visit, "")
            form = await read_form(visit.request)
            if self.is_ours(visit.request, form):
                return await posted(visit, form)
            response = await shown(visit, OUTDATED)
            response.status_code = 403
            return response

        return self.page(endpoint)

    def is_ours(self, request: Request, form: Params) -> bool:
        """Whether a posted form came from a page of this pool."""
        if csrf.FIELD in form.repeated:
            return False
        submission = csrf.Submission(
            cookie=cookies.only(request, csrf.COOKIE),
            field=form.get(csrf.FIELD),
            host=request.headers.get("host", ""),
            origin=request.headers.get("origin", ""),
            fetch_site=request.headers.get("sec-fetch-site", ""),
        )
        return csrf.is_ours(submission, self.options.base_url)

    # Answering ------------------------------------------------------------------------------------------------------

    def show(self, visit: Visit, path: str, name: str, *, csp: str = LEAVING_CSP, **values: Any) -> Response:
        """One page of a journey, whose form posts to `path`; with its links, its token, the words for the username."""
        cookie = cookies.only(visit.request, csrf.COOKIE)
        token = csrf.token_of(cookie)
        common = {
            "action": visit.here(path),
            "csrf": token,
            "error": "",
            "invalid": "",
            "message": "",
            "links": self._links(visit),
            "username_label": self.words.label,
            "username_word": self.words.word,
            "username_type": self.words.type,
            "username_placeholder": self.words.placeholder,
            "username_autocomplete": self.words.autocomplete,
        }
        response = self.pages.render(name, csp=csp, **(common | values))
        if token != cookie:
            self.set_cookie(response, csrf.COOKIE, token)
        return response

    def _links(self, visit: Visit) -> dict[str, str]:
        links = {"login": "/login", "forgot": "/forgotPassword", "resend": "/resendcode", "signup": "/signup"}
        if not self.options.allow_sign_up:
            links["signup"] = ""
        return {name: path and visit.here(path) for name, path in links.items()}

    def go(self, target: str) -> RedirectResponse:
        """To another hosted page, under the configured address whatever the Host header says (R7)."""
        return RedirectResponse(f"{self.options.base_url}{target}", 302)

    async def finish(self, visit: Visit, user: User) -> Response:
        """The person is known: a new session of the browser, a code, and back to the application.

        To the sign-in page instead if the account changed since: a password that was reset lets nobody in.
        """
        previous = cookies.only(visit.request, sso.COOKIE)
        async with self.backend.storage.transaction() as tx:
            await SsoSessions(tx.sso).end(previous)
            current = await tx.users.get(user.sub)
            if current is None or not current.may_sign_in or current.credential_version != user.credential_version:
                return self.back_to_login(visit, "account-changed")
            value = await SsoSessions(tx.sso).start(user, visit.now)
            response = await self.give_code(tx, visit, user, visit.now)
        self.set_cookie(response, sso.COOKIE, value, max_age=sso.LIFETIME)
        self.drop_cookie(response, page_data.COOKIE)
        return response

    async def give_code(self, tx: Transaction, visit: Visit, user: User, auth_time: int) -> Response:
        """Back to the application with a code."""
        ask = visit.ask
        code = await self.backend.grants.issue_code(
            tx,
            ask.client,
            user,
            redirect_uri=ask.redirect_uri,
            scopes=ask.scopes,
            nonce=ask.nonce or None,
            code_challenge=ask.code_challenge or None,
            auth_time=auth_time,
            now=visit.now,
            resource=ask.resource or None,
        )
        return RedirectResponse(code_location(ask, code), 302)

    # Page data and cookies --------------------------------------------------------------------------------------------

    def continue_at(self, visit: Visit, path: str, data: PageData) -> Response:
        """To the next page of a journey, which finds `data`."""
        response = self.go(visit.here(path))
        self.carry(response, data)
        return response

    def carry(self, response: Response, data: PageData) -> None:
        """Leave `data` for the next page."""
        self.set_cookie(response, page_data.COOKIE, self.seal.write(data), max_age=page_data.LIFETIME)

    def back_to_login(self, visit: Visit, notice: str) -> Response:
        """To the sign-in page, which says `notice` (a key of NOTICES) once."""
        return self.continue_at(visit, "/login", PageData(purpose="notice", at=visit.now, notice=notice))

    def carried(self, visit: Visit, purpose: Purpose, form: Params | None = None) -> PageData | None:
        """What the page before left: in the form if this page was posted, else in the cookie."""
        text = form.get(page_data.FIELD) if form else cookies.only(visit.request, page_data.COOKIE)
        return self.seal.read(text, purpose, visit.now)

    def set_cookie(self, response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
        """HttpOnly; Lax, since applications send browsers here from their own site; Secure on https."""
        response.set_cookie(name, value, max_age=max_age, path="/", secure=self._secure, httponly=True, samesite="lax")

    def drop_cookie(self, response: Response, name: str) -> None:
        """Expire a cookie, with the attributes that it was set with (C10)."""
        response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")
