"""Lock-outs and limits per hour."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pool.refusals import PoolError
from gateway.pool.stored import Counter
from gateway.pool.throttle import LONGEST_LOCK, RESEND, Limit, charge, count, lock_seconds, network_of
from tests.support.pool import NOW, PASSWORD, WEB, ada, opened, options_for


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (14, 512), (15, 900), (16, 900), (10_000, 900)],
)
def test_lock_grows(failures, seconds):
    """The n-th failure locks for 2^(n-5) seconds, 15 minutes at most."""
    assert lock_seconds(failures) == seconds


def test_attempts_during_a_lock_do_not_lengthen_it():
    """A lock ends when it would have, however often one tries meanwhile."""
    counter = None
    for _ in range(6):
        counter, allowed = charge(counter, NOW + 5 * bool(counter and counter.count == 5))
        assert allowed
    assert counter is not None
    locked_until = counter.until
    counter, allowed = charge(counter, locked_until - 1)

    assert (allowed, counter.until, counter.count) == (False, locked_until, 6)
    assert charge(counter, locked_until)[1]


def test_quiet_forgets():
    """After 15 quiet minutes the count begins anew; one second before, it does not."""
    counter = None
    for _ in range(4):
        counter, _ = charge(counter, NOW)

    assert charge(counter, NOW + LONGEST_LOCK - 1)[0].count == 5
    assert charge(counter, NOW + LONGEST_LOCK)[0].count == 1


def test_a_clock_that_was_ahead_locks_nobody_out():
    """Once a clock that was a year ahead is set right, no lock and no hour of that time lasts on."""
    ahead = NOW + 365 * 86400
    locked = Counter(count=20, since=ahead, until=ahead + LONGEST_LOCK)
    full = Counter(count=5, since=ahead, until=ahead + 3600)

    assert charge(locked, NOW) == (Counter(count=1, since=NOW, until=NOW), True)
    assert count(full, RESEND, NOW) == (Counter(count=1, since=NOW, until=NOW + 3600), True)
    assert charge(locked, ahead - 2) == (Counter(count=20, since=ahead - 2, until=ahead + LONGEST_LOCK), False)
    assert not count(full, RESEND, ahead - 2)[1]


@pytest.mark.property
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=200))
def test_guesses_are_bounded(steps):
    """However attempts are spread, no more than 4 + one for each lock's length pass."""
    counter, now, passed, since_reset = None, NOW, 0, 0
    for step in steps:
        now += step
        before = counter
        counter, allowed = charge(counter, now)
        passed += allowed
        since_reset = 1 if counter.count == 1 and allowed else since_reset + allowed
        assert since_reset == counter.count
        if before is not None and now < before.until and now - before.since < LONGEST_LOCK:
            assert not allowed


@pytest.mark.property
@given(st.lists(st.integers(0, 4000), max_size=60), st.integers(1, 9))
def test_no_hour_has_more(steps, number):
    """From any window's first event on, an hour lets at most `number` events through."""
    counter, now, passed = None, NOW, []
    for step in steps:
        now += step
        counter, allowed = count(counter, Limit("x", number), now)
        if allowed:
            passed.append((counter.since, now))

    for start, _ in passed:
        window = [when for since, when in passed if since == start]
        assert len(window) <= number
        assert max(window) < start + 3600


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_network_of(address, network):
    """R17: a /64 counts as one sender, since a household has one; mapped addresses are IPv4."""
    assert network_of(address) == network


async def test_lock_out_at_sign_in(backend):
    """Five failures lock for a second: then even the right password is refused, and after it accepted."""
    accounts = backend.accounts
    for _ in range(5):
        with pytest.raises(PoolError, match="Incorrect"):
            await accounts.sign_in(WEB, "ada@example.com", "wrong", NOW)
    with pytest.raises(PoolError, match="Password attempts exceeded"):
        await accounts.sign_in(WEB, "ada@example.com", PASSWORD, NOW)

    assert (await accounts.sign_in(WEB, "ada@example.com", PASSWORD, NOW + 1)).challenge is None


async def test_success_forgets_failures(backend):
    """A successful sign-in starts the count anew."""
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(PoolError, match="Incorrect"):
                await backend.accounts.sign_in(WEB, "ada@example.com", "wrong", NOW)
        await ada(backend)


async def test_a_flood_of_guesses_gets_five_answers(backend):
    """R10: a hundred guesses at once are counted before they are judged: five are answered, the rest are locked out."""
    guesses = [backend.accounts.sign_in(WEB, "ada@example.com", f"guess {n}", NOW) for n in range(100)]
    refusals = [str(error) for error in await asyncio.gather(*guesses, return_exceptions=True)]

    assert sum("Incorrect" in text for text in refusals) == 5
    assert sum("exceeded" in text for text in refusals) == 95


async def test_right_passwords_at_once_never_lock(backend):
    """Twenty sign-ins at once with the right password all succeed."""
    results = await asyncio.gather(*(ada(backend) for _ in range(20)))

    assert len({user.sub for user in results}) == 1


def passwords_from(backend, address, name="ada@example.com", password="wrong", now=NOW):
    """A sign-in from an address."""
    return backend.accounts.sign_in(WEB, name, password, now, address=address)


@pytest.fixture
async def strict(tmp_path, clock):
    """A pool that lets an address fail three times an hour."""
    async with opened(options_for(tmp_path, sign_in_failures_per_hour=3), clock) as backend:
        yield backend


async def test_one_address_cannot_try_a_password_at_every_account(strict):
    """Z2: beyond the limit nothing is tried any more, known and unknown names and the right password alike."""
    for number in range(3):
        with pytest.raises(PoolError, match="Incorrect"):
            await passwords_from(strict, "192.0.2.1", f"person{number}@example.com")
    refused = [("person9@example.com", "wrong"), ("ada@example.com", "wrong"), ("ada@example.com", PASSWORD)]
    for name, password in refused:
        with pytest.raises(PoolError, match="Attempt limit exceeded"):
            await passwords_from(strict, "192.0.2.1", name, password)

    assert (await passwords_from(strict, "192.0.2.2", password=PASSWORD)).challenge is None
    assert (await passwords_from(strict, "192.0.2.1", password=PASSWORD, now=NOW + 3600)).challenge is None


async def test_right_passwords_count_for_no_address(strict):
    """Twenty people of one office sign in, and the limit counts none of them."""
    results = await asyncio.gather(*(passwords_from(strict, "192.0.2.1", password=PASSWORD) for _ in range(3)))
    for _ in range(17):
        results.append(await passwords_from(strict, "192.0.2.1", password=PASSWORD))

    assert len({result.user.sub for result in results}) == 1


async def test_an_address_beyond_its_limit_locks_nobody_out(strict):
    """Z2: what the address is refused does not count against the account."""
    for number in range(3):
        with pytest.raises(PoolError, match="Incorrect"):
            await passwords_from(strict, "2001:db8::1", f"person{number}@example.com")
    for number in range(20):
        with pytest.raises(PoolError, match="Attempt limit exceeded"):
            await passwords_from(strict, f"2001:db8::{number + 2}")

    assert (await ada(strict)).username


async def test_a_flood_from_one_address_is_counted_before_it_is_judged(strict):
    """Z2: a hundred names at once get three answers."""
    guesses = [passwords_from(strict, "192.0.2.1", f"person{n}@example.com") for n in range(100)]
    refusals = [str(error) for error in await asyncio.gather(*guesses, return_exceptions=True)]

    assert sum("Incorrect" in text for text in refusals) == 3
    assert sum("Attempt limit exceeded" in text for text in refusals) == 97
