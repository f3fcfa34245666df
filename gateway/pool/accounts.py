"""Accounts and what their owners may do with them: sign up, confirm, sign in, reset the password.

What a hidden user must not reveal (R12) is kept in one habit: the unknown and the known go the same way, with the same
counters, the same hashing and the same kind of code in the storage; only the last step differs, and nobody sees it.
"""

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from gateway.pool import refusals, throttle
from gateway.pool.attributes import (
    check_attributes,
    check_username,
    confirmed_identifiers,
    first_identifiers,
    login_attribute,
    lookups,
    normalised,
)
from gateway.pool.codes import Codes
from gateway.pool.delivery import CodeDelivery, Delivery
from gateway.pool.mail import Mailer
from gateway.pool.options import PoolOptions
from gateway.pool.passwords import Passwords, judge
from gateway.pool.records import DAY, AppClient, User, UserStatus
from gateway.pool.refusals import PoolError
from gateway.pool.storage import PoolStorage
from gateway.pool.stored import Challenge, Taken
from gateway.pool.throttle import Limit, Throttle

__all__ = ["Accounts", "CodeDelivery", "PoolError", "SignInResult", "SignUpResult"]

CHALLENGE_SECONDS: Final = 180
"""Lifetime of a sign-in that still owes a step (`AuthSessionValidity`, default three minutes)."""

RECOVERABLE: Final = frozenset({UserStatus.CONFIRMED, UserStatus.RESET_REQUIRED})
"""Who may set a new password by code: not before the first one is confirmed, and never a federated user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpResult:
    """The new user's `sub`; `delivery` is `None` when no attribute is verified by code."""

    user_sub: str
    confirmed: bool
    delivery: CodeDelivery | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInResult:
    """Signed in when `challenge` is `None`. Else `session` (3 minutes, single use) answers the challenge."""

    user: User
    challenge: Literal["NEW_PASSWORD_REQUIRED"] | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """What somebody typed: the user, if there is one, and the subject under which it is counted either way."""

    typed: str
    user: User | None
    subject: str


