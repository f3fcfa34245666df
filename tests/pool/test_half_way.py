"""Y1: a database that fails half-way: whichever statement of an operation fails, all of it has happened or nothing.

Each operation runs once to count its statements, and then once for each of them on a copy of the same database, where
that one fails. The commit counts as a statement.
"""

import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.core.secret import Secret
from gateway.errors import StorageUnavailable
from gateway.pool.backend import Backend
from gateway.pool.grants import OAuthError
from gateway.pool.options import SeedUser
from gateway.pool.refusals import PoolError
from gateway.pool.sso import SsoSessions
from tests.support.faults import faults
from tests.support.pool import (
    CALLBACK,
    NOW,
    PASSWORD,
    ROTATING,
    WEB,
    Clock,
    ada,
    issue_code,
    last_code,
    opened,
    options_for,
)

ADA, NEW, TEMP = "ada@example.com", "Another horse 8 staple?", "temp@example.com"
SEEDS = (
    SeedUser(username=ADA, password=Secret(PASSWORD)),
    SeedUser(username=TEMP, password=Secret("Temporary 1!"), temporary_password=True),
)


@dataclass
class Facts:
    """What was there before an operation."""

    backend: Backend
    cookie: str = ""
    code: str = ""
    refresh_token: str = ""
    access_token: str = ""
    emailed: str = ""
    session: str = ""


async def before(backend: Backend, *, rotating: bool = False) -> Facts:
    """Ada is signed in everywhere, and has asked for a new password; a temporary password was typed."""
    client = ROTATING if rotating else WEB
    user = await ada(backend)
    asked = {
        "redirect_uri": CALLBACK, "scopes": ("openid",), "nonce": None, "code_challenge": None, "auth_time": NOW,
        "now": NOW,
    }  # fmt: skip
    first = await issue_code(backend, client, user, **asked)
    tokens = await backend.grants.redeem(client, code=first, redirect_uri=CALLBACK, code_verifier=None, now=NOW)
    async with backend.storage.transaction() as tx:
        cookie = await SsoSessions(tx.sso).start(user, NOW)
    code = await issue_code(backend, client, user, **asked)
    await backend.accounts.forgot_password(WEB, ADA, NOW)
    temporary = await backend.accounts.sign_in(WEB, TEMP, "Temporary 1!", NOW)
    return Facts(
        backend, cookie=cookie, code=code, refresh_token=tokens.refresh_token or "", access_token=tokens.access_token,
        emailed=last_code(backend), session=temporary.session or "",
    )  # fmt: skip


async def works(awaitable: Awaitable[Any]) -> bool:
    """Whether it is not refused."""
    try:
        await awaitable
    except (PoolError, OAuthError):
        return False
    return True


def signs_in(backend: Backend, name: str, password: str) -> Awaitable[bool]:
    """Whether the password lets in."""
    return works(backend.accounts.sign_in(WEB, name, password, NOW))


async def reset(facts: Facts) -> None:
    """Ada sets a new password."""
    await facts.backend.accounts.confirm_forgot_password(WEB, ADA, facts.emailed, NEW, NOW)


async def is_reset(facts: Facts) -> set[bool]:
    """The new password lets in, the old one does not, and all that it began has ended."""
    backend = facts.backend
    async with backend.storage.snapshot() as tx:
        session = await SsoSessions(tx.sso).find(facts.cookie, NOW)
        assert session is not None
        user = await tx.users.get(session.sub)
        assert user is not None
    return {
        session.credential_version != user.credential_version,
        not await works(backend.grants.user_info(facts.access_token, NOW)),
        not await works(backend.grants.refresh(WEB, refresh_token=facts.refresh_token, now=NOW)),
        not await works(
            backend.grants.redeem(WEB, code=facts.code, redirect_uri=CALLBACK, code_verifier=None, now=NOW)
        ),
        await signs_in(backend, ADA, NEW),
        not await signs_in(backend, ADA, PASSWORD),
        not await works(backend.accounts.confirm_forgot_password(WEB, ADA, facts.emailed, "Third horse 9!", NOW)),
    }


