"""Decide what happens to one request: let it pass, sign in, refresh first, or refuse."""

from enum import Enum, StrEnum, auto
from typing import NamedTuple

from gateway.core.rules import Allow, Requirement


class Decision(StrEnum):
    """Everything the gate can answer; the middleware, the forward-auth endpoint and the proxy act on it."""

    ALLOW = "allow"
    """Forward without identity."""
    ALLOW_IDENTIFIED = "allow-identified"
    """Forward with the session's identity headers."""
    SIGN_IN = "sign-in"
    """There is no usable session: `navigation` says in which form to say so."""
    REFRESH = "refresh"
    """Refresh the session first, then decide again."""
    FORBIDDEN = "forbidden"
    """Signing in again would not help (403)."""
    UNAVAILABLE = "unavailable"
    """The provider is down and what the session says is too old: 503 with Retry-After; the session is kept."""


# In Python 3.11 a member costs as much as a call.
_ALLOW_IDENTIFIED, _FORBIDDEN = Decision.ALLOW_IDENTIFIED, Decision.FORBIDDEN


class SessionFacts(NamedTuple):
    """What the gate must know of a session that has neither ended, nor idled out, nor passed its lifetime.

    Times are seconds since the epoch. `refresh_at` None: it has no refresh token.
    """

    groups: frozenset[str]
    access_expires_at: int
    refresh_at: int | None


class Standing(Enum):
    """How far a session can be relied on at this moment."""

    NONE = auto()  # there is none, or its time is over and nothing can renew it
    SOUND = auto()
    DUE = auto()  # still sound, but a refresh is due
    STALE = auto()  # its access token expired; only a refresh can make it sound
    STRANDED = auto()  # stale, and the provider did not answer just now


def decide(
    requirement: Requirement,
    session: SessionFacts | None,
    now: int,
    *,
    can_refresh: bool = True,
    outage_grace: int = 0,
) -> Decision:
    """What to do with a request that needs `requirement`, at second `now`.

    `can_refresh=False` says that a refresh was just tried and failed transiently: REFRESH is then never the answer,
    and the session serves until its access token expires plus `outage_grace` seconds.
    """
    standing = _standing(session, now, can_refresh=can_refresh, outage_grace=outage_grace)
    if standing is Standing.SOUND and session is not None:
        return decide_sound(requirement, session.groups)
    return _TABLE[requirement.allow][standing]


def decide_sound(requirement: Requirement, groups: frozenset[str]) -> Decision:
    """What `decide` says before `sound_until`, whatever the second: the hot path needs no more."""
    return _ALLOW_IDENTIFIED if requirement.admits(groups) else _FORBIDDEN


def sound_until(session: SessionFacts) -> int:
    """The second from which a session is due, stale or over; before it, it is sound."""
    _, access_expires_at, refresh_at = session
    return access_expires_at if refresh_at is None else min(access_expires_at, refresh_at)


# A sound session is `decide_sound`'s. A rule for anyone never waits for a provider while the identity is good. Where
# groups decide, a due refresh comes first, so that a group that was taken away, or given, counts from then on (D16).
_TABLE = {
    Allow.ANYONE: {
        Standing.NONE: Decision.ALLOW,
        Standing.DUE: Decision.ALLOW_IDENTIFIED,
        Standing.STALE: Decision.REFRESH,
        Standing.STRANDED: Decision.ALLOW,
    },
    Allow.SIGNED_IN: {
        Standing.NONE: Decision.SIGN_IN,
        Standing.DUE: Decision.REFRESH,
        Standing.STALE: Decision.REFRESH,
        Standing.STRANDED: Decision.UNAVAILABLE,
    },
    Allow.NOBODY: dict.fromkeys(Standing, Decision.FORBIDDEN),
}


def _standing(session: SessionFacts | None, now: int, *, can_refresh: bool, outage_grace: int) -> Standing:
    if session is None:
        return Standing.NONE
    _, access_expires_at, refresh_at = session
    # RFC 7519 §4.1.4: not accepted on or after the expiration time.
    expired = now >= access_expires_at
    if refresh_at is None:
        return Standing.NONE if expired else Standing.SOUND
    if can_refresh:
        return Standing.STALE if expired else Standing.DUE if now >= refresh_at else Standing.SOUND
    return Standing.STRANDED if now >= access_expires_at + outage_grace else Standing.SOUND