class Accounts:
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
        self._users = storage.users
        self._passwords = passwords
        self._codes = codes
        self._limits = limits
        self._delivery = Delivery(options, codes, mailer)

    async def sign_up(
        self, client: AppClient, username: str, password: str, attributes: Mapping[str, str], now: int,
        *, address: str | None = None,
    ) -> SignUpResult:  # fmt: skip
        """Create an unconfirmed user and send the code that confirms it.

        The same address may sign up `sign_ups_per_hour` times (R17). In a pool of aliases nothing tells that an e-mail
        is taken: its owner finds out at confirmation (§6.1).
        """
        options, username = self._options, username.strip()
        if not options.allow_sign_up:
            raise PoolError(*refusals.SIGN_UP_CLOSED)
        await self._hit_address(Limit("sign-up", options.sign_ups_per_hour), address, now)
        check_username(options, username)
        login = login_attribute(options, username)
        if login is not None:
            attributes = {**attributes, login: username}
        check_attributes(options, client, attributes)
        judge(options.policy, password)
        if attributes.get("email"):
            await self._limits.hit(throttle.MAIL_TO_ONE, normalised(options, attributes["email"]), now)
        password_hash = await self._passwords.hash(password)  # before the name is looked at: taken or not, same time
        sub = str(uuid.uuid4())
        user = User(
            sub=sub, username=username if login is None else sub, status=UserStatus.UNCONFIRMED,
            attributes={**attributes, **_unverified(attributes)}, password_hash=password_hash, password_set_at=now,
            created_at=now, updated_at=now,
        )  # fmt: skip
        await self._add(user)
        delivery = await self._delivery.send("confirm_sign_up", user, now) if self._delivery.confirms(user) else None
        return SignUpResult(user_sub=user.sub, confirmed=False, delivery=delivery)

    async def _add(self, user: User) -> None:
        try:
            await self._users.add(user, first_identifiers(self._options, user))
        except Taken as taken:
            kinds = {"email": refusals.EMAIL_TAKEN, "phone_number": refusals.PHONE_TAKEN}
            raise PoolError(*kinds.get(taken.identifier.kind, refusals.USERNAME_TAKEN)) from taken

    async def confirm_sign_up(self, client: AppClient, username: str, code: str, now: int) -> User:
        """Confirm the user by the code that was e-mailed; the e-mail is verified then."""
        named = await self._find(username)
        await self._limits.hit(throttle.CONFIRM_SIGN_UP, named.subject, now)
        if not client.prevent_user_existence_errors:
            _reveal(named, refusals.CANNOT_CONFIRM)
        await self._codes.spend("confirm_sign_up", named.subject, code.strip(), now)
        if named.user is None:  # a code is spent only where one was issued
            raise PoolError(*refusals.CODE_MISMATCH)
        return await self._confirm(named.user, now)

    async def _confirm(self, user: User, now: int) -> User:
        verified = replace(user, attributes={**user.attributes, "email_verified": "true"})

        def change(current: User) -> User:
            attributes = {**current.attributes, "email_verified": "true"}
            return replace(current, status=UserStatus.CONFIRMED, attributes=attributes, updated_at=now)

        try:
            confirmed = await self._users.change(user.sub, change, confirmed_identifiers(self._options, verified))
        except Taken as taken:
            raise refusals.alias_taken(taken.identifier.kind) from taken
        if confirmed is None:
            raise PoolError(*refusals.CODE_MISMATCH)
        return confirmed

    async def resend_code(
        self, client: AppClient, username: str, now: int, *, address: str | None = None
    ) -> CodeDelivery:
        """Send a new confirmation code, five times an hour at most."""
        named = await self._find(username)
        await self._hit_address(throttle.MAIL_FROM_ADDRESS, address, now)
        await self._limits.hit(throttle.RESEND, named.subject, now)
        if not client.prevent_user_existence_errors:
            _reveal(named, refusals.ALREADY_CONFIRMED)
        user = named.user
        if user is not None and user.status is UserStatus.UNCONFIRMED and self._delivery.confirms(user):
            return await self._delivery.send("confirm_sign_up", user, now)
        return await self._delivery.pretend("confirm_sign_up", named.typed, named.subject, now)

    async def sign_in(self, client: AppClient, username: str, password: str, now: int) -> SignInResult:
        """Check username and password.

        What else stands in the way (disabled, unconfirmed, reset required) is said only to who knows the password.
        """
        named = await self._find(username)
        async with self._limits.attempt(named.subject, now) as attempt:
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
            digest=_digest(session), sub=user.sub, client_id=client.client_id, expires_at=now + CHALLENGE_SECONDS
        )
        await self._storage.challenges.put(owed)
        return SignInResult(user=user, challenge="NEW_PASSWORD_REQUIRED", session=session)

    async def _rehashed(self, user: User, password: str) -> User:
        """The user with a hash of today's cost: this is the only moment when the password is at hand."""
        if user.password_hash is None or not self._passwords.outdated(user.password_hash):
            return user
        old, new = user.password_hash, await self._passwords.hash(password)

        def change(current: User) -> User:
            return replace(current, password_hash=new) if current.password_hash == old else current

        return await self._users.change(user.sub, change) or user

    async def set_new_password(self, client: AppClient, session: str, new_password: str, now: int) -> User:
        """Answer NEW_PASSWORD_REQUIRED. A password that the policy refuses leaves the session for another try."""
        judge(self._options.policy, new_password)
        owed = await self._storage.challenges.take(_digest(session))
        if owed is None or owed.client_id != client.client_id or now >= owed.expires_at:
            raise PoolError(*refusals.BAD_SESSION)
        user = await self._set_password(owed.sub, new_password, now)
        if user is None or not user.enabled:
            raise PoolError(*refusals.BAD_SESSION)
        return user

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

    async def user(self, sub: str) -> User | None:
        """The user of that `sub`; a page that lets somebody in must also ask `enabled`."""
        return await self._users.get(sub)

    async def _set_password(self, sub: str, password: str, now: int) -> User | None:
        password_hash = await self._passwords.hash(password)

        def change(current: User) -> User:
            return replace(
                current, password_hash=password_hash, password_set_at=now, status=UserStatus.CONFIRMED, updated_at=now
            )

        user = await self._users.change(sub, change)
        await self._storage.grants.revoke_user(sub, now)
        await self._storage.sso.delete_user(sub)
        return user

    async def _find(self, typed: str) -> Named:
        user = await self._users.find(lookups(self._options, typed))
        subject = user.sub if user is not None else f"name:{normalised(self._options, typed)}"
        return Named(typed, user, subject)

    async def _hit_address(self, limit: Limit, address: str | None, now: int) -> None:
        if address is not None:
            await self._limits.hit(limit, throttle.network_of(address), now)


def _reveal(named: Named, confirmed: refusals.Refusal) -> None:
    """What a client that does not hide its users is told."""
    if named.user is None:
        raise PoolError(*refusals.UNKNOWN_USER)
    if named.user.status is not UserStatus.UNCONFIRMED:
        raise PoolError(*confirmed)


def _check_standing(user: User, temporary_days: int, now: int) -> None:
    if not user.enabled:
        raise PoolError(*refusals.DISABLED)
    if user.status is UserStatus.UNCONFIRMED:
        raise PoolError(*refusals.NOT_CONFIRMED)
    if user.status is UserStatus.RESET_REQUIRED:
        raise PoolError(*refusals.RESET_REQUIRED)
    if user.status is UserStatus.FORCE_CHANGE_PASSWORD and now >= user.password_set_at + temporary_days * DAY:
        raise PoolError(*refusals.TEMPORARY_EXPIRED)


def _unverified(attributes: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}_verified": "false" for name in ("email", "phone_number") if attributes.get(name)}


def _digest(session: str) -> bytes:
    return hashlib.sha256(session.encode()).digest()
