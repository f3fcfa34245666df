"""A session, its tokens, and their compact bytes form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
    `expires_at` is the absolute end, which no refresh moves. The identity is trusted until `access_expires_at`;
    a refresh is due from `refresh_at` (None: there is no refresh token).
    """

    id: str
    version: int
    created_at: int
    expires_at: int
    access_expires_at: int
    refresh_at: int | None
    claims: Mapping[str, Any] = field(repr=False)
    groups: tuple[str, ...] = ()
    tokens: TokenSet = field(default=TokenSet())


def new_session_id() -> str:
    """128 random bits as 22 characters of base64url."""
    raise NotImplementedError


def pack(session: Session) -> bytes:
    """The session as compact bytes. Raises BadData when it cannot be represented."""
    raise NotImplementedError


def unpack(data: bytes) -> Session:
    """The session that `pack` wrote. Raises BadData on anything else."""
    raise NotImplementedError
