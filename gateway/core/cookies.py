"""Write, split, join and expire cookies."""

from collections.abc import Collection, Iterable, Iterator, KeysView, Sequence
from dataclasses import dataclass
from string import ascii_letters, digits

MAX_PAIR = 4096
"""Name and value together: above this browsers drop the whole cookie (RFC 6265bis §5.6)."""

MAX_PARTS = 6
"""24 KiB of session: with other cookies beside it, about what a 32 KiB request header can still carry."""

MAX_CANDIDATES = 4
"""Cookies of one name that are read: a browser sends more than one only when paths or domains overlap."""

MAX_COOKIES = 1024
"""Cookies of one request that are read, over all its lines: browsers keep at most 180 of a site."""

_TOKEN = frozenset(ascii_letters + digits + "!#$%&'*+-.^_`|~")  # RFC 9110 §5.6.2
_VALUE = frozenset(chr(code) for code in range(0x21, 0x7F)) - frozenset('",;\\')  # RFC 6265 §4.1.1
_ATTRIBUTE = frozenset(chr(code) for code in range(0x21, 0x7F)) - frozenset(";")


@dataclass(frozen=True, slots=True)
class CookieSpec:
    """A cookie's name and attributes; HttpOnly always. Raises ValueError for one that a browser would refuse."""

    name: str
    path: str = "/"
    domain: str | None = None
    secure: bool = True
    same_site: str = "Lax"

    def __post_init__(self) -> None:
        problem = next((text for wrong, text in self._problems() if wrong), None)
        if problem is not None:
            raise ValueError(f"cookie {self.name!r}: {problem}")

    def _problems(self) -> Iterator[tuple[bool, str]]:
        yield not self.name or not _TOKEN.issuperset(self.name), "its name must be a token (RFC 9110 §5.6.2)"
        yield not self.path.startswith("/") or not _ATTRIBUTE.issuperset(self.path), "its path must be a plain path"
        yield not _ATTRIBUTE.issuperset(self.domain or ""), "its domain must be a host name"
        yield self.same_site not in ("Strict", "Lax", "None"), "SameSite is Strict, Lax or None"
        yield self.same_site == "None" and not self.secure, "SameSite=None needs Secure"
        # RFC 6265bis §4.1.3
        yield self.name.startswith(("__Host-", "__Secure-")) and not self.secure, "its prefix needs Secure"
        is_host = self.name.startswith("__Host-")
        yield is_host and (self.path != "/" or self.domain is not None), "__Host- needs Path=/ and no domain"


def write(spec: CookieSpec, value: str, max_age: int | None) -> bytes:
    """The value of a Set-Cookie line. `max_age` in seconds; None lasts until the browser closes.

    Raises ValueError for a value that no cookie can carry unchanged.
    """
    return _line(spec, spec.name, value, max_age)


def expire(spec: CookieSpec) -> bytes:
    """The Set-Cookie value that removes the cookie: same Path and Domain; Secure, for prefixes ask for it (C10)."""
    return _expire(spec, spec.name)


def split(spec: CookieSpec, value: str, max_age: int | None, present: Collection[str]) -> list[bytes]:
    """Set-Cookie values for a value of any size: one cookie if it fits, else numbered parts.

    The names among `present` that would leave a stale part beside it are expired. Raises ValueError for a value that
    needs more than MAX_PARTS parts: nothing that was counted by somebody else makes us write cookies (C7).
    """
    names = part_names(spec.name, len(value))
    stale = [name for name in _family(spec.name) if name in present and name not in names]
    expired = [_expire(spec, name) for name in stale]
    if len(names) == 1:
        return [write(spec, value, max_age), *expired]
    pieces = _pieces(spec.name, value, len(names))
    return [*(_line(spec, name, piece, max_age) for name, piece in zip(names, pieces, strict=True)), *expired]


