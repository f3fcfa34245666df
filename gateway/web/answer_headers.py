"""Rewrite the header lines of an application's response: it leaves our cookies alone, and goes to one person alone."""

from collections.abc import Iterable
from functools import lru_cache
from operator import itemgetter
from typing import Final

from gateway.core.asgi import HeaderList
from gateway.core.caching import (
    Control,
    Spoken,
    for_one_person,
    is_for_caches,
    is_navigation,
    is_page_or_data,
    is_subresource,
)
from gateway.core.own_cookies import sets_own

_NAME_OF = itemgetter(0)
_MEMO_ENTRIES: Final = 1024
_MEMO_NAME_BYTES: Final = 64
_MEMO_VALUE_BYTES: Final = 256

_plain: set[bytes] = set()
"""Names, as applications spell them, of lines that touch no cookie and speak to no cache. Learned, up to a bound."""


def application_headers(headers: Iterable[tuple[bytes, bytes]], asked: HeaderList | None, now: int) -> HeaderList:
    """What an application's response may say: a new list.

    `asked`: the request's header lines (names in lower case) when the response is for one person; caches are told then
    (see `core.caching`).
    """
    lines, spoken = [*headers], _NOTHING
    if not _plain.issuperset(map(_NAME_OF, lines)):  # seldom
        lines, spoken = _sorted_out(lines)
    if asked is None:
        lines += spoken
    elif spoken:
        _answer_caches(lines, spoken, asked, now)
    else:
        lines.append(_PRIVATE_NO_CACHE if _is_personal(lines, asked) else _PRIVATE)
    return lines


def uncached_headers(headers: Iterable[tuple[bytes, bytes]]) -> HeaderList:
    """The same for a response that nobody keeps, not even for the back button."""
    return [*_sorted_out(headers)[0], _NO_STORE]


_NOTHING: Final[HeaderList] = []
_PRIVATE = (b"cache-control", b"private")
_PRIVATE_NO_CACHE = (b"cache-control", b"private, no-cache")
_NO_STORE = (b"cache-control", b"no-store")
_VARY = (b"vary", b"Cookie")
_TYPE = frozenset({b"content-type", b"Content-Type"})
_CACHE_CONTROL = frozenset({b"cache-control", b"Cache-Control"})
_HARMLESS = frozenset({b'"cache"', b'"clientHints"', b'"executionContexts"', b'"prefetchCache"', b'"prerenderCache"'})


def _sorted_out(lines: Iterable[tuple[bytes, bytes]]) -> tuple[HeaderList, HeaderList]:
    """The lines that pass, and those that speak to caches; without those that would set or remove a cookie of ours.

    One upstream of several, or whoever can make it write a header line, could else sign a browser in as somebody else,
    or out of every host of the site.
    """
    kept: HeaderList = []
    spoken: HeaderList = []
    for line in lines:
        name, value = line
        if name in _plain:
            kept.append(line)
            continue
        lower = name.lower()
        if lower == b"clear-site-data":
            if cleared := _cleared(value):
                kept.append((name, cleared))
        elif is_for_caches(lower):
            spoken.append(line)
        elif lower != b"set-cookie":
            _learn(name, lower)
            kept.append(line)
        elif not sets_own(value):
            kept.append(line)
    return kept, spoken


def _learn(name: bytes, lower: bytes) -> None:
    is_odd_type = lower == b"content-type" and name not in _TYPE  # `_is_personal` would not find it
    if len(_plain) < _MEMO_ENTRIES and len(name) <= _MEMO_NAME_BYTES and not is_odd_type:
        _plain.add(name)


def _cleared(value: bytes) -> bytes:
    """A Clear-Site-Data value without `"cookies"`, `"storage"`, and what else may come to include them."""
    types = [b'"cache"' if piece == b'"*"' else piece for piece in map(bytes.strip, value.split(b","))]
    return b", ".join(dict.fromkeys(piece for piece in types if piece in _HARMLESS))


def _is_personal(lines: HeaderList, asked: HeaderList) -> bool:
    """Whether a response is a page or data, by its type and by who asked."""
    for name, value in lines:
        if name in _TYPE:
            return is_page_or_data(value) or is_navigation(asked)
    return not is_subresource(asked)  # a 304 has no type


def _answer_caches(lines: HeaderList, spoken: HeaderList, asked: HeaderList, now: int) -> None:
    """Add what is said to caches in place of what the application says to them."""
    personal = _is_personal(lines, asked)
    if len(spoken) == 1 and spoken[0][0] in _CACHE_CONTROL and len(spoken[0][1]) <= _MEMO_VALUE_BYTES:
        control = _usual(spoken[0][1], personal)
    else:
        control = for_one_person(_read([*spoken, *lines]), now, personal=personal)
    lines.append((b"cache-control", control.value))
    if control.lives and is_navigation(asked):
        lines.append(_VARY)


@lru_cache(_MEMO_ENTRIES)
def _usual(cache_control: bytes, personal: bool) -> Control:  # noqa: FBT001 - a cache tells keywords from positions
    return for_one_person(Spoken([cache_control]), 0, personal=personal)


def _read(lines: HeaderList) -> Spoken:
    said: dict[bytes, list[bytes]] = {b"cache-control": [], b"expires": [], b"pragma": [], b"date": []}
    for name, value in lines:
        said.get(name.lower(), []).append(value)
    return Spoken(*said.values())