async def choose(facts: Facts) -> None:
    """The temporary password is replaced."""
    await facts.backend.accounts.set_new_password(WEB, facts.session, NEW, NOW)


async def is_chosen(facts: Facts) -> set[bool]:
    """The new password lets in, the temporary one does not, and the session is used up."""
    backend = facts.backend
    return {
        await signs_in(backend, TEMP, NEW),
        not await signs_in(backend, TEMP, "Temporary 1!"),
        not await works(backend.accounts.set_new_password(WEB, facts.session, "Third horse 9!", NOW)),
    }


async def redeem(facts: Facts) -> None:
    """The code becomes tokens."""
    await facts.backend.grants.redeem(WEB, code=facts.code, redirect_uri=CALLBACK, code_verifier=None, now=NOW)


async def is_redeemed(facts: Facts) -> set[bool]:
    """The code is used up; a family that has no tokens yet can still get them."""
    return {
        not await works(
            facts.backend.grants.redeem(WEB, code=facts.code, redirect_uri=CALLBACK, code_verifier=None, now=NOW)
        )
    }


async def sign_up(facts: Facts) -> None:
    """Grace signs up."""
    await facts.backend.accounts.sign_up(WEB, "grace@example.com", PASSWORD, {}, NOW)


async def is_signed_up(facts: Facts) -> set[bool]:
    """The name is taken, and the code that went out confirms it: no name is taken without a code for its owner."""
    backend = facts.backend
    taken = not await works(backend.accounts.sign_up(WEB, "grace@example.com", PASSWORD, {}, NOW))
    confirmed = await works(backend.accounts.confirm_sign_up(WEB, "grace@example.com", last_code(backend), NOW))
    return {taken} if not taken else {taken, confirmed}


async def rotate(facts: Facts) -> None:
    """The refresh token gets a successor."""
    await facts.backend.grants.refresh(ROTATING, refresh_token=facts.refresh_token, now=NOW)


async def is_rotated(facts: Facts) -> set[bool]:
    """After the grace the token counts as reused."""
    late = NOW + ROTATING.rotation_grace
    return {not await works(facts.backend.grants.refresh(ROTATING, refresh_token=facts.refresh_token, now=late))}


OPERATIONS: dict[str, tuple[Callable[[Facts], Awaitable[None]], Callable[[Facts], Awaitable[set[bool]]]]] = {
    "password reset": (reset, is_reset),
    "new password": (choose, is_chosen),
    "code for tokens": (redeem, is_redeemed),
    "sign-up": (sign_up, is_signed_up),
    "rotation": (rotate, is_rotated),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_all_or_nothing(tmp_path: Path, name: str) -> None:
    """Y1: whichever statement fails, the operation is refused as unavailable and has done nothing, or is done."""
    operation, done = OPERATIONS[name]
    options = options_for(tmp_path, seed_users=SEEDS)
    async with opened(options, Clock()) as backend:
        prepared = await before(backend, rotating=name == "rotation")
        mails = list(backend.mailbox.mails) if backend.mailbox else []
    whole = shutil.copy(tmp_path / "pool.db", tmp_path / "whole.db")

    async def run(passing: int | None) -> tuple[int, bool, set[bool]]:
        shutil.copy(whole, tmp_path / "pool.db")
        async with opened(options, Clock()) as backend:
            assert backend.mailbox is not None
            for mail in reversed(mails):
                await backend.mailbox.send(mail)
            prepared.backend = backend
            failed = False
            with faults(backend, passing) as found:
                try:
                    await operation(prepared)
                except StorageUnavailable:
                    failed = True
            return found.seen, failed, await done(prepared)

    total, failed, state = await run(None)
    assert total > 3
    assert (failed, state) == (False, {True})
    for passing in range(total):
        seen, failed, state = await run(passing)
        assert (passing, failed, state) == (passing, True, {False})
        assert seen == passing + 1
