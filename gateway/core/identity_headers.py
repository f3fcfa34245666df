"""Say which header names are ours, and render a session's identity into them."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

from gateway.core.asgi import HeaderList

_FOLD = bytes(ord(chr(code).lower()) if chr(code).isalnum() and code < 128 else ord("-") for code in range(256))

_ALWAYS_OWNED = frozenset(
    {
        b"x-forwarded-user",
        b"x-forwarded-email",
        b"x-forwarded-groups",
        b"x-forwarded-preferred-username",
        b"x-forwarded-access-token",
        b"x-forwarded-id-token",
        b"x-auth-groups",
        b"x-auth-request-user",
        b"x-auth-request-email",
        b"x-auth-request-groups",
        b"x-auth-request-preferred-username",
        b"x-auth-request-access-token",
        b"x-amzn-oidc-accesstoken",
        b"x-amzn-oidc-identity",
        b"x-amzn-oidc-data",
    }
)
"""Names that some mode injects: applications believe them, so no client sets them, also when the mode is off (Q11)."""

# Framing, routing and what this gateway rebuilds itself: identity there would break the message or hide the client.
_RESERVED = frozenset(
    b"connection content-length content-type cookie expect forwarded host keep-alive proxy proxy-authenticate"
    b" proxy-authorization proxy-connection set-cookie te trailer transfer-encoding upgrade x-forwarded-for"
    b" x-forwarded-host x-forwarded-port x-forwarded-proto".split()
)
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 §5.6.2
_PLACEHOLDER = re.compile(r"\$\{([^{}$]+)\}")

# Everything printable in ASCII travels as it is, but for "%" itself: so percent-decoding gives back the exact text.
_AS_IS = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_AS_IS_IN_LIST = _AS_IS.replace(",", "")


def fold(name: bytes) -> bytes:
    """The name as the most careless reader sees it: CGI and WSGI take `-` for `_`, some also `.` (A3, A4, O9)."""
    return name.translate(_FOLD)


def owned_names(configured: Iterable[str]) -> frozenset[bytes]:
    """The folded names that no client may set: those that any mode can inject, and the operator's own."""
    return _ALWAYS_OWNED | {fold(name.encode("latin-1")) for name in configured}


@dataclass(frozen=True, slots=True)
class _Template:
    name: bytes
    text: str
    placeholders: tuple[str, ...]

    def fill(self, values: Mapping[str, str]) -> str | None:
        """None when a value is missing: half an identity is worse than none."""
        if any(not values.get(placeholder) for placeholder in self.placeholders):
            return None
        return _PLACEHOLDER.sub(lambda found: values[found[1]], self.text)


class HeaderTemplates:
    """The operator's `headers:`, ready to render.

    `${claim}` stands for a claim of the ID token; `${groups}`, `${access_token}` and `${id_token}` are the session's.
    """

    __slots__ = ("_templates",)

    def __init__(self, templates: Iterable[_Template]) -> None:
        self._templates = tuple(templates)

    @classmethod
    def compile(cls, templates: Mapping[str, str]) -> Self:
        """From header name and text. Raises ValueError that names the header which cannot be used."""
        compiled = [_compile(name, text) for name, text in templates.items()]
        if len({fold(template.name) for template in compiled}) < len(compiled):
            raise ValueError("two headers have names that applications cannot tell apart")
        return cls(compiled)

    @property
    def names(self) -> tuple[str, ...]:
        """The header names, in lower case."""
        return tuple(template.name.decode("ascii") for template in self._templates)

    @property
    def claims(self) -> frozenset[str]:
        """The claims that the texts name, so that a session keeps them."""
        return self._placeholders() - _SPECIAL

    @property
    def needs_access_token(self) -> bool:
        """Whether a session must keep its access token for these headers."""
        return "access_token" in self._placeholders()

    @property
    def needs_id_token(self) -> bool:
        """Whether a session must keep its ID token for these headers."""
        return "id_token" in self._placeholders()

    def render(
        self,
        claims: Mapping[str, Any],
        groups: Iterable[str] = (),
        access_token: str | None = None,
        id_token: str | None = None,
    ) -> HeaderList:
        """The header lines for one identity. A header whose value is missing or empty is left out, never sent empty.

        Values cannot end a header line (A20): what is not printable ASCII is percent-encoded as UTF-8, and so are `%`,
        spaces at either end, and in lists the comma that would divide one entry into two. Lists are joined with `,`.
        """
        values = {name: as_text(value) for name, value in claims.items()}
        values |= {
            "groups": as_text(list(groups)),
            "access_token": as_text(access_token),
            "id_token": as_text(id_token),
        }
        filled = ((template.name, template.fill(values)) for template in self._templates)
        return [(name, value.encode("ascii")) for name, value in filled if value is not None]

    def _placeholders(self) -> frozenset[str]:
        return frozenset(name for template in self._templates for name in template.placeholders)


_SPECIAL = frozenset({"groups", "access_token", "id_token"})


def as_text(value: object) -> str:
    """A claim as a header value; "" for what says nothing."""
    if isinstance(value, (list, tuple)):
        # An empty group name would match an empty entry of somebody's allow-list (#3365).
        return ",".join(entry for entry in (_encoded(_plain(item), _AS_IS_IN_LIST) for item in value) if entry)
    return _encoded(_plain(value), _AS_IS)


def _plain(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _encoded(text: str, as_is: str) -> str:
    # A lone surrogate is legal in JSON (RFC 8259 §8.2) and must not raise here.
    inner = text.strip(" ")
    before, _, after = text.partition(inner) if inner else (text, "", "")
    return "%20" * len(before) + quote(inner, safe=as_is, errors="surrogatepass") + "%20" * len(after)


def _compile(name: str, text: str) -> _Template:
    problem = next((reason for wrong, reason in _problems(name, text) if wrong), None)
    if problem is not None:
        raise ValueError(f"header {name}: {problem}")
    return _Template(name.lower().encode("ascii"), text, tuple(_PLACEHOLDER.findall(text)))


def _problems(name: str, text: str) -> Iterator[tuple[bool, str]]:
    yield not _TOKEN.fullmatch(name), "its name must be a token (RFC 9110 §5.6.2)"
    yield fold(name.encode()) in _RESERVED, "the gateway writes this header itself"
    yield not text.isascii() or not text.isprintable() or text != text.strip(), "its text must be printable ASCII"
    yield "${" in _PLACEHOLDER.sub("", text), "it has a ${ that is not closed"
    yield not _PLACEHOLDER.search(text), "it names no claim, as ${sub} does"
