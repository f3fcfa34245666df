"""Issue and check one-time 6-digit codes."""

import hashlib
import hmac
import secrets
from dataclasses import replace
from typing import Final

from gateway.pool.records import DAY, HOUR
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

    async def issue(self, store: OneTimeCodeStore, purpose: Purpose, subject: str, now: int) -> str:
        """A new code, which replaces the subject's older one of the same purpose."""
        code = f"{secrets.randbelow(1_000_000):06d}"
        await store.put(self._record(purpose, subject, self._digest(purpose, subject, code), now))
        return code

    async def decoy(self, store: OneTimeCodeStore, purpose: Purpose, subject: str, now: int) -> None:
        """Keep a code that nothing matches: what a hidden user's request leaves behind."""
        await store.put(self._record(purpose, subject, secrets.token_bytes(32), now))

    async def spend(
        self, store: OneTimeCodeStore, purpose: Purpose, subject: str, code: str, now: int
    ) -> Refusal | None:
        """Accept the subject's code once: `None`, or the refusal, to be raised once the transaction has kept the try.

        The try is counted in the same transaction that compares, so parallel guesses, also from other processes, get
        `TRIES` answers in all. Where no code was issued a decoy stands in: the answers are the same.
        """
        kept = await store.get(purpose, subject) or self._record(purpose, subject, secrets.token_bytes(32), now)
        verdict = judge(kept, self._digest(purpose, subject, code), now)
        if verdict is None:
            await store.delete(purpose, subject)
        else:
            await store.put(replace(kept, tries_left=max(kept.tries_left - 1, 0)))
        return verdict

    def fingerprint(self, text: str) -> bytes:
        """32 bytes that only this pool can compute, always the same for one text."""
        return hmac.new(self._key, b"fingerprint/v1" + text.encode(), hashlib.sha256).digest()

    def _record(self, purpose: Purpose, subject: str, digest: bytes, now: int) -> OneTimeCode:
        expires_at = now + LIFETIME[purpose]
        return OneTimeCode(purpose=purpose, subject=subject, digest=digest, tries_left=TRIES, expires_at=expires_at)

    def _digest(self, purpose: Purpose, subject: str, code: str) -> bytes:
        parts = (b"one-time-code/v1", purpose.encode(), subject.encode(), code.encode())
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.new(self._key, message, hashlib.sha256).digest()
