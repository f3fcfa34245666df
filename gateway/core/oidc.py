"""Build what a browser carries to the provider, and read what it carries back."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from gateway.errors import BadData

LogoutStyle = Literal["cognito", "oidc", "none"]

RESERVED_PARAMETERS = frozenset(
    {
        "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
        "code_challenge", "code_challenge_method",
        # Each of these would bring the ones above in by another door (OpenID Connect Core §6, §5.5).
        "request", "request_uri", "claims", "id_token_hint", "registration",
    }
)  # fmt: skip
"""Authorize parameters that nobody but the gateway sets."""

# Cognito's codes are UUIDs, Microsoft's and Google's reach 2 KB; our `state` is under 1 KB.
MAX_QUERY = 16384
MAX_VALUE = 4096
MAX_FIELDS = 32
MAX_SHOWN = 300


class Problem(Enum):
    """Why a provider sent the browser back without a code, as far as a reader of the page is concerned."""

    DENIED = "denied"
    SIGN_IN_NEEDED = "sign-in needed"
    MISCONFIGURED = "misconfigured"
    UNAVAILABLE = "unavailable"
    OTHER = "other"


_PROBLEMS = {
    "access_denied": Problem.DENIED,
    "login_required": Problem.SIGN_IN_NEEDED,
    "interaction_required": Problem.SIGN_IN_NEEDED,
    "consent_required": Problem.SIGN_IN_NEEDED,
    "account_selection_required": Problem.SIGN_IN_NEEDED,
    "invalid_scope": Problem.MISCONFIGURED,
    "unauthorized_client": Problem.MISCONFIGURED,
    "unsupported_response_type": Problem.MISCONFIGURED,
    "server_error": Problem.UNAVAILABLE,
    "temporarily_unavailable": Problem.UNAVAILABLE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackCode:
    """The provider's yes: a code to redeem."""

    code: str
    state: str

    def __repr__(self) -> str:
        return "CallbackCode(…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackError:
    """The provider's no. `error` and `description` are its words, printable and short, and must be escaped on a page.

    `state` is None where the provider sent none: Cognito does not promise it for every error.
    """

    error: str
    description: str
    state: str | None

    @property
    def problem(self) -> Problem:
        """What kind of no it is."""
        # Cognito says `error=invalid_request&error_description=invalid_scope` for a scope the client may not ask for.
        if self.description == "invalid_scope":
            return Problem.MISCONFIGURED
        return _PROBLEMS.get(self.error, Problem.OTHER)


def pkce_challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636 §4.2): 43 characters."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode()


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """`url` with `parameters` in its query. Its own query stays (RFC 6749 §3.1), but for names in `parameters`."""
    parts = urlsplit(url)
    own = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in parameters]
    # `%20` and never `+`: not every provider reads a query as a form.
    return urlunsplit(parts._replace(query=urlencode([*own, *parameters.items()], quote_via=quote), fragment=""))


def authorize_url(endpoint: str, ours: Mapping[str, str], *more: Mapping[str, str]) -> str:
    """The address that starts a sign-in. Of `more`, an earlier mapping wins over a later one, and `ours` over all.

    Names in RESERVED_PARAMETERS are taken from `ours` alone (mod_auth_openidc let `?redirect_uri=` in until 2026-08).
    """
    merged: dict[str, str] = {}
    for mapping in reversed(more):
        merged.update((name, value) for name, value in mapping.items() if name not in RESERVED_PARAMETERS)
    return with_query(endpoint, {**merged, **ours})


def sign_out_url(
    style: LogoutStyle, endpoint: str | None, *, client_id: str, return_uri: str, id_token: str | None = None
) -> str | None:
    """The address that ends the provider's own session, then leads to `return_uri`; None where there is none.

    "cognito" knows `logout_uri` only, and nothing of OpenID Connect RP-Initiated Logout. `id_token` is for providers
    that insist on a hint: it puts a token into an address, so nothing sends it unasked.
    """
    if style == "none" or endpoint is None:
        return None
    if style == "cognito":
        return with_query(endpoint, {"client_id": client_id, "logout_uri": return_uri})
    hint = {"id_token_hint": id_token} if id_token else {}
    return with_query(endpoint, {"client_id": client_id, "post_logout_redirect_uri": return_uri, **hint})


def read_callback(query: bytes, issuer: str) -> CallbackCode | CallbackError:
    """What the callback's query string says.

    A parameter of the protocol that is repeated, a code without `state`, a code together with an error, another
    issuer's answer (RFC 9207 §2.4): BadData.
    """
    fields = _fields(query)
    state, code, error = _one(fields, "state"), _one(fields, "code"), _one(fields, "error")
    if _one(fields, "iss") not in (None, issuer):
        raise BadData("callback: the answer of another issuer")
    if error is not None and code is None:
        description = _one(fields, "error_description") or ""
        return CallbackError(error=_shown(error)[:64], description=_shown(description), state=state)
    if error is not None or code is None or state is None:
        raise BadData("callback: needs one code and one state, or one error")
    return CallbackCode(code=code, state=state)


def _fields(query: bytes) -> list[tuple[str, str]]:
    if len(query) > MAX_QUERY:
        raise BadData("callback: query too long")
    try:
        text = query.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise BadData("callback: query is not a form in UTF-8") from error


def _one(fields: Iterable[tuple[str, str]], name: str) -> str | None:
    """The value of a parameter: at most one (RFC 6749 §3.1), not empty, printable; None when it is not there."""
    values = [value for key, value in fields if key == name]
    if not values:
        return None
    # Lambda triggers put whole sentences, line breaks too, into a description: it is cleaned, not refused.
    usable = name == "error_description" or (values[0] and values[0].isprintable())
    if len(values) > 1 or len(values[0]) > MAX_VALUE or not usable:
        raise BadData(f"callback: {name} is repeated, empty, too long or not printable")
    return values[0]


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text[:MAX_SHOWN]).strip()
