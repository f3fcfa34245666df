"""Accounts and what their owners may do with them: all of registration and recovery, and the sign-in itself."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import Final, Literal

from gateway.pool import refusals
from gateway.pool.passwords import judge
from gateway.pool.records import DAY, AppClient, User, UserStatus
from gateway.pool.recovery import Recovery
from gateway.pool.refusals import PoolError
from gateway.pool.registration import Registration
from gateway.pool.storage import Transaction
from gateway.pool.stored import Challenge

CHALLENGE_SECONDS: Final = 180
"""Lifetime of a sign-in that still owes a step (`AuthSessionValidity`, default three minutes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInResult:
    """Signed in when `challenge` is `None`. Else `session` (3 minutes, single use) answers the challenge."""

    user: User
    challenge: Literal["NEW_PASSWORD_REQUIRED"] | None = None
    session: str | None = None


class Accounts(Registration, Recovery):
    """Every method raises `PoolError`."""

    async def sign_in(
        self, client: AppClient, username: str, password: str, now: int, *, address: str | None = None
    ) -> SignInResult:
        """Check username and password.

        What else stands in the way (disabled, unconfirmed, reset required) is said only to who knows the password.
        """
        named = await self._find(username)
        async with self._limits.attempt(named.subject, now, address=address) as attempt:
            stored = named.user.password_hash if named.user else None
            attempt.succeeded = await self._passwords.verify(stored, password)
        user = named.user
        if user is None and not client.prevent_user_existence_errors:
            raise PoolError(*refusals.UNKNOWN_USER)
        if user is None or not attempt.succeeded:
            raise PoolError(*refusals.WRONG_PASSWORD)
        _check_standing(user, self._options.policy.temporary_password_days, now)
        if user.status is UserStatus.FORCE_CHANGE_PASSWORD:
            return await self._challenge(client, user, now)
        return SignInResult(user=await self._rehashed(user, password))

    async def _challenge(self, client: AppClient, user: User, now: int) -> SignInResult:
        session = secrets.token_urlsafe(32)
        owed = Challenge(
            digest=_digest(session), sub=user.sub, client_id=client.client_id,
            credential_version=user.credential_version, expires_at=now + CHALLENGE_SECONDS,
        )  # fmt: skip
        async with self._storage.transaction() as tx:
            await tx.challenges.put(owed)
        return SignInResult(user=user, challenge="NEW_PASSWORD_REQUIRED", session=session)

    async def _rehashed(self, user: User, password: str) -> User:
        """The user with a hash of today's cost: this is the only moment when the password is at hand."""
        if user.password_hash is None or not self._passwords.outdated(user.password_hash):
            return user
        password_hash = await self._passwords.hash(password)
        async with self._storage.transaction() as tx:
            current = await tx.users.get(user.sub)
            if current is not None and current.password_hash == user.password_hash:
                await tx.users.save(replace(current, password_hash=password_hash))
        return user

    async def set_new_password(self, client: AppClient, session: str, new_password: str, now: int) -> User:
        """Answer NEW_PASSWORD_REQUIRED. A password that the policy refuses leaves the session for another try."""
        judge(self._options.policy, new_password)
        async with self._storage.snapshot() as tx:  # a stranger's guess is not worth a hash
            await self._owed(tx, client, session, now)
        password_hash = await self._passwords.hash(new_password)
        async with self._storage.transaction() as tx:
            user = await self._owed(tx, client, session, now)
            await tx.challenges.delete(_digest(session))
            return await self._set_password(tx, user, password_hash, now)

    async def _owed(self, tx: Transaction, client: AppClient, session: str, now: int) -> User:
        """Who owes a new password in that session, if it is this client's and the user may still answer it."""
        owed = await tx.challenges.get(_digest(session))
        if owed is None or owed.client_id != client.client_id or now >= owed.expires_at:
            raise PoolError(*refusals.BAD_SESSION)
        user = await tx.users.get(owed.sub)
        if user is None or user.credential_version != owed.credential_version:
            raise PoolError(*refusals.BAD_SESSION)
        _check_standing(user, self._options.policy.temporary_password_days, now)
        if user.status is not UserStatus.FORCE_CHANGE_PASSWORD:
            raise PoolError(*refusals.BAD_SESSION)
        return user

    async def user(self, sub: str) -> User | None:
        """The user of that `sub`; a page that lets somebody in must also ask `enabled`."""
        async with self._storage.snapshot() as tx:
            return await tx.users.get(sub)


def _check_standing(user: User, temporary_days: int, now: int) -> None:
    if not user.enabled:
        raise PoolError(*refusals.DISABLED)
    if user.status is UserStatus.UNCONFIRMED:
        raise PoolError(*refusals.NOT_CONFIRMED)
    if user.status is UserStatus.RESET_REQUIRED:
        raise PoolError(*refusals.RESET_REQUIRED)
    if user.status is UserStatus.FORCE_CHANGE_PASSWORD and now >= user.password_set_at + temporary_days * DAY:
        raise PoolError(*refusals.TEMPORARY_EXPIRED)


def _digest(session: str) -> bytes:
    return hashlib.sha256(session.encode()).digest()
