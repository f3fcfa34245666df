"""The parts of the session service, each alone: cache, ended sessions, newest versions, idle clock, flights."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.cookies import RequestCookies
from gateway.core.session import Session, TokenSet
from gateway.errors import BadToken
from gateway.sessions.ended import EVERY_VERSION, EndedSessions
from gateway.sessions.flights import Flights
from gateway.sessions.idle import IdleClock
from gateway.sessions.live import OVERHEAD, STAMP, Live, LiveCache
from gateway.sessions.newest import GRACE_SECONDS, NewestVersions
from gateway.sessions.outcomes import Refreshed
from gateway.sessions.versions import first_version, next_version, refresh_time
from tests.support.sessions import (
    CLIENT,
    IDLE_COOKIE,
    ISSUER,
    NOW,
    SUB,
    Fresh,
    access_claims,
    cognito_tokens,
    jwt,
    policy,
    ring,
    session,
)


def live(session_id: str = "one", version: int = 1, value: bytes = b"") -> Live:
    tokens = TokenSet(refresh_token="r")
    return Live(session(id=session_id, version=version, tokens=tokens), [(b"a", b"bc")], frozenset(), value)


# --- the cache


def test_the_cache_is_bounded_in_bytes():
    """When the bound is reached, the least recently used leaves; the count of bytes follows."""
    cache = LiveCache(3 * (OVERHEAD + 5))
    for value in (b"1", b"2", b"3"):
        cache.put(live(value=value))
    cache.get(b"1")
    cache.put(live(value=b"4"))
    assert [cache.get(value) is not None for value in (b"1", b"2", b"3", b"4")] == [True, False, True, True]
    assert cache.size == 3 * (OVERHEAD + 5)


@pytest.mark.property
@given(st.lists(st.tuples(st.sampled_from("pg"), st.integers(0, 5), st.integers(STAMP, 9000)), max_size=40))
def test_the_cache_never_exceeds_its_bound(steps):
    """Whatever is put and got, the bytes are those of the entries, and at most the bound."""
    cache = LiveCache(20_000)
    for step, key, size in steps:
        value = str(key).encode() * size
        if step == "p":
            cache.put(live(value=value))
        else:
            cache.get(value)
        assert cache.size == sum(one.cost() for one in cache._entries.values()) <= 20_000


def test_a_cookie_value_is_known_by_all_its_bytes():
    """C5: a value that only begins like a session's, or goes on behind it, is nobody's."""
    cache, value = LiveCache(), b"k" * STAMP + b"sealed"
    cache.put(live(value=value))
    for header in (value, value + b"; a=b"):
        assert cache.at(header, 0) is not None
    for header in (value[:-1], value[:-1] + b"x", value + b"x", value + b" ", value[:STAMP], b"", b"x" + value):
        assert cache.at(header, 0) is None
    assert cache.at(b"cg=" + value, 3) is not None


def test_of_values_that_begin_alike_the_last_stays():
    """Sealed values never do; should others, each takes the place of the one before, and is counted once."""
    cache, one, other = LiveCache(), b"k" * STAMP + b"1", b"k" * STAMP + b"2"
    cache.put(live(value=one))
    cache.put(live(value=other))
    assert (cache.get(one), cache.get(other) is not None, len(cache)) == (None, True, 1)
    assert cache.size == live(value=other).cost()


def test_an_entry_larger_than_the_cache_does_not_stay():
    """A cache that is too small for a session holds nothing, and says so."""
    cache = LiveCache(10)
    cache.put(live(value=b"1"))
    assert (cache.get(b"1"), cache.size, len(cache)) == (None, 0, 0)


def test_a_live_session_prints_no_header_lines():
    """H4: neither identity header lines nor groups nor the cookie's value print."""
    printed = repr(live(value=b"sealed")).replace("'", "")
    assert "bc" not in printed
    assert "sealed" not in printed


# --- ended sessions


def test_a_session_is_over_in_every_version_up_to_the_one_named():
    """A refused refresh ends its version and older; a sign-out ends all, and nothing makes that undone."""
    ended = EndedSessions()
    ended.add("one", 2, NOW + 10, NOW)
    assert [ended.has("one", version) for version in (1, 2, 3)] == [True, True, False]
    ended.add("one", EVERY_VERSION, NOW + 10, NOW)
    ended.add("one", 1, NOW + 10, NOW)
    assert ended.has("one", 999)
    assert not ended.has("two", 1)


