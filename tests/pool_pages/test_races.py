"""What happens when two people, or one person and a thief, do something at the same moment."""

import asyncio
import multiprocessing
from collections.abc import Awaitable, Callable
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest

from gateway.pool.app import Pool, create_pool
from gateway.pool.passwords import Passwords
from gateway.pool.records import UserStatus
from gateway.pool.refusals import PoolError
from tests.pool_pages.browser import ASK, CALLBACK, CLIENT_ID, PASSWORD, VERIFIER, Browser, Page
from tests.pool_pages.conftest import Clock, newest_code, pool_options
from tests.support.pool import change_user

TEMPORARY = "Given-by-admin-1"
OWNERS, OTHERS = "Owners-Engine-2", "Others-Engine-3"
ADA, TEMP = "ada@example.com", "temp@example.com"


class Paused(Passwords):
    """Hashes and checks as always; after the last of so many times it waits until it is told to go on."""

    times: int
    paused: Event
    go: Event

    async def _run(self, work: Any, *args: Any) -> Any:
        result = await super()._run(work, *args)
        self.times -= 1
        if self.times == 0:
            self.paused.set()
            await asyncio.to_thread(self.go.wait, 60)
        return result


async def sign_in(browser: Browser) -> Page:
    """Ada's old password, typed at the sign-in page."""
    return await browser.sign_in(ADA, PASSWORD)


async def choose_password(browser: Browser) -> Page:
    """The temporary password at the sign-in page, then a password of one's own."""
    page = await browser.sign_in(TEMP, TEMPORARY)
    return await browser.submit(page, "newpasswordform", new_password=OTHERS, confirm_password=OTHERS)


TIMES = {"sign_in": 1, "choose_password": 2}
"""How often a password is checked or hashed on each of the ways."""


async def in_this_process(database: Path, work: Callable[[Browser], Awaitable[Page]], paused: Event, go: Event) -> Any:
    """Do it with a pool of one's own on the database; gives where it ended, and where the browser's session leads."""
    async with create_pool(pool_options(database), clock=Clock()) as pool:
        passwords: Any = pool.backend._passwords
        passwords.__class__ = Paused
        passwords.times, passwords.paused, passwords.go = TIMES[work.__name__], paused, go
        browser = Browser(pool)
        async with browser.client:
            page = await work(browser)
            return page.location, (await browser.once("/oauth2/authorize", ASK)).location


def process(database: Path, name: str, paused: Event, go: Event, queue: Any) -> None:
    """What runs in the other process."""
    queue.put(asyncio.run(in_this_process(database, globals()[name], paused, go)))


class Elsewhere:
    """Somebody who acts in another process of the same pool, and stops in the middle."""

    def __init__(self, database: Path, work: Callable[[Browser], Awaitable[Page]]) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.paused, self.go, self.queue = spawn.Event(), spawn.Event(), spawn.Queue()
        arguments = (database, work.__name__, self.paused, self.go, self.queue)
        self.process = spawn.Process(target=process, args=arguments)

    async def until_paused(self) -> None:
        """Until the other has had its password checked."""
        self.process.start()
        assert await asyncio.to_thread(self.paused.wait, 60)

    async def end(self) -> tuple[str, str]:
        """Let the other go on to its end."""
        self.go.set()
        result: tuple[str, str] = await asyncio.to_thread(self.queue.get, timeout=60)
        await asyncio.to_thread(self.process.join, 60)
        return result


async def reset(pool: Pool, password: str = OWNERS) -> None:
    """Ada sets a new password by a code."""
    accounts, now = pool.backend.accounts, pool.backend.now()
    client = pool.backend.options.client(CLIENT_ID)
    assert client is not None
    await accounts.forgot_password(client, ADA, now)
    await accounts.confirm_forgot_password(client, ADA, newest_code(pool), password, now)


async def redeem(pool: Pool, location: str) -> str:
    """What the code in that address gives: `tokens`, or the refusal."""
    code = location.partition("code=")[2].partition("&")[0]
    form = {"grant_type": "authorization_code", "client_id": CLIENT_ID, "code": code, "redirect_uri": CALLBACK}
    answer = await Browser(pool).client.post("/oauth2/token", data={**form, "code_verifier": VERIFIER})
    return "tokens" if answer.status_code == 200 else str(answer.json()["error"])


async def test_a_reset_shuts_out_who_is_signing_in(pool: Pool, database: Path) -> None:
    """Y2: a thief's password was right when it was checked, and is reset before the sign-in is over: no way in."""
    thief = Elsewhere(database, sign_in)
    await thief.until_paused()
    await reset(pool)
    location, session = await thief.end()

    assert "code=" not in location + session