def part_names(name: str, size: int) -> list[str]:
    """The names under which `split` writes a value of `size` characters. Raises ValueError when they are too many."""
    if len(name) + size <= MAX_PAIR:
        return [name]
    count = -(-size // _room(name))
    if count > MAX_PARTS:
        raise ValueError("the value is too large for cookies")
    return [f"{name}.{number}" for number in range(1, count + 1)]


class RequestCookies:
    """The cookies of one request, read from its Cookie header lines once and only when somebody asks.

    A cookie is what stands between semicolons, and nothing else: a name inside another cookie's value is none
    (RFC 6265 §5.4). What has no `=` is no cookie either. Never raises, whatever the lines hold (C8).
    """

    __slots__ = ("_found", "lines")

    def __init__(self, lines: Sequence[bytes]) -> None:
        self.lines = lines
        self._found: dict[str, list[str]] | None = None

    def __bool__(self) -> bool:
        return bool(self.lines)

    def names(self) -> KeysView[str]:
        """Every name, once, in order."""
        return self._read().keys()

    def values(self, name: str) -> list[str]:
        """The first MAX_CANDIDATES values of that name, in order."""
        return self._read().get(name, [])

    def family(self, name: str) -> list[str]:
        """The names that `split` may have written for this name."""
        present = self.names()
        return [member for member in _family(name) if member in present]

    def join(self, name: str) -> list[str]:
        """What `split` may have written, in order of trust: whole values, then the joined parts.

        A part that is missing, surplus or another session's cannot make a value: the first one tells their number, and
        what is joined must still open as one sealed value.
        """
        whole = self.values(name)
        count, dot, start = self._first(f"{name}.1").partition(".")
        if not dot or count not in _COUNTS:
            return whole
        parts = [f"{name}.{number}" for number in range(2, int(count) + 1)]
        complete = all(part in self.names() for part in parts)
        return [*whole, start + "".join(map(self._first, parts))] if complete else whole

    def _first(self, name: str) -> str:
        return next(iter(self.values(name)), "")

    def _read(self) -> dict[str, list[str]]:
        if self._found is None:
            self._found = _parsed(self.lines)
        return self._found


def _parsed(lines: Iterable[bytes]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    left = MAX_COOKIES
    for line in lines:
        pieces = line.decode("latin-1").split(";", left)[:left]
        left -= len(pieces)
        for piece in pieces:
            name, equals, value = piece.partition("=")
            if not equals:
                continue
            values = found.setdefault(name.strip(_BLANK), [])
            if len(values) < MAX_CANDIDATES:
                values.append(value.strip(_BLANK))
    return found


_COUNTS = frozenset(str(count) for count in range(2, MAX_PARTS + 1))
_BLANK = " \t"
_EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"


def _family(name: str) -> list[str]:
    return [name, *(f"{name}.{number}" for number in range(1, MAX_PARTS + 1))]


def _room(name: str) -> int:
    """Characters of the value that each part carries: a part's name has two more, the first one's value begins `N.`."""
    return MAX_PAIR - len(name) - 4


def _pieces(name: str, value: str, count: int) -> list[str]:
    room = _room(name)
    pieces = [value[at : at + room] for at in range(0, len(value), room)]
    return [f"{count}.{pieces[0]}", *pieces[1:]]


def _expire(spec: CookieSpec, name: str) -> bytes:
    return _line(spec, name, "", 0)


def _line(spec: CookieSpec, name: str, value: str, max_age: int | None) -> bytes:
    if not _VALUE.issuperset(value):
        raise ValueError("a cookie value must be cookie-octets (RFC 6265 §4.1.1)")
    line = f"{name}={value}; Path={spec.path}"
    if spec.domain is not None:
        line += f"; Domain={spec.domain}"
    if max_age is not None:
        line += f"; Max-Age={max_age}"
    if max_age == 0:
        line += f"; Expires={_EPOCH}"
    if spec.secure:
        line += "; Secure"
    return f"{line}; HttpOnly; SameSite={spec.same_site}".encode("latin-1")
