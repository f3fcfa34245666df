"""What every way to an account needs: whom a typed name means, the limits, a new password.

What a hidden user must not reveal (R12) is kept in one habit: the unknown and the known go the same way, with the same
counters, the same hashing and the same kind of code in the storage; only the last step differs, and nobody sees it.
"""

from dataclasses import replace

from gateway.pool import throttle
from gateway.pool.attributes import lookups, normalised
from gateway.pool.codes import Codes
from gateway.pool.delivery import Delivery, Named
from gateway.pool.mail import Mailer
from gateway.pool.options import PoolOptions
from gateway.pool.passwords import Passwords
from gateway.pool.records import User, UserStatus
from gateway.pool.storage import PoolStorage, Transaction
from gateway.pool.throttle import Limit, Throttle


class People:
    """Every method raises `PoolError`; `address` is the client's IP address, for limits per address and hour."""

    def __init__(
        self,
        options: PoolOptions,
        storage: PoolStorage,
        *,
        passwords: Passwords,
        codes: Codes,
        limits: Throttle,
        mailer: Mailer,
    ) -> None:
        self._options = options
        self._storage = storage
        self._passwords = passwords
        self._codes = codes
        self._limits = limits
        self._delivery = Delivery(options, codes, mailer)

    async def _find(self, typed: str) -> Named:
        async with self._storage.snapshot() as tx:
            user = await tx.users.find(lookups(self._options, typed))
        subject = user.sub if user is not None else f"name:{normalised(self._options, typed)}"
        return Named(typed, user, subject)

    async def _hit_address(self, limit: Limit, address: str | None, now: int) -> None:
        if address is not None:
            await self._limits.hit(limit, throttle.network_of(address), now)

    async def _set_password(self, tx: Transaction, user: User, password_hash: str, now: int) -> User:
        """The user with the new password. In the same change whatever an older one began comes to its end."""
        changed = replace(
            user, password_hash=password_hash, password_set_at=now, status=UserStatus.CONFIRMED, updated_at=now,
            credential_version=user.credential_version + 1,
        )  # fmt: skip
        await tx.users.save(changed)
        return changed
