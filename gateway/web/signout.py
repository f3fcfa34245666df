"""Sign-out: end the session here, its refresh token, and the provider's own session."""

import hashlib
from typing import Final

from itsdangerous import BadSignature, Signer
from starlette.responses import Response

from gateway.core.asgi import HeaderList, Receive, Scope
from gateway.core.cookies import RequestCookies
from gateway.core.navigation import Navigation, navigation
from gateway.core.seal import KeyRing
from gateway.provider.client import Provider
from gateway.sessions.service import Sessions
from gateway.web import pages
from gateway.web.answers import html, json, problem, redirect, with_cookies
from gateway.web.authflow import FlowPaths
from gateway.web.binding import FlowCookies
from gateway.web.requests import read_body, request_cookies, same_origin, single

_MAX_FORM: Final = 8 * 1024


class SignOut:
    """The handler of `/oauth2/logout`."""

    def __init__(
        self, *, provider: Provider, sessions: Sessions, ring: KeyRing, cookies: FlowCookies, paths: FlowPaths
    ) -> None:
        self._provider = provider
        self._sessions = sessions
        self._cookies = cookies
        self._paths = paths
        # A form's token may be read, but not changed: itsdangerous signs it, and compares in constant time (C12).
        keys = [ring.derive(key_id, "csrf v1") for key_id in reversed(ring.key_ids())]
        self._csrf = Signer(keys, salt="gateway sign-out form", digest_method=hashlib.sha256)

    async def __call__(self, scope: Scope, receive: Receive, now: int) -> Response:
        """`POST` ends the session; `GET` asks first, since a GET must not change anything (Q7)."""
        cookies = request_cookies(scope["headers"])
        if scope["method"] in ("GET", "HEAD"):
            return html(200, pages.confirm_sign_out(self._paths.logout, self._form_fields(cookies, now), "/"))
        if scope["method"] != "POST":
            return problem(405, "method_not_allowed", "Use POST.")
        if not same_origin(scope["headers"], self._paths.public_url):
            token = single(await read_body(receive, _MAX_FORM), "csrf_token")
            if not self._genuine(token, cookies, now):
                return html(403, pages.sign_out_refused(self._paths.logout))
        return await self._end(scope["headers"], cookies, now)

    async def _end(self, headers: HeaderList, cookies: RequestCookies, now: int) -> Response:
        response = await self._ended(headers, cookies, now)
        if self._paths.public_url.startswith("https:"):  # browsers heed it nowhere else
            response.headers["clear-site-data"] = '"cache"'
        return response

    async def _ended(self, headers: HeaderList, cookies: RequestCookies, now: int) -> Response:
        lines = await self._sessions.end(cookies, now)
        lines += [*self._cookies.unbind(cookies), self._cookies.forget_sign_ins()]
        # Without `id_token_hint`: a token has no place in an address (Q7).
        address = await self._provider.sign_out_url(return_uri=self._paths.public_url + self._paths.signed_out)
        kind = navigation("POST", headers)
        if not kind.reads_html:
            return with_cookies(json(200, {"signed_out": True, "logout_url": address}), lines)
        if address is None:
            return with_cookies(html(200, pages.signed_out(self._paths.login)), lines)
        if kind is Navigation.FRAGMENT:  # a script cannot follow a redirect to another origin
            return with_cookies(html(200, pages.signed_out_here(address)), lines)
        return with_cookies(redirect(address, 303), lines)

    def _form_fields(self, cookies: RequestCookies, now: int) -> dict[str, str]:
        return {"csrf_token": self._csrf.sign(self._session_id(cookies, now)).decode()}

    def _genuine(self, token: str | None, cookies: RequestCookies, now: int) -> bool:
        try:
            return self._csrf.unsign(token or "").decode() == self._session_id(cookies, now)
        except (BadSignature, UnicodeError):
            return False

    def _session_id(self, cookies: RequestCookies, now: int) -> str:
        live = self._sessions.recognise(cookies, now)
        return live.session.id if live else "nobody"
