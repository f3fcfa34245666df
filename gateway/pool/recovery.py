"""How somebody who has forgotten the password sets a new one: by a code that is e-mailed."""

from typing import Final

from gateway.pool import refusals, throttle
from gateway.pool.delivery import CodeDelivery
from gateway.pool.passwords import judge
from gateway.pool.people import People
from gateway.pool.records import AppClient, UserStatus
from gateway.pool.refusals import PoolError

RECOVERABLE: Final = frozenset({UserStatus.CONFIRMED, UserStatus.RESET_REQUIRED})
"""Who may set a new password by code: not before the first one is confirmed, and never a federated user."""


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
        if not client.prevent_user_existence_errors and user is None:
            raise PoolError(*refusals.UNKNOWN_USER)
        if user is not None and user.enabled and user.verified("email") and user.status in RECOVERABLE:
            return await self._delivery.send("forgot_password", user, now)
        if not client.prevent_user_existence_errors:
            raise PoolError(*refusals.NO_RECOVERY)
        return await self._delivery.pretend("forgot_password", named.typed, named.subject, now)

    async def confirm_forgot_password(
        self, client: AppClient, username: str, code: str, new_password: str, now: int
    ) -> None:
        """Set the new password. Whoever was signed in with the old one is signed out: refresh tokens are revoked."""
        judge(self._options.policy, new_password)
        named = await self._find(username)
        await self._limits.hit(throttle.CONFIRM_FORGOT, named.subject, now)
        if not client.prevent_user_existence_errors and named.user is None:
            raise PoolError(*refusals.UNKNOWN_USER)
        await self._codes.spend("forgot_password", named.subject, code.strip(), now)
        if named.user is not None:
            await self._set_password(named.user.sub, new_password, now)
            await self._limits.forget(named.subject)
