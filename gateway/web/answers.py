"""The gateway's own responses: pages for people, JSON for programs, redirects; none of them may be cached."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from gateway.core.asgi import HeaderList
from gateway.web import pages
from gateway.web.pages import CONTENT_SECURITY_POLICY

_ALWAYS: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_PAGE: Final = {
    **_ALWAYS,
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-frame-options": "DENY",
}
"""What every page of ours carries. A page shown in a frame on purpose drops the last one, see `framed`."""


def html(status: int, body: str, *, headers: Mapping[str, str] | None = None) -> Response:
    """A page."""
    return Response(body, status, {**_PAGE, **(headers or {})}, media_type="text/html")


def framed(status: int, body: str) -> Response:
    """A page that says 'open me at the top': it holds no secret and no form, so any frame may show it."""
    policy = CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")
    return Response(body, status, {**_ALWAYS, "content-security-policy": policy}, media_type="text/html")


def json(status: int, body: Mapping[str, Any]) -> Response:
    """An object for programs."""
    return JSONResponse(body, status, dict(_ALWAYS))


def problem(status: int, error: str, message: str, **more: str) -> Response:
    """A JSON error for programs: `{"error", "message", …}`."""
    return json(status, {"error": error, "message": message, **more})


def redirect(location: str, status: int = 302) -> Response:
    """To an address that we built or checked; it is put into the header as it is, in ASCII."""
    return Response(b"", status, {**_ALWAYS, "location": location})


def plain(status: int, text: str) -> Response:
    """A word for probes."""
    return Response(text, status, dict(_ALWAYS), media_type="text/plain")


def unprompted() -> Response:
    """To a browser that asks for something by itself: nothing begins."""
    response = plain(401, "Sign-in does not begin by itself.\n")
    response.headers["www-authenticate"] = "Bearer"  # RFC 9110 §15.5.2
    return response


def head_size(headers: HeaderList) -> int:
    """Bytes of a response's head with these header lines, and with those that a server adds."""
    return _STATUS_AND_DATE + sum(len(name) + len(value) + 4 for name, value in headers)


_STATUS_AND_DATE: Final = 128


def stamped(response: Response, request_id: bytes, lines: HeaderList) -> Response:
    """The same response with the request's id, in a header and on a page that tells of a failure, and with `lines`."""
    response.raw_headers.extend([(b"x-request-id", request_id), *lines])
    marker = pages.REQUEST_ID_MARK.encode()
    if marker in response.body:
        shown = pages.request_id(request_id.decode()).encode() if response.status_code not in _NO_FAILURE else b""
        response.body = bytes(response.body).replace(marker, shown)
        response.headers["content-length"] = str(len(response.body))
    return response


_NO_FAILURE: Final = frozenset({200, 401})
"""Nothing that anybody has to look for in a log."""


def with_cookies(response: Response, cookies: Iterable[bytes]) -> Response:
    """The same response with `Set-Cookie` lines added."""
    response.raw_headers.extend((b"set-cookie", value) for value in cookies)
    return response
