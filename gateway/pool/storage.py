"""Say what the pool needs of a storage: one small protocol per kind of record, and a unit of work for all of them.

An operation opens a transaction and passes its stores on; a store never begins one. What an exception leaves is rolled
back whole, so a refusal that must be remembered (a counted guess, a revoked family) is raised after the transaction.
What has expired may be purged at any time, so expiry is always judged by the reader.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from gateway.pool.records import User
from gateway.pool.stored import (
    AuthorizationCode,
    Challenge,
    Counter,
    Grant,
    Identifier,
    OneTimeCode,
    Purpose,
    RefreshToken,
    SsoSession,
    StoredKey,
)


class UserStore(Protocol):
    """Users, and the identifiers that find them."""

    async def add(self, user: User, identifiers: Sequence[Identifier]) -> None:
        """Add a new user. Raises Taken if an identifier belongs to another."""

    async def get(self, sub: str) -> User | None:
        """The user of that `sub`."""

    async def find(self, identifiers: Sequence[Identifier]) -> User | None:
        """The user to whom one of the identifiers, value and kind, belongs."""

    async def save(self, user: User, identifiers: Sequence[Identifier] = ()) -> None:
        """Replace the user of that `sub`, and add identifiers. Raises Taken if one belongs to another."""


class CounterStore(Protocol):
    """Counters of attempts, by key."""

    async def get(self, key: str) -> Counter | None:
        """The counter of that key."""

    async def put(self, key: str, counter: Counter) -> None:
        """Keep the counter in place of any older one."""

    async def delete(self, key: str) -> None:
        """Forget the counter; an unknown one is no error."""


class OneTimeCodeStore(Protocol):
    """6-digit codes, by purpose and subject."""

    async def put(self, code: OneTimeCode) -> None:
        """Keep the code in place of any older one."""

    async def get(self, purpose: Purpose, subject: str) -> OneTimeCode | None:
        """The subject's code for that purpose."""

    async def delete(self, purpose: Purpose, subject: str) -> None:
        """Forget the code; an unknown one is no error."""


class GrantStore(Protocol):
    """Grants, their codes and their refresh tokens."""

    async def add(self, grant: Grant, code: AuthorizationCode) -> None:
        """Keep a new grant and the code that stands for it."""

    async def get(self, origin_jti: str) -> Grant | None:
        """The grant of that family."""

    async def code(self, digest: bytes) -> AuthorizationCode | None:
        """The code of that digest, spent or not."""

    async def spend(self, digest: bytes, now: int) -> None:
        """Mark the code spent."""

    async def open(self, refresh: RefreshToken, until: int) -> None:
        """Keep the first refresh token of a family, and the family's grant until then."""

    async def refresh_token(self, digest: bytes) -> RefreshToken | None:
        """The refresh token of that digest, rotated or not."""

    async def rotate(self, digest: bytes, successor: RefreshToken, now: int, usable_until: int) -> None:
        """Mark the token rotated and usable until then, the first time counts, and keep its successor."""

    async def revoke(self, origin_jti: str, now: int) -> None:
        """Revoke the family; the first time counts."""


class ChallengeStore(Protocol):
    """Steps that a sign-in still owes."""

    async def put(self, challenge: Challenge) -> None:
        """Keep it."""

    async def get(self, digest: bytes) -> Challenge | None:
        """The challenge of that digest."""

    async def delete(self, digest: bytes) -> None:
        """Forget it; an unknown one is no error."""


class SsoStore(Protocol):
    """Browsers signed in at the pool's own pages."""

    async def put(self, session: SsoSession) -> None:
        """Keep it."""

    async def get(self, digest: bytes) -> SsoSession | None:
        """The session of that digest."""

    async def delete(self, digest: bytes) -> None:
        """End one session; unknown ones are no error."""


class KeyStore(Protocol):
    """Private things of the pool, by name."""

    async def get(self, name: str) -> bytes | None:
        """The value of that name."""

    async def add(self, key: StoredKey) -> bytes:
        """Keep it unless there is one already; gives what is kept then."""


class Transaction(Protocol):
    """Every store, on one connection."""

    users: UserStore
    counters: CounterStore
    codes: OneTimeCodeStore
    grants: GrantStore
    challenges: ChallengeStore
    sso: SsoStore
    keys: KeyStore


class PoolStorage(Protocol):
    """Where a pool keeps what it knows. `name` is what messages to the operator call it.

    Every method raises StorageUnavailable when the database is busy or fails, SettingsError (`open`) when it cannot be
    used at all.
    """

    name: str

    async def open(self) -> None:
        """Create what is missing."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A unit of work: kept whole at its end, or not at all. What it has read nobody else changes meanwhile.

        One must not be opened inside another: the inner one waits for the outer one.
        """

    def snapshot(self) -> AbstractAsyncContextManager[Transaction]:
        """For reading only: waits for no writer."""

    async def purge(self, now: int) -> None:
        """Forget what has expired for long enough that nobody asks."""

    async def aclose(self) -> None:
        """Close every connection."""
