"""The records that the pool keeps beside its users. What a holder presents is stored hashed only.

`credential_version` is the user's at the moment of the record: it holds only while the two are equal, so that a new
password ends whatever an older one began, in the one change that sets it.
"""

from dataclasses import dataclass, field
from typing import Literal

Purpose = Literal["confirm_sign_up", "forgot_password"]


@dataclass(frozen=True, slots=True)
class Identifier:
    """What a user may type to be found, normalised; `value` is unique in the pool whatever its `kind`.

    A `proven` one was verified: it takes the name from a user who only said so at sign-up and never confirmed.
    """

    kind: str
    value: str
    proven: bool = field(default=False, compare=False)


class Taken(Exception):
    """An identifier belongs to another user."""

    def __init__(self, identifier: Identifier) -> None:
        super().__init__(identifier.kind)
        self.identifier = identifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """Events of one subject: how many since when, and until when that matters."""

    count: int
    since: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeCode:
    """A 6-digit code, keyed by purpose and subject: a new one replaces the old. `address`, hashed, is where it went."""

    purpose: Purpose
    subject: str
    digest: bytes = field(repr=False)
    address: bytes = field(repr=False)
    credential_version: int
    tries_left: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one sign-in gave one client. `origin_jti` names the family of its tokens; revocation is for all of them."""

    origin_jti: str
    client_id: str
    sub: str
    scopes: tuple[str, ...]
    auth_time: int
    credential_version: int
    nonce: str | None = None
    resource: str | None = None
    expires_at: int
    revoked_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """A code and what it is bound to (R1)."""

    digest: bytes = field(repr=False)
    origin_jti: str
    client_id: str
    redirect_uri: str
    code_challenge: str | None
    expires_at: int
    spent_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """A refresh token; `rotated_at` is when its successor was given, `usable_until` is the end of its grace."""

    digest: bytes = field(repr=False)
    origin_jti: str
    expires_at: int
    rotated_at: int | None = None
    usable_until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """A step that a sign-in still owes, for `sub` at one client."""

    digest: bytes = field(repr=False)
    sub: str
    client_id: str
    credential_version: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoSession:
    """A browser that is signed in at the pool's pages."""

    digest: bytes = field(repr=False)
    sub: str
    auth_time: int
    credential_version: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    """A private thing of the pool by name: a signing key (PKCS#8 PEM, sealed if the pool has a secret) or raw bytes."""

    name: str
    value: bytes = field(repr=False)