def test_ended_sessions_are_forgotten_when_they_would_have_expired():
    """Memory is held until the session's own end, and no longer."""
    ended = EndedSessions()
    ended.add("one", 1, NOW + 10, NOW)
    ended.add("two", 1, NOW + 30, NOW + 9)
    assert ended.has("one", 1)
    ended.add("three", 1, NOW + 30, NOW + 10)
    assert not ended.has("one", 1)
    assert len(ended) == 2
    ended.add("four", 1, NOW, NOW + 99)
    assert len(ended) == 0


def test_ended_sessions_are_bounded():
    """Beyond the bound, those nearest to their end are forgotten first."""
    ended = EndedSessions(limit=2)
    for name, expires_at in (("late", 30), ("soon", 10), ("later", 40)):
        ended.add(name, 1, NOW + expires_at, NOW)
    assert [ended.has(name, 1) for name in ("late", "soon", "later")] == [True, False, True]


# --- newest versions


def test_the_newest_version_is_known_for_the_grace_time():
    """For 60 seconds an older version leads to what its refresh made; the same or a later version does not."""
    newest = NewestVersions()
    made = Refreshed(live(version=2), [b"line"])
    newest.put(made, NOW)
    assert newest.after("one", 1, NOW + GRACE_SECONDS - 1) is made
    assert newest.after("one", 1, NOW + GRACE_SECONDS) is None
    assert newest.after("one", 2, NOW) is None
    assert newest.after("two", 1, NOW) is None
    newest.drop("one")
    newest.drop("one")
    assert newest.after("one", 1, NOW) is None


def test_newest_versions_are_forgotten_in_time_and_bounded():
    """What is older than the grace leaves when something new comes, and never are there more than the bound."""
    newest = NewestVersions(limit=2)
    for name, at in (("a", 0), ("b", 1), ("c", 2)):
        newest.put(Refreshed(live(name, 2), []), NOW + at)
    assert [newest.after(name, 1, NOW + 2) is not None for name in "abc"] == [False, True, True]
    newest.put(Refreshed(live("b", 3), []), NOW + 70)
    assert len(newest) == 1


# --- idle clock


def clock(timeout: int = 3600) -> IdleClock:
    return IdleClock(IDLE_COOKIE, ring().box("idle", ISSUER, CLIENT), timeout)


def header(line: bytes) -> bytes:
    return line.partition(b";")[0]


def test_the_idle_cookie_tells_when_the_user_was_seen():
    """What was written for a session is read for it, and for no other; a time to come counts as now."""
    line = header(clock().write("one", NOW, 60))
    assert clock().seen(RequestCookies([line]), "one", NOW + 5) == NOW
    assert clock().seen(RequestCookies([line]), "one", NOW - 5) == NOW - 5
    assert clock().seen(RequestCookies([line]), "two", NOW) == 0


@pytest.mark.parametrize("plain", [b" ", b"one", b"one x", b"one 1 2", b"\xff 1", b"one " + b"9" * 5000])
def test_an_idle_cookie_of_another_form_tells_nothing(plain):
    """C5: also what opens is read with care."""
    sealed = ring().box("idle", ISSUER, CLIENT).seal(plain)
    assert clock().seen(RequestCookies([f"{IDLE_COOKIE.name}={sealed}".encode()]), "one", NOW) == 0


def test_of_several_idle_cookies_the_latest_counts():
    """Rubbish beside it does no harm, and a flood is looked at a few times only."""
    good = header(clock().write("one", NOW, 60))
    assert clock().seen(RequestCookies([b"; ".join([IDLE_COOKIE.name.encode() + b"=x", good])]), "one", NOW) == NOW
    flood = b"; ".join([IDLE_COOKIE.name.encode() + b"=x"] * 500 + [good])
    assert clock().seen(RequestCookies([flood]), "one", NOW) == 0


@pytest.mark.parametrize(("timeout", "renew"), [(3600, 60), (300, 30), (30, 3), (5, 1)])
def test_the_idle_cookie_is_renewed_within_a_tenth(timeout, renew):
    """It is never later than a minute, nor than a tenth of the timeout."""
    assert clock(timeout).renew_after == renew


# --- versions


def first(tokens: TokenSet | None = None) -> Session:
    return first_version(policy(), {"sub": SUB}, tokens or cognito_tokens(), NOW + 3600, NOW, 0.5)


def test_every_sign_in_has_an_id_of_its_own():
    """C6, Q5: the same user with the same tokens gets another session id each time."""
    assert len({first().id for _ in range(100)}) == 100


