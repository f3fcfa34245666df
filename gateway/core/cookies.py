"""Write, split, join, expire and strip cookies."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CookieSpec:
    """A cookie's name and attributes; HttpOnly always. Raises ValueError where a browser would refuse it."""

    name: str
    path: str = "/"
    domain: str | None = None
    secure: bool = True
    same_site: str = "Lax"


def write(spec: CookieSpec, value: str, max_age: int | None) -> bytes:
    """The value of a Set-Cookie line. `max_age` in seconds; None lasts until the browser closes."""
    raise NotImplementedError


def expire(spec: CookieSpec) -> bytes:
    """The Set-Cookie value that removes the cookie."""
    raise NotImplementedError


def values(headers: Iterable[bytes], name: str) -> list[str]:
    """Every value of that name in the Cookie header lines, in order. Never raises."""
    raise NotImplementedError


def names(headers: Iterable[bytes]) -> list[str]:
    """Every cookie name in the Cookie header lines, in order. Never raises."""
    raise NotImplementedError


def split(spec: CookieSpec, value: str, max_age: int | None, present: Collection[str]) -> list[bytes]:
    """Set-Cookie values for a value of any size; stale parts among the names `present` are expired."""
    raise NotImplementedError


def join(headers: Iterable[bytes], name: str) -> list[str]:
    """What `split` may have written: whole values, then the joined parts."""
    raise NotImplementedError


def strip(header: bytes, owned: tuple[bytes, ...]) -> bytes:
    """The Cookie header without the cookies whose names begin with one of `owned`; b"" when nothing is left."""
    raise NotImplementedError
