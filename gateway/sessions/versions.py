"""Make a session's first version at sign-in, and its next one at a refresh, purely."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.core.session import (
    FIRST_VERSION,
    Session,
    TokenSet,
    groups_in,
    keep_claims,
    new_session_id,
    subject_of_access_token,
)
from gateway.errors import BadToken
from gateway.sessions.outcomes import FreshTokens
from gateway.sessions.policy import SessionPolicy

REFRESH_AT = 750
REFRESH_SPREAD = 100
"""Thousandths: a refresh is due between 75 % and 85 % of the access token's time. That is early enough to survive a
provider's short outage; and spread, for sessions that began together (at nine o'clock) would come back together."""


def first_version(
    policy: SessionPolicy,
    claims: Mapping[str, Any],
    tokens: TokenSet,
    access_expires_at: int,
    now: int,
    jitter: float,
) -> Session:
    """The session of somebody who has just signed in, under a new id always (C6, Q5).

    `jitter` is between 0 and 1. Raises BadToken when claims and access token are not one subject's (C16).
    """
    _same_subject(claims.get("sub"), tokens)
    return Session(
        id=new_session_id(),
        version=FIRST_VERSION,
        created_at=now,
        expires_at=now + policy.lifetime,
        access_expires_at=access_expires_at,
        refresh_at=refresh_time(tokens, access_expires_at, now, jitter),
        claims=keep_claims(claims, policy.kept_claims),
        groups=groups_in(claims, policy.groups_claim),
        tokens=_kept(policy, tokens),
    )


def next_version(policy: SessionPolicy, session: Session, fresh: FreshTokens, now: int, jitter: float) -> Session:
    """The session after a refresh: same id, same absolute end (Q16), newest claims and groups (D16).

    Raises BadToken when the tokens are another subject's (C16).
    """
    tokens = _merged(session.tokens, fresh.token_set)
    claims = session.claims if fresh.claims is None else fresh.claims
    if claims.get("sub") != session.sub:
        raise BadToken("a refresh brought another subject's claims")
    _same_subject(session.sub, tokens)
    return replace(
        session,
        version=session.version + 1,
        access_expires_at=fresh.access_expires_at,
        refresh_at=refresh_time(tokens, fresh.access_expires_at, now, jitter),
        claims=keep_claims(claims, policy.kept_claims),
        groups=session.groups if fresh.claims is None else groups_in(claims, policy.groups_claim),
        tokens=_kept(policy, tokens),
    )


def refresh_time(tokens: TokenSet, access_expires_at: int, now: int, jitter: float) -> int | None:
    """When a refresh is due; None when there is nothing to refresh with."""
    if tokens.refresh_token is None:
        return None
    left = max(0, access_expires_at - now)
    return now + left * (REFRESH_AT + int(REFRESH_SPREAD * jitter)) // 1000


def _same_subject(sub: object, tokens: TokenSet) -> None:
    stated = subject_of_access_token(tokens.access_token)
    if stated is not None and stated != sub:
        raise BadToken("the access token is another subject's")


def _merged(old: TokenSet, new: TokenSet) -> TokenSet:
    """What a refresh does not bring stays as it was (RFC 6749 §6); an access token it always brings."""
    return TokenSet(
        id_token=new.id_token or old.id_token,
        access_token=new.access_token,
        refresh_token=new.refresh_token or old.refresh_token,
    )


def _kept(policy: SessionPolicy, tokens: TokenSet) -> TokenSet:
    return TokenSet(
        id_token=tokens.id_token if policy.keep_id_token else None,
        access_token=tokens.access_token if policy.keep_access_token else None,
        refresh_token=tokens.refresh_token,
    )
