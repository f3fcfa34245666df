"""Say in a response's Cache-Control who may keep it, when it is for one person.

A shared cache must not keep it at all. A browser's own cache may, but what it keeps must not come up again after
sign-out, or for the next user of the browser: a page or data that the application gave no lifetime is asked for anew.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from gateway.core.asgi import HeaderList

_FOR_CACHES = frozenset({b"cache-control", b"expires", b"pragma", b"x-accel-expires", b"edge-control"})
_FOR_SHARED_CACHES = (b"-cache-control", b"surrogate-control")
"""RFC 9213 and its elder, the names of Cloudflare, Akamai, LiteSpeed and others: caches that know them ignore
Cache-Control, as nginx does with X-Accel-Expires."""

_SUBRESOURCES = frozenset(
    b"audio audioworklet font image manifest paintworklet report script serviceworker sharedworker style track video"
    b" webidentity worker xslt".split()
)
"""Values of Sec-Fetch-Dest that can fetch neither a page nor data for a script (Fetch §2.2.5)."""


def is_for_caches(name: bytes) -> bool:
    """Whether the line of this name, in lower case, speaks to caches: all of them, or shared ones alone."""
    return name in _FOR_CACHES or name.endswith(_FOR_SHARED_CACHES)


@lru_cache(64)
def is_page_or_data(content_type: bytes) -> bool:
    """HTML or JSON, whatever their flavour: `application/xhtml+xml`, `application/hal+json`, `application/x-ndjson`."""
    return content_type.partition(b";")[0].strip().lower().endswith((b"html", b"json", b"xhtml+xml"))


def is_navigation(asked: HeaderList) -> bool:
    """Whether a browser's navigation may have asked, by the request's header lines; yes where nobody knows."""
    for name, value in asked:
        if name == b"sec-fetch-mode":
            return value == b"navigate"
    return any(name == b"accept" and b"text/html" in value for name, value in asked)


def is_subresource(asked: HeaderList) -> bool:
    """Whether the browser says that it asks for a picture, a script and the like."""
    return any(name == b"sec-fetch-dest" and value in _SUBRESOURCES for name, value in asked)


class Spoken(NamedTuple):
    """What an application says to caches: the values of its Cache-Control, Expires, Pragma and Date lines."""

    cache_control: Sequence[bytes] = ()
    expires: Sequence[bytes] = ()
    pragma: Sequence[bytes] = ()
    date: Sequence[bytes] = ()


class Control(NamedTuple):
    """The Cache-Control value to send. `lives`: the browser may show the response again without asking."""

    value: bytes
    lives: bool


def for_one_person(spoken: Spoken, now: int, *, personal: bool) -> Control:
    """What to say of a response that is for one person, to caches of every kind. `personal`: it is a page or data.

    `public` and `s-maxage` let a shared cache keep it (RFC 9111 §5.2.2), as may no Cache-Control at all (§4.2.2).
    Expires becomes `max-age`: a cache that knows no Cache-Control (HTTP/1.0) would keep the response for everybody.
    """
    pieces = [piece.strip() for line in spoken.cache_control for piece in _DIRECTIVE.findall(line)]
    # A quotation that does not end would swallow what is added behind it.
    directives = [piece for piece in pieces if piece.count(b'"') % 2 == 0]
    lowered = {piece.lower() for piece in directives}
    kept = [piece for piece in directives if piece and not piece.lower().startswith(_NOT_KEPT)]
    is_asked_for = b"no-store" in lowered or b"no-cache" in lowered
    lives = not is_asked_for and any(map(_is_lifetime, lowered))
    if not (is_asked_for or lives):
        lives = bool(spoken.expires)
        kept += _lifetime(spoken, now, personal=personal)
    return Control(b", ".join((b"private", *kept)), lives)


def _is_lifetime(directive: bytes) -> bool:
    # Browsers that cannot read it guess one: `max-age =60` and `max-age="60"` are none to Chromium.
    return directive.startswith(b"max-age=") and directive[8:].isdigit()


_DIRECTIVE = re.compile(rb'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')  # a comma in quotes divides nothing (RFC 9110 §5.6.4)
_NOT_KEPT = (b"public", b"s-maxage", b"private")  # `private="x"` keeps only that line private (RFC 9111 §5.2.2.7)


def _lifetime(spoken: Spoken, now: int, *, personal: bool) -> list[bytes]:
    """The directive that stands for the other lines, or for none of them."""
    if spoken.expires:
        sent = _seconds(spoken.date[0], now) if spoken.date else now
        return [b"max-age=%d" % max(0, _seconds(spoken.expires[0], sent) - sent)]
    asked_for = any(b"no-cache" in line.lower() for line in spoken.pragma)
    return [b"no-cache"] if personal or asked_for else []


def _seconds(date: bytes, otherwise: int) -> int:
    """An HTTP date (RFC 9110 §5.6.7) in seconds since the epoch; what is none is over already (RFC 9111 §5.3)."""
    try:
        when = datetime.strptime(date.decode("latin-1"), "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return otherwise
    return int(when.timestamp())