async def test_two_browsers_with_one_temporary_password(pool: Pool, database: Path, browser: Browser) -> None:
    """Y3: both have the temporary password, the owner is first: the other's new password is refused."""
    other = Elsewhere(database, choose_password)
    page = await browser.sign_in(TEMP, TEMPORARY)
    await other.until_paused()
    done = await browser.submit(page, "newpasswordform", new_password=OWNERS, confirm_password=OWNERS)
    location, session = await other.end()

    assert done.location.startswith(CALLBACK)
    assert "code=" not in location + session
    assert (await Browser(pool).sign_in(TEMP, OWNERS)).location.startswith(CALLBACK)


async def test_a_reset_ends_code_tokens_and_session(pool: Pool, browser: Browser) -> None:
    """Y2: code, refresh token, access token at userInfo and browser session of the old password end with it."""
    fresh = (await browser.sign_in(ADA, PASSWORD)).location
    used = (await browser.once("/oauth2/authorize", ASK)).location
    code = used.partition("code=")[2].partition("&")[0]
    client, now = pool.backend.options.client(CLIENT_ID), pool.backend.now()
    assert client is not None
    tokens = await pool.backend.grants.redeem(client, code=code, redirect_uri=CALLBACK, code_verifier=VERIFIER, now=now)
    await reset(pool)  # in the same second
    http = Browser(pool).client
    form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "refresh_token": tokens.refresh_token or ""}
    refreshed = await http.post("/oauth2/token", data=form)
    info = await http.get("/oauth2/userInfo", headers={"Authorization": f"Bearer {tokens.access_token}"})

    assert await redeem(pool, fresh) == "invalid_grant"
    assert (refreshed.status_code, info.status_code) == (400, 401)
    assert "code=" not in (await browser.once("/oauth2/authorize", ASK)).location


async def test_whoever_is_refused_by_a_change_is_told(pool: Pool, browser: Browser) -> None:
    """The sign-in page says that the account was changed meanwhile."""
    accounts: Any = pool.backend.accounts
    original = accounts.sign_in

    async def changed(*args: Any, **options: Any) -> Any:
        result = await original(*args, **options)
        await change_user(pool.backend.storage, result.user.sub, enabled=False)
        return result

    accounts.sign_in = changed
    page = await browser.sign_in(ADA, PASSWORD)

    assert page.path == "/login"
    assert "Your account was changed while you were signing in." in page.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"enabled": False}, "User is disabled."),
        ({"status": UserStatus.RESET_REQUIRED}, "Password reset required for the user"),
        ({"status": UserStatus.CONFIRMED}, "Invalid session for the user."),
        ({"credential_version": 2}, "Invalid session for the user."),
        ({"password_set_at": 0}, "Temporary password has expired and must be reset by an administrator."),
    ],
    ids=["disabled", "reset required", "confirmed since", "newer temporary password", "expired"],
)
async def test_a_new_password_is_judged_by_the_account_of_now(
    pool: Pool, browser: Browser, change: dict[str, Any], words: str
) -> None:
    """Y3: what happened to the account since the temporary password was typed counts, and no password is set."""
    page = await browser.sign_in(TEMP, TEMPORARY)
    client = pool.backend.options.client(CLIENT_ID)
    assert client is not None
    user = (await pool.backend.accounts.sign_in(client, TEMP, TEMPORARY, pool.backend.now())).user
    changed = await change_user(pool.backend.storage, user.sub, **change)
    refused = await browser.submit(page, "newpasswordform", new_password=OTHERS, confirm_password=OTHERS)

    assert words in refused.text
    assert await pool.backend.accounts.user(user.sub) == changed


async def test_another_client_does_not_use_the_session_up(pool: Pool) -> None:
    """Y3: a session shown by another client is refused, and still good for its own; once."""
    accounts, now = pool.backend.accounts, pool.backend.now()
    client = pool.backend.options.client(CLIENT_ID)
    assert client is not None
    session = (await accounts.sign_in(client, TEMP, TEMPORARY, now)).session
    assert session is not None
    with pytest.raises(PoolError, match="Invalid session"):
        await accounts.set_new_password(replace(client, client_id="two"), session, OTHERS, now)
    user = await accounts.set_new_password(client, session, OWNERS, now)
    with pytest.raises(PoolError, match="Invalid session"):
        await accounts.set_new_password(client, session, OTHERS, now)

    assert user.status is UserStatus.CONFIRMED
