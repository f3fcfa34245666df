"""How somebody who has forgotten the password sets a new one: by a code that is e-mailed."""

from typing import Final

from gateway.pool import refusals, throttle
from gateway.pool.delivery import CodeDelivery
from gateway.pool.passwords import judge
from gateway.pool.people import People
from gateway.pool.records import AppClient, User, UserStatus
from gateway.pool.refusals import PoolError, Refusal

UNRECOVERABLE: Final = frozenset({UserStatus.FORCE_CHANGE_PASSWORD, UserStatus.EXTERNAL_PROVIDER})
"""Who may not set a new password by code: who owes one to an administrator, and who has none."""


class Recovery(People):
    """The forgotten password."""

    async def forgot_password(
        self, client: AppClient, username: str, now: int, *, address: str | None = None
    ) -> CodeDelivery:
        """Send a code that sets a new password, five times an hour at most. Simulated for a hidden user."""
        named = await self._find(username)
        await self._hit_address(throttle.MAIL_FROM_ADDRESS, address, now)
        await self._limits.hit(throttle.FORGOT, named.subject, now)
        user = named.user
        refusal = _standing(user) if user is not None else refusals.UNKNOWN_USER
        if refusal is not None and not client.prevent_user_existence_errors:
            raise PoolError(*refusal)
        async with self._storage.transaction() as tx:
            if user is not None and refusal is None:
                letter = await self._delivery.issue(tx.codes, "forgot_password", user, now)
            else:
                letter = await self._delivery.pretend(tx.codes, "forgot_password", named, now)
        return await self._delivery.send(letter)

    async def confirm_forgot_password(
        self, client: AppClient, username: str, code: str, new_password: str, now: int
    ) -> None:
        """Set the new password. Whoever was signed in with the old one is signed out: refresh tokens are revoked."""
        judge(self._options.policy, new_password)
        named = await self._find(username)
        await self._limits.hit(throttle.CONFIRM_FORGOT, named.subject, now)
        if not client.prevent_user_existence_errors and named.user is None:
            raise PoolError(*refusals.UNKNOWN_USER)
        password_hash = await self._passwords.hash(new_password)
        async with self._storage.transaction() as tx:
            user = await tx.users.get(named.subject)
            refusal = await self._codes.spend(tx.codes, "forgot_password", named.subject, user, code.strip(), now)
            if user is not None and refusal is None:
                refusal = _standing(user)
            if user is not None and refusal is None:
                await self._set_password(tx, user, password_hash, now)
                await self._limits.forget(tx.counters, named.subject)
        if refusal is not None:
            raise PoolError(*refusal)


def _standing(user: User) -> Refusal | None:
    """Why the user may not set a new password by code; `None` if nothing is in the way."""
    if not user.enabled:
        return refusals.DISABLED
    if user.status in UNRECOVERABLE:
        return refusals.NO_RESET_NOW
    proven = user.verified("email") and user.status is not UserStatus.UNCONFIRMED
    return None if proven else refusals.NO_RECOVERY
