"""Tell a browser's top-level navigation from every other kind of request.

Only a navigation can follow a redirect to a sign-in page and come back; a script, an image or a frame that is sent
there breaks in ways that nobody understands, and a prefetch starts sign-ins that nobody asked for.
"""

import re
from enum import Enum

from gateway.core.asgi import HeaderList


class Navigation(Enum):
    """What kind of request asks for something that needs sign-in, and so how to respond to it."""

    REDIRECT = "redirect"
    """A person goes to a page: 302 to the sign-in."""
    FRAME = "frame"
    """A page inside a page: 401 page whose link opens at the top, since sign-in pages refuse framing."""
    UNPROMPTED = "unprompted"
    """The browser asks on its own account (a prefetch, a manifest, a service worker's script): 401 that sets and counts
    nothing."""
    POST_PAGE = "post-page"
    """A form was sent: a page that explains; a 302 would lose what was typed."""
    FRAGMENT = "fragment"
    """A script that shows what it gets as HTML (Turbo, htmx, a service worker's own fetch): 401 page with a link."""
    API = "api"
    """A script, image, socket or program: 401 with `WWW-Authenticate` and JSON."""

    @property
    def reads_html(self) -> bool:
        """Whether a refusal should be a page."""
        return self is not Navigation.API


_FRAMES = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})
_PAGES = frozenset({"document", "empty", ""})
"""`empty`: a service worker passed the navigation on, `respondWith(fetch(event.request))`. Only a navigation can have
the mode `navigate` (Fetch §5.4: no script can set it)."""
_BY_METHOD = {"GET": Navigation.REDIRECT, "HEAD": Navigation.REDIRECT, "POST": Navigation.POST_PAGE}
_GUESSES = ("prefetch", "prerender")
_HTML = ("text/html", "application/xhtml+xml")
# Android web views put the name of their app there, in navigations too; a script's library never has a dot in it.
_ANDROID_APP = re.compile(r"[a-z]\w*(?:\.\w+)+", re.ASCII)


def navigation(method: str, headers: HeaderList) -> Navigation:
    """The kind of this request: by Fetch Metadata where the browser sends it, else by what it accepts."""
    if _is_unprompted(headers):
        return Navigation.UNPROMPTED
    mode, destination = _value(headers, b"sec-fetch-mode"), _value(headers, b"sec-fetch-dest")
    if mode == "navigate":
        return _of_page(method, destination)
    html = Navigation.FRAGMENT if _wants_html(headers) and destination in {"empty", ""} else Navigation.API
    if mode or _is_script(headers) or html is Navigation.API:
        return html
    return _BY_METHOD.get(method, html)


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


def _is_unprompted(headers: HeaderList) -> bool:
    purposes = (_value(headers, name) for name in (b"sec-purpose", b"purpose", b"x-moz"))
    if any(guess in purpose for purpose in purposes for guess in _GUESSES):
        return True
    # Service Workers §4.4: the header comes with the script of a worker, also where there is no Fetch Metadata.
    return _value(headers, b"sec-fetch-dest") == "manifest" or _value(headers, b"service-worker") == "script"


def _of_page(method: str, destination: str) -> Navigation:
    if destination in _FRAMES:
        return Navigation.FRAME
    return _BY_METHOD.get(method, Navigation.API) if destination in _PAGES else Navigation.API


def _is_script(headers: HeaderList) -> bool:
    requested_with = _value(headers, b"x-requested-with")
    return bool(requested_with) and not _ANDROID_APP.fullmatch(requested_with)


def _wants_html(headers: HeaderList) -> bool:
    # htmx accepts `*/*`, and puts whatever comes into the page.
    return prefers_html(_value(headers, b"accept")) or _value(headers, b"hx-request") == "true"


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
