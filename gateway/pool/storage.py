"""Say what the pool needs of a storage: one small protocol per kind of record.

Promises: each method is atomic, also between processes. A `change` function may run more than once and must do nothing
but compute. What has expired may be purged at any time, so expiry is always judged by the reader.
"""

from collections.abc import Callable, Sequence
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
        """Add a new user. Raises Taken, and adds nothing, if an identifier belongs to another."""

    async def get(self, sub: str) -> User | None:
        """The user of that `sub`."""

    async def find(self, identifiers: Sequence[Identifier]) -> User | None:
        """The user of the first identifier that belongs to anybody."""

    async def change(
        self, sub: str, change: Callable[[User], User], identifiers: Sequence[Identifier] = ()
    ) -> User | None:
        """Replace the user by `change(user)` and add identifiers. Raises Taken, and changes nothing."""


class CounterStore(Protocol):
    """Counters of attempts, by key."""

    async def change(self, key: str, change: Callable[[Counter | None], Counter | None]) -> Counter | None:
        """Replace the counter by `change(counter)`, `None` for none. Gives the new one."""


class OneTimeCodeStore(Protocol):
    """6-digit codes, by purpose and subject."""

    async def put(self, code: OneTimeCode) -> None:
        """Keep the code in place of any older one."""

    async def change(
        self, purpose: Purpose, subject: str, change: Callable[[OneTimeCode | None], OneTimeCode | None]
    ) -> OneTimeCode | None:
        """Replace the code by `change(code)`, `None` for none. Gives the new one."""


class GrantStore(Protocol):
    """Grants, their codes and their refresh tokens."""

    async def add(self, grant: Grant, code: AuthorizationCode) -> None:
        """Keep a new grant and the code that stands for it."""

    async def get(self, origin_jti: str) -> Grant | None:
        """The grant of that family."""

    async def code(self, digest: bytes) -> AuthorizationCode | None:
        """The code of that digest, spent or not."""

    async def spend(self, digest: bytes, now: int) -> bool:
        """Mark the code spent; False if it was before. Exactly one of many callers gets True."""

    async def open(self, refresh: RefreshToken, until: int) -> None:
        """Keep the first refresh token of a family, and the family's grant until then."""

    async def refresh_token(self, digest: bytes) -> RefreshToken | None:
        """The refresh token of that digest, rotated or not."""

    async def rotate(self, digest: bytes, successor: RefreshToken, now: int) -> bool:
        """Mark the token rotated and keep its successor, always. True for the one call that came first."""

    async def revoke(self, origin_jti: str, now: int) -> None:
        """Revoke the family; the first time counts."""

    async def revoke_user(self, sub: str, now: int) -> None:
        """Revoke every family of the user."""


class ChallengeStore(Protocol):
    """Steps that a sign-in still owes."""

    async def put(self, challenge: Challenge) -> None:
        """Keep it."""

    async def take(self, digest: bytes) -> Challenge | None:
        """Give it once."""


class SsoStore(Protocol):
    """Browsers signed in at the pool's own pages."""

    async def put(self, session: SsoSession) -> None:
        """Keep it."""

    async def get(self, digest: bytes) -> SsoSession | None:
        """The session of that digest."""

    async def delete(self, digest: bytes) -> None:
        """End one session; unknown ones are no error."""

    async def delete_user(self, sub: str) -> None:
        """End every session of the user."""


class KeyStore(Protocol):
    """Private things of the pool, by name."""

    async def get(self, name: str) -> bytes | None:
        """The value of that name."""

    async def add(self, key: StoredKey) -> bytes:
        """Keep it unless there is one already; gives what is kept then."""


class PoolStorage(Protocol):
    """All of them, opened and closed together. `name` is what messages to the operator call it."""

    name: str
    users: UserStore
    counters: CounterStore
    codes: OneTimeCodeStore
    grants: GrantStore
    challenges: ChallengeStore
    sso: SsoStore
    keys: KeyStore

    async def open(self) -> None:
        """Create what is missing."""

    async def purge(self, now: int) -> None:
        """Forget what has expired for long enough that nobody asks."""

    async def aclose(self) -> None:
        """Close every connection."""
