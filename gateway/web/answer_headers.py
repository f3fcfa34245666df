"""Rewrite the header lines of an answer: no cookie of ours from an application, one person's answer for no other."""

from collections.abc import Iterable
from operator import itemgetter
from typing import Final

from gateway.core.asgi import HeaderList
from gateway.core.forwarding import without_own_cookies

_NAME_OF = itemgetter(0)
_MEMO_ENTRIES: Final = 1024
_MEMO_NAME_BYTES: Final = 64

_plain: set[bytes] = set()
"""Names, as applications spell them, of lines that set no cookie and speak to no cache. Learned, up to a bound."""


def application_headers(headers: Iterable[tuple[bytes, bytes]], *, private: bool) -> HeaderList:
    """What an application's answer may say: a new list. `private`: it is for one person, and shared caches are told."""
    lines = [*headers]
    if _plain.issuperset(map(_NAME_OF, lines)):  # as nearly always
        if private:
            lines.append(_PRIVATE)
        return lines
    lines = without_own_cookies(lines)
    _learn(lines)
    return private_headers(lines) if private else lines


def _learn(lines: HeaderList) -> None:
    for name, _ in lines:
        if name in _plain or len(_plain) >= _MEMO_ENTRIES or len(name) > _MEMO_NAME_BYTES:
            continue
        lower = name.lower()
        if lower not in _REMARKABLE and not lower.endswith(_FOR_SHARED_CACHES):
            _plain.add(name)


def private_headers(headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
    """A response's header lines with `public` and `s-maxage` gone from Cache-Control, and `private` in their place;
    without the lines that only shared caches read.

    RFC 9111 §5.2.2: `public` and `s-maxage` let a shared cache keep an answer to one person's request; so may no
    Cache-Control at all (§3, heuristics). `no-store` and `private` say enough already.
    """
    kept: HeaderList = []
    is_said = False
    for line in headers:
        if line[0] in _plain:
            kept.append(line)
            continue
        name = line[0].lower()
        if name == _NAME:
            kept.append((_NAME, _private(line[1])))
            is_said = True
        elif not name.endswith(_FOR_SHARED_CACHES):
            kept.append(line)
    return kept if is_said else [*kept, _PRIVATE]


_FOR_SHARED_CACHES = (b"cdn-cache-control", b"surrogate-control")
"""RFC 9213 and its elder (also as `Cloudflare-CDN-Cache-Control`): caches that know them ignore Cache-Control."""
_NAME = b"cache-control"
_PRIVATE = (_NAME, b"private")
_REMARKABLE = frozenset({b"set-cookie", _NAME})


def _private(value: bytes) -> bytes:
    directives = [directive.strip() for directive in value.split(b",")]
    lowered = [directive.lower() for directive in directives]
    # `private="x"` is not enough: it keeps only that header line private (RFC 9111 §5.2.2.7).
    if b"public" not in value.lower() and b"s-maxage" not in value.lower():
        return value if b"private" in lowered or b"no-store" in lowered else value + b", private"
    kept = [part for part in directives if part.lower() != b"public" and not part.lower().startswith(b"s-maxage")]
    return b", ".join([b"private", *(part for part in kept if part.lower() != b"private")])
