"""Say where a browser may be sent after sign-in or sign-out.

A path is never repaired: browsers read addresses in ways of their own (`\\` is `/`, TAB vanishes, `%2e%2e` climbs),
so whatever could be read as another host is replaced by "/". Only the configuration says what is ours; no header of
the request does (B6, B7).
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, unquote

HOME = "/"
"""Where a browser goes when it must not go where it was told."""

MAX_LENGTH = 16 * 1024
"""As long as a request line may be: what a browser could not ask for is no place to return to."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_ANY_PORT = -1
_MAX_DECODINGS = 3

# Everything that a browser strips, ends a header line with, or turns into a slash (WHATWG URL, O3-O5).
_AMBIGUOUS = re.compile(r"[^?#]*[\x00-\x20\x7f\\]|.*[\x00-\x20\x7f]", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# `/./` and `/../`, with dots as they are or encoded; a dot segment at the end moves the place too.
_DOT_SEGMENT = re.compile(r"/(?:\.|%2e){1,2}(?=/|\Z)", re.IGNORECASE)
# The start of what some reader takes for another host, as it is or once decoded (`/%09/evil`, `/%5cevil`,
# `/%2e/%2fevil`). Servlet containers take `;…` out of a segment, and what is left may be empty: `/;x//evil`.
_OTHER_HOST = re.compile(r"/(?:\s*|[./]*)[/\\]|(?:/\.*;[^/\\]*)+[/\\]{2}")
# Another host only for whoever decodes the path before redirecting to it: with our origin in front it cannot be one.
_ENCODED_SLASHES = re.compile(r"/{2,}[^\s./\\;]")
# Without re.ASCII, ignoring case would let the long s and the Kelvin sign pass for "s" and "k".
_LETTERS = re.IGNORECASE | re.ASCII
_ABSOLUTE = re.compile(r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(?=[/?#]|\Z)", _LETTERS)
_HOST_ENTRY = re.compile(r"(\*?\.)?([a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}|\*))?", _LETTERS)


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


class _Hosts(NamedTuple):
    """An allowed host, with http and https alike."""

    host: str
    subdomains: bool
    port: int | None

    def holds(self, origin: _Origin) -> bool:
        # The dot is the boundary: `evil-example.com` does not end in `.example.com` (B9, O6, Q13).
        same = origin.host == self.host or (self.subdomains and origin.host.endswith("." + self.host))
        wanted = _DEFAULT_PORTS[origin.scheme] if self.port is None else self.port
        return same and wanted in {_ANY_PORT, origin.port}


class ReturnTargets:
    """The places that are ours, or that the operator allowed."""

    def __init__(self, public_url: str, allowed: Iterable[str] = ()) -> None:
        """`public_url`: our own origin. `allowed`: other origins (`https://x.example:8443`), or hosts.

        A host stands for http and https on their usual ports: `x.example`; with subdomains: `.x.example` or
        `*.x.example`; on another port, or any: `x.example:8080`, `x.example:*`. Raises ValueError that names the entry
        which cannot be read.
        """
        own = _origin(public_url)
        if own is None:
            raise ValueError(f"public_url {public_url!r} is not an http or https address")
        entries = [_entry(text) for text in allowed]
        self._own = own
        self._own_address = public_url.rstrip("/")
        self._origins = frozenset(entry for entry in entries if isinstance(entry, _Origin))
        self._hosts = tuple(entry for entry in entries if isinstance(entry, _Hosts))

    def safe(self, target: str | None) -> str:
        """A path of our own, or an absolute address of our own or an allowed origin; "/" for anything else. Always
        ASCII."""
        if not target or len(target) > MAX_LENGTH or _AMBIGUOUS.match(target):
            return HOME
        return self._own_path(target) if target.startswith("/") else self._absolute(target)

    def _absolute(self, target: str) -> str:
        match = _ABSOLUTE.match(target)
        origin = _origin(target)
        if match is None or origin is None:
            return HOME
        rest = target[match.end() :]
        if origin == self._own:
            return self._own_path(rest if rest.startswith("/") else "/" + rest)
        if origin in self._origins or any(hosts.holds(origin) for hosts in self._hosts):
            return match[0].lower() + _ascii(rest)
        return HOME

    def _own_path(self, target: str) -> str:
        """The path if every reader finds our own host in it; else with our origin in front, or "/".

        A query that holds an address is a legitimate deep link, and so is a path that holds one (`/proxy/https://x`).
        """
        path = re.split(r"[?#]", target, maxsplit=1)[0]
        if _DOT_SEGMENT.search(path) or path.startswith("//"):
            return HOME
        origin = ""
        for _ in range(_MAX_DECODINGS):
            path = unquote(path, errors="surrogateescape")
            if _CONTROL.search(path):
                return HOME
            if _ENCODED_SLASHES.match(path):
                origin = self._own_address
            elif _OTHER_HOST.match(path):
                return HOME
        return origin + _ascii(target)


def _ascii(text: str) -> str:
    """As a browser would send it: Location is ASCII. A backslash has no meaning in a query or fragment, and is encoded
    for those who believe that it has."""
    return quote(text, safe=_PRINTABLE, errors="surrogatepass")


_PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != "\\")


def _origin(address: str) -> _Origin | None:
    match = _ABSOLUTE.match(address)
    if match is None:
        return None
    scheme = match[1].lower()
    return _Origin(scheme, match[2].lower(), int(match[3]) if match[3] else _DEFAULT_PORTS[scheme])


def _entry(text: str) -> _Origin | _Hosts:
    origin = _origin(text) if _ABSOLUTE.fullmatch(text.removesuffix("/")) else None
    if origin is not None:
        return origin
    match = _HOST_ENTRY.fullmatch(text)
    if match is None:
        raise ValueError(f"allowed return address {text!r} is neither an origin nor a host")
    port = None if match[3] is None else _ANY_PORT if match[3] == "*" else int(match[3])
    return _Hosts(match[2].lower(), match[1] is not None, port)
