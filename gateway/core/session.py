"""A session, its tokens, and their compact bytes form."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_bytes
from typing import Any

from gateway.core.emails import is_verified
from gateway.core.packing import pack_parts, unpack_parts
from gateway.core.seal import decode, encode
from gateway.errors import BadData

FIRST_VERSION = 1
ID_BYTES = 16
MAX_INTEGER = 2**53 - 1
"""The largest whole number that every JSON reader keeps (RFC 8259 §6): times far beyond 2038 are fine (C18)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSet:
    """The provider's tokens as texts; absent when the provider gave none, or when nothing here needs it."""

    id_token: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who is signed in, until when, and with which tokens. All times are whole seconds since the epoch.

    `id` never changes while the session lives; `version` is 1 at sign-in and grows by one with each refresh.
    `expires_at` is the absolute end, which no refresh moves (Q16). The identity is trusted until `access_expires_at`;
    a refresh is due from `refresh_at` (None: there is no refresh token). `groups` come from the configured claim.
    """

    id: str
    version: int
    created_at: int
    expires_at: int
    access_expires_at: int
    refresh_at: int | None
    claims: Mapping[str, Any] = field(repr=False)
    groups: tuple[str, ...] = field(default=(), repr=False)
    tokens: TokenSet = field(default=TokenSet())

    @property
    def sub(self) -> str:
        """The subject: whose session this is, as the provider names them."""
        return str(self.claims["sub"])


def new_session_id() -> str:
    """128 random bits from the system (C14) as 22 characters of base64url."""
    return encode(token_bytes(ID_BYTES))


def groups_in(claims: Mapping[str, Any], claim: str) -> tuple[str, ...]:
    """The groups that a claim names: a list's texts, or what a text lists. Whatever else it holds is no group.

    `claim` may be a path, such as Keycloak's `realm_access.roles`. The empty text is no group: it would match a rule
    whose list of groups was written `a,,b` (oauth2-proxy #3365).
    """
    if claim == "email" and not is_verified(claims):
        return ()  # anybody could write themselves into such a group
    found = claim_at(claims, claim)
    listed = _listed(found) if isinstance(found, str) else found if isinstance(found, list) else []
    return tuple(name for name in listed if isinstance(name, str) and name)


def claim_at(claims: Mapping[str, Any], path: str) -> object:
    """The claim of that very name, else what is at the path: each dot may lead into an object. None when nothing is."""
    if path in claims:
        return claims[path]
    for dot in (at for at, char in enumerate(path) if char == "."):
        inner = claims.get(path[:dot])
        if isinstance(inner, dict) and (found := claim_at(inner, path[dot + 1 :])) is not None:
            return found
    return None


def _listed(text: str) -> list[str]:
    """A list that came as a text: Cognito writes a SAML user's groups as `[a, b]`, others as JSON."""
    if not (text.startswith("[") and text.endswith("]")):
        return [text]
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
        if all(isinstance(name, str) for name in found):
            return list(found)
    return text[1:-1].split(", ")


def keep_claims(claims: Mapping[str, Any], kept: frozenset[str] | None) -> dict[str, Any]:
    """Only the claims that something here needs; None keeps all. "sub" always stays."""
    if kept is None:
        return dict(claims)
    return {name: value for name, value in claims.items() if name in kept or name == "sub"}


def pack(session: Session) -> bytes:
    """The session as compact bytes. Raises BadData when `unpack` would not take them back (too large, no JSON)."""
    document = [
        session.id,
        session.version,
        session.created_at,
        session.expires_at,
        session.access_expires_at,
        session.refresh_at,
        list(session.groups),
        dict(session.claims),
    ]
    try:
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        raise BadData("the session is not JSON") from None
    tokens = session.tokens
    _session_of(document, tokens)
    return pack_parts(
        text.encode("utf-8", "surrogatepass"), (tokens.id_token, tokens.access_token, tokens.refresh_token)
    )


def unpack(data: bytes) -> Session:
    """The session that `pack` wrote. Raises BadData on anything else."""
    text, (id_token, access_token, refresh_token) = unpack_parts(data, 3)
    try:
        document = json.loads(text.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise BadData("the session is not JSON") from None
    tokens = TokenSet(id_token=id_token, access_token=access_token, refresh_token=refresh_token)
    return _session_of(document, tokens)


def _session_of(document: object, tokens: TokenSet) -> Session:
    """The one place that says what a session is made of. Raises BadData for anything else."""
    if not isinstance(document, list) or len(document) != 8:
        raise BadData("not a session")
    session_id, version, created_at, expires_at, access_expires_at, refresh_at, groups, claims = document
    whole = [version, created_at, expires_at, access_expires_at, *([] if refresh_at is None else [refresh_at])]
    good = (
        _is_id(session_id)
        and all(type(number) is int and 0 <= number <= MAX_INTEGER for number in whole)
        and version >= FIRST_VERSION
        and isinstance(groups, list)
        and all(isinstance(name, str) and name for name in groups)
        and isinstance(claims, dict)
        and isinstance(claims.get("sub"), str)
        and claims["sub"] != ""
    )
    if not good:
        raise BadData("not a session")
    return Session(
        id=session_id,
        version=version,
        created_at=created_at,
        expires_at=expires_at,
        access_expires_at=access_expires_at,
        refresh_at=refresh_at,
        claims=claims,
        groups=tuple(groups),
        tokens=tokens,
    )


def _is_id(value: object) -> bool:
    try:
        return isinstance(value, str) and len(decode(value)) == ID_BYTES
    except ValueError:
        return False


def subject_of_access_token(token: str | None) -> str | None:
    """The `sub` that a Cognito access token states, unverified: only to notice somebody else's (C16).

    None when there is none to compare: an opaque token, or another provider's, which may name the user otherwise there.
    """
    try:
        claims = json.loads(decode((token or "").split(".")[1]))
    except (IndexError, ValueError, RecursionError):
        return None
    if not isinstance(claims, dict) or claims.get("token_use") != "access":
        return None
    return str(claims.get("sub"))