def test_a_sign_in_with_somebody_elses_access_token_is_refused():
    """C16: the subject of the claims and of the access token must be one."""
    with pytest.raises(BadToken):
        first(tokens=TokenSet(access_token=jwt(access_claims("mallory"))))


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 2700), (0.5, 2880), (1.0, 3060)])
def test_a_refresh_is_due_at_about_four_fifths(jitter, share):
    """Between 75 % and 85 % of the access token's time, as the jitter says."""
    assert refresh_time(TokenSet(refresh_token="r"), NOW + 3600, NOW, jitter) == NOW + share


def test_without_a_refresh_token_none_is_due():
    """There is nothing to refresh with; and a token that is over already is due at once, however far its time."""
    assert refresh_time(TokenSet(), NOW + 3600, NOW, 0.5) is None
    assert refresh_time(TokenSet(refresh_token="r"), NOW - 5, NOW, 0.5) == NOW
    assert (refresh_time(TokenSet(refresh_token="r"), 10**400, NOW, 0.5) or 0) > 10**399


def test_a_refresh_keeps_the_id_and_the_end():
    """Q16: the absolute end and the id stay; the version grows; what the answer left out stays as it was."""
    before = session(tokens=TokenSet(id_token="i", access_token="a", refresh_token="r"))
    kept = policy(keep_id_token=True, keep_access_token=True)
    after = next_version(kept, before, Fresh(None, TokenSet(access_token="b"), NOW + 7200), NOW + 3000, 0.5)
    assert (after.id, after.version, after.created_at, after.expires_at) == (before.id, 2, NOW, before.expires_at)
    assert after.tokens == TokenSet(id_token="i", access_token="b", refresh_token="r")
    assert (after.claims, after.groups, after.access_expires_at) == (before.claims, before.groups, NOW + 7200)


def test_a_group_that_was_taken_away_is_gone_after_a_refresh():
    """D16: claims and groups are those of the newest ID token."""
    fresh = Fresh({"sub": SUB, "cognito:groups": ["editors"]}, TokenSet(), NOW + 7200)
    assert next_version(policy(), session(), fresh, NOW + 3000, 0.5).groups == ("editors",)
    fresh = Fresh({"sub": SUB}, TokenSet(), NOW + 7200)
    assert next_version(policy(), session(), fresh, NOW + 3000, 0.5).groups == ()


@pytest.mark.parametrize(
    "fresh",
    [
        Fresh({"sub": "mallory"}, TokenSet(), NOW),
        Fresh({}, TokenSet(), NOW),
        Fresh(None, TokenSet(access_token=jwt(access_claims("mallory"))), NOW),
    ],
)
def test_a_refresh_never_changes_the_subject(fresh):
    """C16: claims or an access token of somebody else are refused."""
    with pytest.raises(BadToken):
        next_version(policy(), session(), fresh, NOW, 0.5)


def test_only_tokens_that_are_needed_are_kept():
    """ID and access token leave the session unless the policy keeps them; the refresh token stays."""
    assert first().tokens == TokenSet(refresh_token=cognito_tokens().refresh_token)


# --- flights


async def test_callers_share_a_flight():
    """G2: any number of callers, one piece of work; the next caller begins anew."""
    flights: Flights[int] = Flights()
    calls = []

    async def work() -> int:
        calls.append(1)
        await asyncio.sleep(0)
        return len(calls)

    assert await asyncio.gather(*(flights.share("key", work) for _ in range(50))) == [1] * 50
    assert await flights.share("key", work) == 2
    assert len(flights) == 0


async def test_a_caller_who_goes_away_does_not_stop_the_flight():
    """F8: a client that disconnects does not lose a rotated token: the others get it."""
    flights: Flights[str] = Flights()
    door = asyncio.Event()

    async def work() -> str:
        await door.wait()
        return "done"

    impatient = asyncio.create_task(flights.share("key", work))
    patient = asyncio.create_task(flights.share("key", work))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    door.set()
    assert await patient == "done"
    assert impatient.cancelled()


async def test_a_flight_that_fails_with_nobody_left_is_no_noise():
    """The failure of abandoned work is taken note of; a warning would fail this test."""
    flights: Flights[str] = Flights()
    door = asyncio.Event()

    async def work() -> str:
        await door.wait()
        raise ValueError("nobody listens")

    caller = asyncio.create_task(flights.share("key", work))
    await asyncio.sleep(0)
    caller.cancel()
    door.set()
    await flights.wait()
    assert len(flights) == 0


async def test_a_flight_that_is_cancelled_lands():
    """Work that the loop cancels at its end leaves nothing behind."""
    flights: Flights[None] = Flights()
    caller = asyncio.create_task(flights.share("key", asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    flights._by_key["key"].cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert len(flights) == 0
