"""The gate's table, each second around the boundaries included."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.gate import Decision, SessionFacts, decide, decide_sound, sound_until
from gateway.core.rules import NO_RULE, Allow, Requirement

ANYONE = Requirement(rule="a", allow=Allow.ANYONE)
SIGNED_IN = Requirement(rule="s", allow=Allow.SIGNED_IN)
ADMINS = Requirement(rule="g", allow=Allow.SIGNED_IN, groups=(frozenset({"admins"}),))

NOBODY_HERE = None
LASTING = SessionFacts(groups=frozenset({"users"}), access_expires_at=1000, refresh_at=800)
ADMIN = SessionFacts(groups=frozenset({"admins"}), access_expires_at=1000, refresh_at=800)
FINAL = SessionFacts(groups=frozenset({"users"}), access_expires_at=1000, refresh_at=None)


@pytest.mark.parametrize(
    ("requirement", "session", "now", "expected"),
    [
        (ANYONE, NOBODY_HERE, 0, Decision.ALLOW),
        (ANYONE, LASTING, 799, Decision.ALLOW_IDENTIFIED),
        (ANYONE, LASTING, 800, Decision.ALLOW_IDENTIFIED),
        (ANYONE, LASTING, 999, Decision.ALLOW_IDENTIFIED),
        (ANYONE, LASTING, 1000, Decision.REFRESH),
        (ANYONE, FINAL, 999, Decision.ALLOW_IDENTIFIED),
        (ANYONE, FINAL, 1000, Decision.ALLOW),
        (SIGNED_IN, NOBODY_HERE, 0, Decision.SIGN_IN),
        (SIGNED_IN, LASTING, 799, Decision.ALLOW_IDENTIFIED),
        (SIGNED_IN, LASTING, 800, Decision.REFRESH),
        (SIGNED_IN, LASTING, 1000, Decision.REFRESH),
        (SIGNED_IN, FINAL, 999, Decision.ALLOW_IDENTIFIED),
        (SIGNED_IN, FINAL, 1000, Decision.SIGN_IN),
        (ADMINS, NOBODY_HERE, 0, Decision.SIGN_IN),
        (ADMINS, LASTING, 799, Decision.FORBIDDEN),
        (ADMINS, ADMIN, 799, Decision.ALLOW_IDENTIFIED),
        (ADMINS, LASTING, 800, Decision.REFRESH),
        (ADMINS, ADMIN, 1000, Decision.REFRESH),
        (ADMINS, FINAL, 1000, Decision.SIGN_IN),
        (NO_RULE, NOBODY_HERE, 0, Decision.FORBIDDEN),
        (NO_RULE, ADMIN, 0, Decision.FORBIDDEN),
        (NO_RULE, ADMIN, 800, Decision.FORBIDDEN),
    ],
)
def test_decisions(requirement: Requirement, session: SessionFacts | None, now: int, expected: Decision) -> None:
    """A7, D16: the table, at the seconds where it turns; `exp` itself is too late (RFC 7519 §4.1.4)."""
    assert decide(requirement, session, now) is expected


@pytest.mark.parametrize(
    ("requirement", "session", "now", "grace", "expected"),
    [
        (SIGNED_IN, LASTING, 800, 0, Decision.ALLOW_IDENTIFIED),
        (SIGNED_IN, LASTING, 999, 0, Decision.ALLOW_IDENTIFIED),
        (SIGNED_IN, LASTING, 1000, 0, Decision.UNAVAILABLE),
        (SIGNED_IN, LASTING, 1059, 60, Decision.ALLOW_IDENTIFIED),
        (SIGNED_IN, LASTING, 1060, 60, Decision.UNAVAILABLE),
        (ADMINS, LASTING, 900, 0, Decision.FORBIDDEN),
        (ADMINS, ADMIN, 900, 0, Decision.ALLOW_IDENTIFIED),
        (ADMINS, ADMIN, 1000, 0, Decision.UNAVAILABLE),
        (ANYONE, LASTING, 1000, 0, Decision.ALLOW),
        (ANYONE, LASTING, 1000, 60, Decision.ALLOW_IDENTIFIED),
        (NO_RULE, LASTING, 1000, 0, Decision.FORBIDDEN),
        (SIGNED_IN, FINAL, 1000, 60, Decision.SIGN_IN),
    ],
)
def test_an_outage_is_not_fatal(
    requirement: Requirement, session: SessionFacts, now: int, grace: int, expected: Decision
) -> None:
    """Architecture, Transient is not fatal: served until `exp` plus the grace, then 503; never signed out."""
    assert decide(requirement, session, now, can_refresh=False, outage_grace=grace) is expected


FACTS = st.none() | st.builds(
    SessionFacts,
    groups=st.frozensets(st.sampled_from(["admins", "users"])),
    access_expires_at=st.integers(0, 20),
    refresh_at=st.none() | st.integers(0, 20),
)


@pytest.mark.property
@given(
    st.sampled_from([ANYONE, SIGNED_IN, ADMINS, NO_RULE]), FACTS, st.integers(0, 25), st.booleans(), st.integers(0, 3)
)
def test_nobody_passes_a_requirement_that_he_does_not_meet(
    requirement: Requirement,
    session: SessionFacts | None,
    now: int,
    can_refresh: bool,  # noqa: FBT001
    grace: int,
) -> None:
    """What passes meets the rule; identity is never older than it may be; a failed refresh is not asked for again."""
    decision = decide(requirement, session, now, can_refresh=can_refresh, outage_grace=grace)
    if decision is Decision.ALLOW:
        assert requirement.allow is Allow.ANYONE
    if decision is Decision.ALLOW_IDENTIFIED:
        assert session is not None
        assert requirement.admits(session.groups)
        assert now < session.access_expires_at + (0 if can_refresh else grace)
    if not can_refresh:
        assert decision is not Decision.REFRESH
    if decision is Decision.UNAVAILABLE:
        assert not can_refresh


@pytest.mark.property
@given(
    requirement=st.sampled_from([ANYONE, SIGNED_IN, ADMINS, NO_RULE]),
    groups=st.frozensets(st.sampled_from(["admins", "users", "staff"])),
    access_expires_at=st.integers(0, 40),
    refresh_at=st.none() | st.integers(0, 60),
    now=st.integers(-1, 60),
)
def test_the_short_way_says_what_the_table_says(requirement, groups, access_expires_at, refresh_at, now):
    """Before `sound_until`, `decide_sound` and `decide` never differ; from then on a session is not sound."""
    session = SessionFacts(groups=groups, access_expires_at=access_expires_at, refresh_at=refresh_at)

    if now < sound_until(session):
        assert decide_sound(requirement, groups) is decide(requirement, session, now)
    elif requirement is SIGNED_IN:
        assert decide(requirement, session, now) in (Decision.REFRESH, Decision.SIGN_IN)
