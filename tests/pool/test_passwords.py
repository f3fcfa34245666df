"""Hashing, and the password policy."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from gateway.pool.options import CHEAPEST_FOR_TESTS, RFC_9106_LOW_MEMORY, Argon2Profile, PasswordPolicy
from gateway.pool.passwords import Passwords, checklist, judge, normalised
from gateway.pool.refusals import PoolError

POLICY = PasswordPolicy()


@pytest.fixture
async def passwords():
    """Cheap hashes."""
    made = Passwords(CHEAPEST_FOR_TESTS)
    yield made
    made.close()


async def test_hash_and_verify(passwords):
    """A hash is Argon2id, salted, and verifies its own password alone."""
    first, second = await passwords.hash("pass"), await passwords.hash("pass")

    assert first.startswith("$argon2id$")
    assert first != second
    assert await passwords.verify(first, "pass")
    assert not await passwords.verify(first, "pasS")


@pytest.mark.parametrize(("set_as", "typed_as"), [("caf\u00e9", "cafe\u0301"), ("cafe\u0301", "caf\u00e9")])
async def test_a_password_is_the_same_on_every_keyboard(passwords, set_as, typed_as):
    """One keyboard sends an accented letter as one character, another as two: NFC when set and when checked."""
    assert await passwords.verify(await passwords.hash(set_as), typed_as)


async def test_a_password_of_before_normalising_still_works(passwords):
    """Release 0.1 hashed what a keyboard sent: whoever sends the same still signs in, and nobody else."""
    typed = "cafe\u0301"
    stored = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(typed)

    assert await passwords.verify(stored, typed)
    assert not await passwords.verify(stored, "cafe")


def test_the_length_is_that_of_the_normalised_password():
    """Seven letters with accents are seven, however a keyboard sends them."""
    with pytest.raises(PoolError) as caught:
        judge(POLICY, "aB1!56e\u0301")

    assert caught.value.public.endswith("Password not long enough")


@pytest.mark.parametrize("stored", [None, "", "garbage", "$argon2id$v=19$m=8,t=1,p=1$x$y"])
async def test_nothing_verifies_without_a_hash(passwords, stored):
    """R12, R13: without a usable hash the answer is no, also for the dummy's own work."""
    assert not await passwords.verify(stored, "pass")


async def test_the_dummy_is_a_hash_of_todays_cost(passwords):
    """R12: the hash that stands in for unknown users is well-formed and as costly as a fresh one."""
    dummy, real = extract_parameters(passwords._dummy), extract_parameters(await passwords.hash("x"))

    assert dummy == real


def test_the_default_is_the_rfcs():
    """R13: the default cost is RFC 9106's second recommended option, two hashes at a time."""
    profile = RFC_9106_LOW_MEMORY

    assert (profile.time_cost, profile.memory, profile.parallelism, profile.workers) == (3, 65536, 4, 2)


async def test_hashes_are_bounded():
    """R13: never more hashes at once than workers; when the queue is full, further ones are refused at once."""
    made = Passwords(Argon2Profile(time_cost=1, memory=8, parallelism=1, workers=2, waiting=3))
    running, most, gate, lock = 0, 0, threading.Event(), threading.Lock()

    class Slow:
        def hash(self, password):
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            gate.wait(10)
            with lock:
                running -= 1
            return "hash"

    made._hasher = Slow()  # type: ignore[assignment]
    hashes = [asyncio.ensure_future(made.hash("x")) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(PoolError) as refused:
        await made.hash("x")
    gate.set()
    results = await asyncio.gather(*hashes)
    made.close()

    assert refused.value.code == "TooManyRequestsException"
    assert results == ["hash"] * 5
    assert most <= 2


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("aB1!567", "Password not long enough"),
        ("", "Password not long enough"),
        ("AB1!5678", "Password must have lowercase characters"),
        ("ab1!5678", "Password must have uppercase characters"),
        ("abC!efgh", "Password must have numeric characters"),
        ("abC4efgh", "Password must have symbol characters"),
        ("aB1!5678 ", "Password must not contain a leading or trailing space"),
        (" aB1!5678", "Password must not contain a leading or trailing space"),
        ("aB1!5678\n", "Password must not contain a leading or trailing space"),
        ("\u3000aB1!5678", "Password must not contain a leading or trailing space"),
        ("aB1!5678\ufeff", "Password must not contain a leading or trailing space"),
        ("aB1!\x7f5678", "Password must not contain control characters"),
        ("aB1!" * 65, "Password too long"),
        ("aB1!" + "\u0958" * 127, "Password too long"),
    ],
)
def test_policy(password, reason):
    """Each rule has its words; the length is told first."""
    with pytest.raises(PoolError) as caught:
        judge(POLICY, password)

    assert caught.value.public == f"Password did not conform with policy: {reason}"


@pytest.mark.parametrize("symbol", [*"^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+-", " "])
def test_symbols(symbol):
    """Every symbol of Cognito's list counts, and a space inside."""
    judge(POLICY, f"abcD{symbol}123")


def test_checklist_words():
    """The lines of the checklist are those of Cognito's pages, in their order."""
    assert [(line.name, line.text) for line in checklist(POLICY)] == [
        ("lowerletter", "Password must contain a lower case letter"),
        ("upperletter", "Password must contain an upper case letter"),
        ("numbers", "Password must contain a number"),
        ("symbols", "Password must contain a special character"),
        ("length", "Password must contain at least 8 characters"),
        ("spaces", "Password must not contain a leading or trailing space"),
        ("longest", "Password must contain at most 256 characters"),
        ("controls", "Password must not contain control characters"),
    ]
    assert [line.name for line in checklist(POLICY) if line.quiet] == ["longest", "controls"]


def test_policy_may_ask_less():
    """A policy without rules asks for length alone."""
    lax = PasswordPolicy(
        minimum_length=6, require_lowercase=False, require_uppercase=False, require_numbers=False, require_symbols=False
    )

    judge(lax, "______")
    assert [line.name for line in checklist(lax)] == ["length", "spaces", "longest", "controls"]


@pytest.mark.property
@given(st.text(max_size=300))
def test_checklist_law(password):
    """A password is accepted exactly when every line of the checklist is met."""
    met = all(line.met(normalised(password)) for line in checklist(POLICY))
    try:
        judge(POLICY, password)
    except PoolError:
        assert not met
    else:
        assert met
