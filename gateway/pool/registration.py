"""How an account comes to be: sign up, confirm by the code that was e-mailed, ask for another code."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from gateway.pool import refusals, throttle
from gateway.pool.attributes import (
    check_attributes,
    check_username,
    confirmed_identifiers,
    first_identifiers,
    login_attribute,
    normalised,
)
from gateway.pool.delivery import CodeDelivery, Letter, Named
from gateway.pool.passwords import judge
from gateway.pool.people import People
from gateway.pool.records import AppClient, User, UserStatus
from gateway.pool.refusals import PoolError, Refusal
from gateway.pool.storage import Transaction
from gateway.pool.stored import Taken
from gateway.pool.throttle import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpResult:
    """The new user's `sub`; `delivery` is `None` when no attribute is verified by code."""

    user_sub: str
    confirmed: bool
    delivery: CodeDelivery | None


class Registration(People):
    """Sign-up, from the form to the confirmed user."""

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
        letter = await self._add(user, login, now)
        delivery = await self._delivery.send(letter) if letter else None
        return SignUpResult(user_sub=user.sub, confirmed=False, delivery=delivery)

    async def _add(self, user: User, login: str | None, now: int) -> Letter | None:
        try:
            async with self._storage.transaction() as tx:
                await tx.users.add(user, first_identifiers(self._options, user, login))
                if self._delivery.confirms(user):
                    return await self._delivery.issue(tx.codes, "confirm_sign_up", user, now)
        except Taken as taken:
            kinds = {"email": refusals.EMAIL_TAKEN, "phone_number": refusals.PHONE_TAKEN}
            raise PoolError(*kinds.get(taken.identifier.kind, refusals.USERNAME_TAKEN)) from taken
        return None

    async def confirm_sign_up(self, client: AppClient, username: str, code: str, now: int) -> User:
        """Confirm the user by the code that was e-mailed; the e-mail is verified then."""
        named = await self._find(username)
        await self._limits.hit(throttle.CONFIRM_SIGN_UP, named.subject, now)
        if not client.prevent_user_existence_errors:
            _reveal(named, refusals.cannot_confirm)
        try:
            async with self._storage.transaction() as tx:
                user = await tx.users.get(named.subject)
                refusal = await self._codes.spend(tx.codes, "confirm_sign_up", named.subject, user, code.strip(), now)
                if user is not None and refusal is None:
                    refusal = _standing(user)
                if user is not None and refusal is None:
                    return await self._confirm(tx, user, now)
        except Taken as taken:
            raise refusals.alias_taken(taken.identifier.kind) from taken
        raise PoolError(*(refusal or refusals.CODE_MISMATCH))  # a code is spent only where one was issued

    async def _confirm(self, tx: Transaction, user: User, now: int) -> User:
        attributes = {**user.attributes, "email_verified": "true"}
        confirmed = replace(user, status=UserStatus.CONFIRMED, attributes=attributes, updated_at=now)
        await tx.users.save(confirmed, confirmed_identifiers(self._options, confirmed))
        return confirmed

    async def resend_code(
        self, client: AppClient, username: str, now: int, *, address: str | None = None
    ) -> CodeDelivery:
        """Send a new confirmation code, five times an hour at most."""
        named = await self._find(username)
        await self._hit_address(throttle.MAIL_FROM_ADDRESS, address, now)
        await self._limits.hit(throttle.RESEND, named.subject, now)
        if not client.prevent_user_existence_errors:
            _reveal(named, lambda _status: refusals.ALREADY_CONFIRMED)
        user = named.user
        async with self._storage.transaction() as tx:
            if user is not None and user.status is UserStatus.UNCONFIRMED and self._delivery.confirms(user):
                letter = await self._delivery.issue(tx.codes, "confirm_sign_up", user, now)
            else:
                letter = await self._delivery.pretend(tx.codes, "confirm_sign_up", named, now)
        return await self._delivery.send(letter)


def _reveal(named: Named, confirmed: Callable[[str], Refusal]) -> None:
    """What a client that does not hide its users is told."""
    if named.user is None:
        raise PoolError(*refusals.UNKNOWN_USER)
    if named.user.status is not UserStatus.UNCONFIRMED:
        raise PoolError(*confirmed(named.user.status.value))


def _standing(user: User) -> Refusal | None:
    """Why the user may not be confirmed, though the code is right."""
    if not user.enabled:
        return refusals.DISABLED
    return None if user.status is UserStatus.UNCONFIRMED else refusals.cannot_confirm(user.status.value)


def _unverified(attributes: Mapping[str, str]) -> dict[str, str]:
    return {f"{name}_verified": "false" for name in ("email", "phone_number") if attributes.get(name)}
