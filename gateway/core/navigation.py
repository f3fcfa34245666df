"""Tell a browser's top-level navigation from every other kind of request.

Only a navigation can follow a redirect to a sign-in page and come back; a script, an image or a frame that is sent
there breaks in ways that nobody understands, and a prefetch starts sign-ins that nobody asked for.
"""

from enum import Enum

from gateway.core.asgi import HeaderList


class Navigation(Enum):
    """What kind of request asks for something that needs sign-in, and so how to answer it."""

    REDIRECT = "redirect"
    """A person goes to a page: 302 to the sign-in."""
    FRAME = "frame"
    """A page inside a page: 401 page whose link opens at the top, since sign-in pages refuse framing."""
    PREFETCH = "prefetch"
    """The browser guesses: 401 that sets and counts nothing."""
    POST_PAGE = "post-page"
    """A form was sent: a page that explains; a 302 would lose what was typed."""
    API = "api"
    """A script, image, socket or program: 401 with `WWW-Authenticate` and JSON."""


_FRAMES = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})
_BY_METHOD = {"GET": Navigation.REDIRECT, "HEAD": Navigation.REDIRECT, "POST": Navigation.POST_PAGE}
_GUESSES = ("prefetch", "prerender")
_HTML = ("text/html", "application/xhtml+xml")


def navigation(method: str, headers: HeaderList) -> Navigation:
    """The kind of this request: by Fetch Metadata where the browser sends it, else by what it accepts."""
    if _is_guess(headers):
        return Navigation.PREFETCH
    mode = _value(headers, b"sec-fetch-mode")
    if mode:
        return _by_metadata(method, mode, _value(headers, b"sec-fetch-dest"))
    if _value(headers, b"x-requested-with") or not prefers_html(_value(headers, b"accept")):
        return Navigation.API
    return _BY_METHOD.get(method, Navigation.API)


def prefers_html(accept: str) -> bool:
    """Whether an Accept header asks for HTML by name, and for JSON less or later.

    `*/*` names nothing: it is what programs send.
    """
    best: dict[bool, float] = {}
    for position, item in enumerate(accept.lower().split(",")):
        media, *parameters = (piece.strip() for piece in item.split(";"))
        if media in _HTML or media.endswith("json"):
            # Equal weights: the earlier one counts for more, by less than any weight can tell (RFC 9110 §12.4.2).
            weight = _weight(parameters) - position * 1e-6
            best[media in _HTML] = max(best.get(media in _HTML, 0.0), weight)
    return best.get(True, 0.0) > best.get(False, 0.0)


def _is_guess(headers: HeaderList) -> bool:
    purposes = (_value(headers, name) for name in (b"sec-purpose", b"purpose", b"x-moz"))
    return any(guess in purpose for purpose in purposes for guess in _GUESSES)


def _by_metadata(method: str, mode: str, destination: str) -> Navigation:
    if mode != "navigate":
        return Navigation.API
    if destination in _FRAMES:
        return Navigation.FRAME
    return _BY_METHOD.get(method, Navigation.API) if destination in {"document", ""} else Navigation.API


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return _number(value)
    return 1.0


def _number(text: str) -> float:
    digits = text.strip().replace(".", "", 1)
    return float(text) if digits.isascii() and digits.isdigit() else 0.0


def _value(headers: HeaderList, name: bytes) -> str:
    """All lines of that name as one text, so that a repeated header equals none of the expected words (A17)."""
    return ",".join(value.decode("latin-1").strip().lower() for found, value in headers if found == name)
