"""Hash and check passwords, and judge new ones by the pool's policy."""

import asyncio
import base64
import re
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.pool.options import Argon2Profile, PasswordPolicy
from gateway.pool.refusals import TOO_MANY_REQUESTS, PoolError, weak_password

_T = TypeVar("_T")

MAX_LENGTH: Final = 256
"""Longest password in characters (reference §6.2)."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a new password must be: the one list for the page, its script and the server.

    `name` ends the class `checkPassword-…` of its line on the page, `text` is the line. `pattern` means the same to
    Python and, with the flag `u`, to JavaScript. `reason` is how Cognito's API says that it is not met. The line of a
    `quiet` one is shown only then.
    """

    name: str
    text: str
    pattern: str
    reason: str
    quiet: bool = False

    def met(self, password: str) -> bool:
        """Whether the normalised password fulfils it."""
        return re.search(self.pattern, password) is not None


_INK: Final = r"[^\x09-\x0d \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff]"
r"""A character that is no space: written out, since the `\S` of Python and that of JavaScript are two sets."""
_SYMBOL_PATTERN: Final = r"""[\^$*.\[\]{}()?"!@#%&/\\,><':;|_~`=+\-]"""

_LOWER: Final = Requirement(
    "lowerletter", "Password must contain a lower case letter", "[a-z]", "Password must have lowercase characters"
)
_UPPER: Final = Requirement(
    "upperletter", "Password must contain an upper case letter", "[A-Z]", "Password must have uppercase characters"
)
_NUMBER: Final = Requirement(
    "numbers", "Password must contain a number", "[0-9]", "Password must have numeric characters"
)
_SYMBOL: Final = Requirement(
    "symbols",
    "Password must contain a special character",
    # A space counts as one unless it leads or trails (reference §6.2).
    rf"{_SYMBOL_PATTERN}|{_INK} +{_INK}",
    "Password must have symbol characters",
)
_SPACES: Final = Requirement(
    "spaces",
    "Password must not contain a leading or trailing space",
    rf"^{_INK}(?:[\s\S]*{_INK})?(?![\s\S])",
    "Password must not contain a leading or trailing space",
)
_LONGEST: Final = Requirement(
    "longest",
    f"Password must contain at most {MAX_LENGTH} characters",
    rf"^[\s\S]{{0,{MAX_LENGTH}}}(?![\s\S])",
    "Password too long",
    quiet=True,
)
_CONTROLS: Final = Requirement(
    "controls",
    "Password must not contain control characters",
    r"^[^\x00-\x1f\x7f-\x9f]*(?![\s\S])",  # no form of ours takes them
    "Password must not contain control characters",
    quiet=True,
)
_SIZES: Final = frozenset({"length", "longest"})


def checklist(policy: PasswordPolicy) -> tuple[Requirement, ...]:
    """What the policy asks, in the order of Cognito's pages."""
    count = policy.minimum_length
    length = f"Password must contain at least {count} characters"
    lines = (
        (policy.require_lowercase, _LOWER),
        (policy.require_uppercase, _UPPER),
        (policy.require_numbers, _NUMBER),
        (policy.require_symbols, _SYMBOL),
        (True, Requirement("length", length, rf"[\s\S]{{{count}}}", "Password not long enough")),
        (True, _SPACES),
        (True, _LONGEST),
        (True, _CONTROLS),
    )
    return tuple(line for wanted, line in lines if wanted)


def normalised(password: str) -> str:
    """The form that is judged and hashed: keyboards send `é` as one character or as two (NIST SP 800-63B §3.1.1.2)."""
    return unicodedata.normalize("NFC", password)


def judge(policy: PasswordPolicy, password: str) -> None:
    """Raise PoolError (InvalidPasswordException) with the first reason; the length comes first, as at Amazon's."""
    unmet = [line for line in checklist(policy) if not line.met(normalised(password))]
    if unmet:
        raise weak_password(min(unmet, key=lambda line: line.name not in _SIZES).reason)


def _dummy_of(profile: Argon2Profile) -> str:
    """A hash of today's cost that no password has: checking it takes as long as checking a real one."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={profile.memory},t={profile.time_cost},p={profile.parallelism}${salt}${digest}"


class Passwords:
    """Argon2id in a bounded number of threads (R13: each hash takes `profile.memory` KiB).

    When more than `profile.waiting` hashes wait for a thread, further ones are refused at once: a flood of sign-ins
    must not become a queue that nobody outlives.
    """

    def __init__(self, profile: Argon2Profile) -> None:
        self._hasher = PasswordHasher(
            time_cost=profile.time_cost, memory_cost=profile.memory, parallelism=profile.parallelism
        )
        self._threads = ThreadPoolExecutor(profile.workers, thread_name_prefix="argon2")
        self._room = profile.workers + profile.waiting
        self._inside = 0
        self._dummy = _dummy_of(profile)

    async def hash(self, password: str) -> str:
        """A fresh salted hash. Raises PoolError (TooManyRequestsException) when too many wait."""
        return await self._run(self._hasher.hash, normalised(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether the password is the one of the stored hash. Without one, the same work is done and the answer is no.

        Raises PoolError (TooManyRequestsException) when too many wait.
        """
        # R12: an unknown user must cost what a wrong password costs, else time tells who has an account.
        kept, plain = stored or self._dummy, normalised(password)
        matches = await self._run(self._matches, kept, plain)
        if not matches and plain != password:  # release 0.1 hashed what was typed
            matches = await self._run(self._matches, kept, password)
        return matches and stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., _T], *args: str) -> _T:
        if self._inside >= self._room:
            raise PoolError(*TOO_MANY_REQUESTS)
        self._inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._inside -= 1
