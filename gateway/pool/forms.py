"""Read a query string or a posted form into bounded, repeat-aware parameters."""

import unicodedata
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from gateway.errors import BadData

MAX_QUERY_BYTES: Final = 8 * 1024
"""Longest query string that a page takes; the usual limit of front servers (nginx `large_client_header_buffers` 8k)."""
MAX_BODY_BYTES: Final = 32 * 1024
"""Longest posted form: every field of a sign-up at its longest fits several times."""
MAX_FIELDS: Final = 64
"""Most fields in one form or query: the 17 standard attributes, the parameters of an authorize request, and room."""
MAX_VALUE: Final = 4096
"""Longest single value in characters: twice the longest attribute of a user (2,048)."""
_BETWEEN: Final = frozenset({"Zs", "Zl", "Zp", "Pd", "Cf"})
"""Unicode categories of what may stand between the digits of a typed code: spaces, dashes, invisible marks."""
FORM_TYPE: Final = "application/x-www-form-urlencoded"


class BadForm(BadData):
    """A query or form that no page of ours produces."""

    public = "The form could not be read. Please go back and try again."


class FormTooLarge(BadForm):
    """A query or form beyond the limits above."""

    status = 413


class NotAForm(BadForm):
    """A posted body that is not URL-encoded."""

    status = 415


class Params:
    """Names and values as they came. `get` gives the first; `repeated` names what came more than once."""

    __slots__ = ("_first", "pairs", "repeated")

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs: tuple[tuple[str, str], ...] = tuple(pairs)
        self._first: dict[str, str] = {}
        repeated: set[str] = set()
        for name, value in self.pairs:
            if name in self._first:
                repeated.add(name)
            else:
                self._first[name] = value
        self.repeated = frozenset(repeated)

    def get(self, name: str) -> str:
        """The first value of `name`; an absent and an empty parameter mean the same (RFC 6749 §3.1)."""
        return self._first.get(name, "")

    def starting(self, prefix: str) -> dict[str, str]:
        """The fields whose name starts with `prefix`, first values, in order."""
        return {name: value for name, value in self._first.items() if name.startswith(prefix)}


def parse(text: str) -> Params:
    """Decode URL-encoded pairs.

    Raises:
        BadForm: not UTF-8, too many or too long values, or control characters (no field of ours has more than one
            line, and NUL is refused by PostgreSQL).
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise BadForm(f"unreadable form: {type(error).__name__}") from error
    if any(_unfit(name) or _unfit(value) for name, value in pairs):
        raise BadForm("a name or value is too long or has control characters")
    return Params(pairs)


def _unfit(text: str) -> bool:
    return len(text) > MAX_VALUE or any(c < " " or "\x7f" <= c < "\xa0" for c in text)


def read_query(request: Request) -> Params:
    """The request's query string. Raises BadForm."""
    raw = request.scope["query_string"]
    if len(raw) > MAX_QUERY_BYTES:
        raise FormTooLarge(f"query of {len(raw)} bytes")
    return parse(raw.decode("latin-1"))


async def read_form(request: Request) -> Params:
    """The request's posted form. Raises BadForm, whatever Content-Length says."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE:
        raise NotAForm(f"content type {kind[:80]!r}")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise FormTooLarge(f"form beyond {MAX_BODY_BYTES} bytes")
    return parse(body.decode("latin-1"))


def typed_username(form: Params) -> str:
    """The username as typed, without the spaces that a paste brings.

    A name longer than any can be (128, reference §6.9) is cut just beyond that: it stays unknown, and fits a cookie.
    """
    return form.get("username").strip()[:129]


def plain_code(typed: str) -> str:
    """A one-time code as it was sent: a paste or a keyboard brings spaces, dashes, invisible marks and other digits."""
    return "".join(_plain(character) for character in typed)


def _plain(character: str) -> str:
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    return "" if unicodedata.category(character) in _BETWEEN else character
