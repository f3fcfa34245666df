"""How the gateway says no: in the form that the one who asks can read."""

from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from gateway.core.asgi import Scope
from gateway.core.navigation import Navigation, navigation
from gateway.core.returnto import ReturnTargets
from gateway.errors import GatewayError, UpstreamBusy
from gateway.web import pages
from gateway.web.answers import framed, html, problem, unprompted
from gateway.web.authflow import AuthFlow, FlowPaths


class Refusals:
    """Builds every refusal: a page for people, JSON for programs."""

    def __init__(self, paths: FlowPaths, *, keep_fragment: bool = False) -> None:
        """`keep_fragment`: a sign-in begins with a page that can read the fragment of the address."""
        self._paths = paths
        self._keep_fragment = keep_fragment
        self._targets = ReturnTargets(paths.public_url)

    async def sign_in(self, scope: Scope, flow: AuthFlow, now: int, *, bad_token: bool) -> Response:
        """For a visitor without a session: only a top-level navigation is redirected."""
        kind = _kind(scope)
        if kind is Navigation.REDIRECT and not bad_token:
            return self._with_fragment(scope) or await flow.begin(scope, requested(scope), now)
        response = self._unauthorized(kind, scope)
        # RFC 9110 §15.5.2: each 401 carries a challenge; RFC 6750 §3.1.
        response.headers["www-authenticate"] = 'Bearer error="invalid_token"' if bad_token else "Bearer"
        return response

    def _with_fragment(self, scope: Scope) -> Response | None:
        """The page that begins a sign-in where fragments are kept; None where there is none, or no room for it."""
        login = self._paths.login_to(requested(scope), by_itself=True)
        if not self._keep_fragment or scope["method"] != "GET" or len(login) > _LONGEST_LOGIN:
            return None
        headers = {"content-security-policy": pages.SCRIPT_POLICY, "www-authenticate": "Bearer"}
        return html(401, pages.with_fragment(login), headers=headers)

    def _unauthorized(self, kind: Navigation, scope: Scope) -> Response:
        if kind is Navigation.UNPROMPTED:
            return unprompted()
        if kind is Navigation.FRAME:
            return framed(401, pages.sign_in_outside_frame(self._paths.login_to(requested(scope))))
        if kind is Navigation.POST_PAGE:
            return html(401, pages.sign_in_needed(self._paths.login_to("/")))
        if kind is Navigation.FRAGMENT:
            return html(401, pages.sign_in_at_top(self._paths.login_to(_page_of(scope))))
        # The login address never returns to an API address: a browser would end on bare JSON.
        login = self._paths.public_url + self._paths.login
        return problem(401, "unauthorized", "Sign-in is required.", login_url=login)

    def forbidden(self, scope: Scope, *, signed_in: bool) -> Response:
        """The rules say no, and signing in again would not change it."""
        if not _kind(scope).reads_html:
            return problem(403, "forbidden", "You have no access to this.")
        return html(403, pages.forbidden("/", self._paths.logout if signed_in else None))

    def unavailable(self, scope: Scope) -> Response:
        """The provider is down, and what the session says is too old to serve."""
        sentence = "The sign-in service cannot confirm your session right now. You are still signed in."
        return _with_retry(self._say(scope, 503, "unavailable", "Please wait a moment", sentence), "5")

    def error(self, error: GatewayError, scope: Scope) -> Response:
        """Something failed before the answer began. Only the error's public sentence is shown."""
        title = "This address cannot be used" if error.status == 400 else "That did not work"
        response = self._say(scope, error.status, _NAMES.get(error.status, "error"), title, error.public)
        if error.status != 503:
            return response
        return _with_retry(response, str(error.retry_after) if isinstance(error, UpstreamBusy) else "5")

    def no_websocket(self) -> Response:
        """For a WebSocket on one of our own addresses: no application may serve it (A8)."""
        return problem(404, "not_found", "There is no WebSocket here.")

    def _say(self, scope: Scope, status: int, name: str, title: str, sentence: str) -> Response:
        if not _kind(scope).reads_html:
            return problem(status, name, sentence)
        if status < 500:
            return html(status, pages.page(title, sentence))
        # What was asked for may start with `//`: a link to it would lead to another host.
        retry = self._targets.safe(requested(scope)) if scope.get("method") in ("GET", "HEAD") else None
        return html(status, pages.unavailable(title, sentence, retry, passes=status in _PASSING))


_LONGEST_LOGIN: Final = 6 * 1024
"""With a fragment at its end it still fits the 8 KiB that servers in front have for a request line."""

_PASSING: Final = frozenset({503, 504})
"""RFC 9110 §15.6.4, §15.6.5: of overload, and of an upstream that is late. Any other 5xx may be a mistake in a file."""

_NAMES: Final = {
    400: "bad_request",
    502: "bad_gateway",
    503: "unavailable",
    504: "gateway_timeout",
}


_PRINTABLE = bytes(range(0x21, 0x7F))


def requested(scope: Scope) -> str:
    """The path and query that were asked for, as they came; bytes that no address may hold are percent-encoded."""
    raw_path = scope.get("raw_path") or scope["path"].encode()
    query = scope.get("query_string", b"")
    return quote(raw_path + b"?" + query if query else raw_path, safe=_PRINTABLE)


def _page_of(scope: Scope) -> str:
    """Where to go after a sign-in that a script's request was refused for: what it asked for, if that is a page."""
    headers = dict(scope["headers"])
    is_part = b"turbo-frame" in headers or (b"hx-request" in headers and headers.get(b"hx-boosted") != b"true")
    return requested(scope) if scope["method"] == "GET" and not is_part else "/"


def _kind(scope: Scope) -> Navigation:
    if scope["type"] == "websocket":
        return Navigation.API
    return navigation(scope["method"], scope["headers"])


def _with_retry(response: Response, seconds: str) -> Response:
    response.headers["retry-after"] = seconds
    return response
