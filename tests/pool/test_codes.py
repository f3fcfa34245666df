"""One-time codes."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pool import codes as codes_module
from gateway.pool.codes import LIFETIME, TRIES, Codes, judge
from gateway.pool.records import User, UserStatus
from gateway.pool.refusals import CODE_EXPIRED, CODE_MISMATCH
from gateway.pool.sql import SqlStorage
from gateway.pool.stored import OneTimeCode
from tests.support.pool import NOW

KEY = b"k" * 32


@pytest.fixture
async def storage(tmp_path):
    """An open storage."""
    opened = SqlStorage(f"sqlite+aiosqlite:///{tmp_path}/codes.db")
    await opened.open()
    yield opened
    await opened.aclose()


async def verdict(storage: SqlStorage, codes: Codes, purpose, subject: str, code: str, now: int = NOW) -> str:
    """`accepted`, or the refusal's name."""
    async with storage.transaction() as tx:
        refusal = await codes.spend(tx.codes, purpose, subject, user_of(subject), code, now)
    return refusal[0] if refusal else "accepted"


async def issue(storage: SqlStorage, codes: Codes, purpose, subject: str, now: int = NOW) -> str:
    """A code that is kept."""
    async with storage.transaction() as tx:
        return await codes.issue(tx.codes, purpose, user_of(subject), now)


def user_of(sub: str) -> User:
    """A user with an address."""
    attributes = {"email": f"{sub}@example.com"}
    return User(sub=sub, username=sub, status=UserStatus.CONFIRMED, attributes=attributes, created_at=0, updated_at=0)


async def test_a_code_is_six_digits_and_good_once(storage):
    """A code is six digits, also small numbers; it is accepted once."""
    codes = Codes(KEY)
    code = await issue(storage, codes, "forgot_password", "u", NOW)

    assert code.isdigit()
    assert len(code) == 6
    assert await verdict(storage, codes, "forgot_password", "u", code) == "accepted"
    assert await verdict(storage, codes, "forgot_password", "u", code) == "CodeMismatchException"


@pytest.mark.parametrize(
    ("purpose", "subject", "key"),
    [("confirm_sign_up", "u", KEY), ("forgot_password", "v", KEY), ("forgot_password", "u", b"other" * 8)],
)
async def test_bound_to_purpose_subject_and_pool(storage, purpose, subject, key):
    """R10: the same digits are worth nothing for another purpose, user or pool, even moved in the database."""
    codes, other = Codes(KEY), Codes(key)
    code = await issue(storage, codes, "forgot_password", "u", NOW)
    async with storage.transaction() as tx:
        kept = await tx.codes.get("forgot_password", "u")
        await tx.codes.put(replace(kept, purpose=purpose, subject=subject))

    assert await verdict(storage, other, purpose, subject, code) == "CodeMismatchException"


@pytest.mark.parametrize("purpose", ["confirm_sign_up", "forgot_password"])
async def test_expiry(storage, purpose):
    """A code works until the second of its expiry: 24 hours for sign-up, one for a password."""
    codes = Codes(KEY)
    end = NOW + LIFETIME[purpose]
    for now, expected in ((end, "ExpiredCodeException"), (end - 1, "accepted")):
        code = await issue(storage, codes, purpose, "u", NOW)
        assert await verdict(storage, codes, purpose, "u", code, now) == expected


async def test_tries_are_bounded(storage):
    """R10: after five wrong guesses the right code is refused too."""
    codes = Codes(KEY)
    code = await issue(storage, codes, "forgot_password", "u", NOW)
    wrong = "000000" if code != "000000" else "000001"
    answers = [await verdict(storage, codes, "forgot_password", "u", wrong) for _ in range(TRIES)]

    assert answers == ["CodeMismatchException"] * TRIES
    assert await verdict(storage, codes, "forgot_password", "u", code) == "ExpiredCodeException"


async def test_parallel_guesses_share_the_tries(storage):
    """R10: fifty guesses sent at once get five answers in all."""
    codes = Codes(KEY)
    await issue(storage, codes, "forgot_password", "u", NOW)
    answers = await asyncio.gather(*(verdict(storage, codes, "forgot_password", "u", f"x{n}") for n in range(50)))

    assert answers.count("CodeMismatchException") == TRIES
    assert answers.count("ExpiredCodeException") == 50 - TRIES


GUESSER = """
import asyncio, sys
from gateway.pool.codes import Codes
from gateway.pool.sql import SqlStorage

async def main(url, now):
    storage = SqlStorage(url)
    codes = Codes(b"k" * 32)
    for n in range(10):
        async with storage.transaction() as tx:
            refusal = await codes.spend(tx.codes, "forgot_password", "u", None, f"x{n}", now)
        print(refusal[0])
    await storage.aclose()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_processes_share_the_tries(storage, tmp_path):
    """R10: four processes guessing at the same time get five answers in all."""
    await issue(storage, Codes(KEY), "forgot_password", "u")
    url = f"sqlite+aiosqlite:///{tmp_path}/codes.db"

    async def guess() -> list[str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", GUESSER, url, str(NOW), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        return output.decode().split()

    answers = [line for lines in await asyncio.gather(*(guess() for _ in range(4))) for line in lines]

    assert len(answers) == 40
    assert answers.count("CodeMismatchException") == TRIES


def kept_code(digest: bytes, tries: int, expires_at: int) -> OneTimeCode:
    """A code as it is stored."""
    return OneTimeCode(
        purpose="forgot_password", subject="u", digest=digest, address=b"", credential_version=1, tries_left=tries,
        expires_at=expires_at,
    )  # fmt: skip


@pytest.mark.parametrize("change", [{"credential_version": 2}, {"attributes": {"email": "new@example.com"}}, None])
async def test_bound_to_the_state_of_the_user(storage, change):
    """Y4: a code is worth nothing once the address it went to or the credentials are others, or the user is gone."""
    codes, user = Codes(KEY), user_of("u")
    code = await issue(storage, codes, "forgot_password", "u")
    changed = None if change is None else replace(user, **change)
    async with storage.transaction() as tx:
        refusal = await codes.spend(tx.codes, "forgot_password", "u", changed, code, NOW)

    assert refusal == CODE_EXPIRED
    assert await verdict(storage, codes, "forgot_password", "u", code) == "accepted"


def test_comparison_takes_constant_time():
    """R10: digests are compared by `hmac.compare_digest`, nowhere by `==`."""
    calls = []

    class Watched:
        @staticmethod
        def compare_digest(a, b):
            calls.append((a, b))
            return False

    module: Any = codes_module
    original, module.hmac = module.hmac, Watched
    try:
        kept = kept_code(b"d", 1, NOW + 1)
        assert judge(kept, b"d", NOW) == CODE_MISMATCH
    finally:
        module.hmac = original

    assert calls == [(b"d", b"d")]


@pytest.mark.property
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.integers(-1, 5), st.integers(-5, 5))
def test_judge_law(digest, presented, tries, late):
    """A code is accepted only when tries are left, it is equal, and its time is not over."""
    kept = kept_code(digest, tries, NOW)
    accepted = judge(kept, presented, NOW + late) is None

    assert accepted == (tries > 0 and digest == presented and late < 0)
    if tries > 0 and digest == presented and late >= 0:
        assert judge(kept, presented, NOW + late) == CODE_EXPIRED
