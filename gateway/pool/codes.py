"""Issue and check one-time 6-digit codes."""

import hashlib
import hmac
import secrets
from dataclasses import replace
from typing import Final

from gateway.pool.records import DAY, HOUR, User
from gateway.pool.refusals import CODE_EXPIRED, CODE_MISMATCH, Refusal
from gateway.pool.storage import OneTimeCodeStore
from gateway.pool.stored import OneTimeCode, Purpose

LIFETIME: Final[dict[Purpose, int]] = {"confirm_sign_up": DAY, "forgot_password": HOUR}
"""Seconds (reference §6.5)."""
TRIES: Final = 5
"""Wrong guesses that one code survives: one in 200,000 guesses it, before the hourly limits."""


def judge(code: OneTimeCode, presented: bytes, now: int) -> Refusal | None:
    """Whether the presented digest is the code's: `None`, or the refusal.

    Equal and too old is said, wrong and too old is not: an old code is nobody's business but its owner's (R12).
    """
    if code.tries_left <= 0:
        return CODE_EXPIRED
    if not hmac.compare_digest(code.digest, presented):
        return CODE_MISMATCH
    return CODE_EXPIRED if now >= code.expires_at else None


class Codes:
    """Codes bound to purpose and subject (R10), kept as HMACs under `key`: a million guesses open any bare hash."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    async def issue(self, store: OneTimeCodeStore, purpose: Purpose, user: User, now: int) -> str:
        """A new code, which replaces the user's older one of the same purpose.

        It is worth something only while the user's e-mail address and credentials are those of this moment.
        """
        code = f"{secrets.randbelow(1_000_000):06d}"
        fresh = _record(purpose, user.sub, now)
        digest, address = self._digest(purpose, user.sub, code), self._address(user)
        await store.put(replace(fresh, digest=digest, address=address, credential_version=user.credential_version))
        return code

    async def decoy(self, store: OneTimeCodeStore, purpose: Purpose, subject: str, now: int) -> None:
        """Keep a code that nothing matches: what a hidden user's request leaves behind."""
        await store.put(_record(purpose, subject, now))

    async def spend(
        self, store: OneTimeCodeStore, purpose: Purpose, subject: str, user: User | None, code: str, now: int
    ) -> Refusal | None:
        """Accept the code of the user, as it is now, once: `None`, or the refusal.

        The refusal is to be raised once the transaction has kept the try. It is counted in the same transaction that
        compares, so parallel guesses, also from other processes, get `TRIES` answers in all. Where no code was issued a
        decoy stands in: the answers are the same.
        """
        kept = await store.get(purpose, subject) or _record(purpose, subject, now)
        verdict = judge(kept, self._digest(purpose, subject, code), now)
        if verdict is None and not self._is_for(kept, user):
            verdict = CODE_EXPIRED
        if verdict is None:
            await store.delete(purpose, subject)
        else:
            await store.put(replace(kept, tries_left=max(kept.tries_left - 1, 0)))
        return verdict

    def fingerprint(self, text: str) -> bytes:
        """32 bytes that only this pool can compute, always the same for one text."""
        return hmac.new(self._key, b"fingerprint/v1" + text.encode(), hashlib.sha256).digest()

    def _is_for(self, kept: OneTimeCode, user: User | None) -> bool:
        """Whether the code was made for the user with today's credentials, and went to today's address."""
        return (
            user is not None
            and kept.credential_version == user.credential_version
            and kept.address == self._address(user)
        )

    def _address(self, user: User) -> bytes:
        return self.fingerprint(user.attributes.get("email", ""))

    def _digest(self, purpose: Purpose, subject: str, code: str) -> bytes:
        parts = (b"one-time-code/v1", purpose.encode(), subject.encode(), code.encode())
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.new(self._key, message, hashlib.sha256).digest()


def _record(purpose: Purpose, subject: str, now: int) -> OneTimeCode:
    """A code that nothing matches and that is nobody's."""
    return OneTimeCode(
        purpose=purpose, subject=subject, digest=secrets.token_bytes(32), address=secrets.token_bytes(32),
        credential_version=0, tries_left=TRIES, expires_at=now + LIFETIME[purpose],
    )  # fmt: skip
