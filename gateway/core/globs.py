"""Compile the path patterns of access rules into regular expressions that cannot be made slow.

`*` stands for any characters within one segment, `**` as a whole segment for any number of segments (none included).
Patterns are anchored at both ends (Q2), and `/admin/**` also covers `/admin` and `/admin/`.

A rule is matched against paths that strangers write. Each stretch between two `**` is therefore an atomic group that
takes its first place: for globs the first is as good as any other, and the time stays linear in the path's length.
"""

import re
from collections.abc import Callable, Iterator
from urllib.parse import quote

_ANY_DEPTH = "**"
_END_OF_SEGMENT = r"(?=/|\Z)"
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f?#\\]|/\.{1,2}(?=/|\Z)|//")
# RFC 3986 §3.3: what a path segment holds unencoded, and "%" for patterns that are written encoded.
_UNENCODED = "/%!$&'()*+,;=:@-._~"
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_ESCAPE_OF_ANY = re.compile(rb"%([0-9A-Fa-f]{2})")
_MEANINGFUL = b"/\\.;?#%*\x7f"
"""What divides a path or a pattern, and so is something else unencoded."""


def compile_glob(pattern: str, form: Callable[[str], str] = str) -> re.Pattern[str]:
    """The anchored expression for `pattern`, to be used with `fullmatch`. Raises ValueError with the reason.

    A pattern with letters beyond ASCII, or with escapes, matches a path as written, percent-encoded, and decoded: in
    `/my%20docs` a path may have any letter encoded, or all of them decoded. `form` is applied to each, for paths that
    it was applied to.
    """
    if not pattern.startswith("/"):
        raise ValueError("a path pattern starts with a slash")
    if _FORBIDDEN.search(pattern.replace(" ", "_")):
        raise ValueError("a path pattern has no query, fragment, backslash, empty or dot segment")
    encoded = _ESCAPE.sub(lambda escape: escape[0].upper(), quote(pattern, safe=_UNENCODED))
    forms = dict.fromkeys((form(pattern), form(encoded), form(_decoded(pattern))))
    return re.compile("|".join(_expression(written) for written in forms), re.DOTALL)


def _decoded(pattern: str) -> str:
    """The pattern without escapes of what means the same unencoded (RFC 3986 §6.2.2.2), or has no other spelling."""
    text = _ESCAPE_OF_ANY.sub(_unescaped, pattern.encode())
    return text.decode("utf-8", "surrogateescape")


def _unescaped(escape: re.Match[bytes]) -> bytes:
    byte = bytes.fromhex(escape[1].decode())
    return escape[0].upper() if byte in _MEANINGFUL or byte < b" " else byte


def _expression(pattern: str) -> str:
    stretches = list(_stretches(pattern))
    if len(stretches) == 1:
        return _fixed(stretches[0])
    start, *middle, end = stretches
    anywhere = "".join(f"(?>(?:/[^/]*)*?{_fixed(stretch)}{_END_OF_SEGMENT})" for stretch in middle if stretch)
    # The last stretch must reach the end, so here the first place is not good enough.
    tail = f"(?:/[^/]*)*?{_fixed(end)}" if end else "(?:/.*)?"
    return _fixed(start) + anywhere + tail


def _stretches(pattern: str) -> Iterator[list[str]]:
    """The segments between one `**` and the next."""
    stretch: list[str] = []
    for segment in pattern[1:].split("/"):
        if segment == _ANY_DEPTH:
            yield stretch
            stretch = []
        elif _ANY_DEPTH in segment:
            raise ValueError("`**` stands alone between slashes")
        else:
            stretch.append(segment)
    yield stretch


def _fixed(segments: list[str]) -> str:
    return "".join("/" + _segment(segment) for segment in segments)


def _segment(glob: str) -> str:
    first, *rest = glob.split("*")
    if not rest:
        return re.escape(first)
    *middle, last = rest
    between = "".join(f"(?>[^/]*?{re.escape(piece)})" for piece in middle)
    return re.escape(first) + between + (f"[^/]*{re.escape(last)}{_END_OF_SEGMENT}" if last else "[^/]*+")
