"""A database that is busy or fails: nobody sees a traceback, and what can be done without it is done."""

import asyncio
import logging
import shutil
from pathlib import Path

import pytest

from gateway.errors import SettingsError, StorageUnavailable
from gateway.pool import backend as backend_module
from gateway.pool.app import Pool, create_pool
from gateway.pool.backend import Backend
from gateway.pool.sql import SqlStorage
from tests.pool_pages.browser import ASK, CALLBACK, CLIENT_ID, PASSWORD, SIGNED_OUT, VERIFIER, Browser
from tests.pool_pages.conftest import Clock, pool_options
from tests.support.faults import faults

ADA = "ada@example.com"


async def test_programs_are_told_in_json(pool: Pool, browser: Browser) -> None:
    """Y1: token, userInfo and revocation say `server_error`, 503, to every origin; nothing is used up by it."""
    code = (await browser.sign_in(ADA, PASSWORD)).answer["code"]
    form = {"grant_type": "authorization_code", "client_id": CLIENT_ID, "code": code, "redirect_uri": CALLBACK}
    form["code_verifier"] = VERIFIER
    http = browser.client
    with faults(pool.backend, 0):
        answers = [await http.post("/oauth2/token", data=form)]
        answers += [await http.post("/oauth2/revoke", data={"client_id": CLIENT_ID, "token": "x"})]
    tokens = await http.post("/oauth2/token", data=form)
    with faults(pool.backend, 0):
        header = {"Authorization": f"Bearer {tokens.json()['access_token']}"}
        answers += [await http.get("/oauth2/userInfo", headers=header)]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(503, {"error": "server_error"})] * 3
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}
    assert tokens.status_code == 200


@pytest.mark.parametrize("passing", [0, 1, 4, 7])
async def test_authorize_goes_back_with_an_error(pool: Pool, browser: Browser, passing: int) -> None:
    """Y1: the application is told `server_error` and gets its `state`, at whichever statement the database fails."""
    await browser.sign_in(ADA, PASSWORD)
    with faults(pool.backend, passing):
        answer = await browser.once("/oauth2/authorize", ASK)

    assert answer.location.startswith(CALLBACK)
    assert answer.answer == {"state": ASK["state"], "error": "server_error"}
    assert "code" in (await browser.once("/oauth2/authorize", ASK)).answer


async def test_sign_out_drops_the_cookie(pool: Pool, browser: Browser) -> None:
    """Y1: whoever signs out while the database fails goes on without the cookie."""
    await browser.sign_in(ADA, PASSWORD)
    with faults(pool.backend, 0):
        answer = await browser.once("/logout", {"client_id": CLIENT_ID, "logout_uri": SIGNED_OUT})

    assert answer.location == SIGNED_OUT
    assert "cognito" not in browser.cookies


async def test_pages_say_that_the_service_is_busy(
    pool: Pool, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """Y1: a form gets a page with status 503; the log has one line with the reason, and no address in it."""
    page = await browser.login_page()
    with faults(pool.backend, 0), caplog.at_level(logging.WARNING):
        answer = await browser.submit(page, "cognitoSignInForm", username=ADA, password=PASSWORD)

    assert answer.status == 503
    assert "The service is busy. Please try again in a moment." in answer.text
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [f"database: {pool.backend.storage.name}: disk I/O error"]


async def test_a_start_without_a_database_is_a_sentence(tmp_path, clock: Clock) -> None:
    """Y1: a database that fails at the start stops it with a sentence, not with a traceback."""
    database = tmp_path / "pool.db"
    async with create_pool(pool_options(database), clock=clock):
        pass
    backend = Backend(pool_options(database), clock=clock)
    with faults(backend, 4), pytest.raises(SettingsError) as caught:
        await backend.open()

    assert str(caught.value) == f"database: {database} cannot be used: disk I/O error"


async def test_forgetting_goes_on_after_a_failure(
    tmp_path, clock: Clock, ready_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Y1: an hour in which the database fails does not end the regular purge."""
    purged = asyncio.Event()
    calls: list[int] = []

    class Failing(SqlStorage):
        async def purge(self, now: int) -> None:
            calls.append(now)
            if len(calls) == 2:  # the first is at the start
                raise StorageUnavailable("busy")
            if len(calls) > 2:
                purged.set()

    monkeypatch.setattr(backend_module, "PURGE_SECONDS", 0)
    monkeypatch.setattr(backend_module, "SqlStorage", Failing)
    database = Path(shutil.copy(ready_database, tmp_path / "pool.db"))
    async with Backend(pool_options(database), clock=clock):
        await asyncio.wait_for(purged.wait(), 30)

    assert len(calls) > 2
