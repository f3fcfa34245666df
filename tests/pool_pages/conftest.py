"""A whole pool on a copy of a ready database, with a clock that tests move."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.core.secret import Secret
from gateway.pool.app import Pool, create_pool
from gateway.pool.options import CHEAPEST_FOR_TESTS, MailOptions, PoolOptions, SeedUser
from gateway.pool.records import AppClient, ResourceServer
from tests.pool_pages.browser import BASE, CALLBACK, CLIENT_ID, PASSWORD, SIGNED_OUT, Browser

START = 1_700_000_000


class Clock:
    """Seconds since the epoch, as a test wants them."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return float(self.now)


def pool_options(database: Path, **changes: object) -> PoolOptions:
    """A development pool with one public client, one with two callbacks, and two users."""
    standard: dict[str, object] = {
        "pool_id": "eu-west-1_AbC123xyz",
        "name": "Acorn Books",
        "base_url": BASE,
        "database": f"sqlite+aiosqlite:///{database}",
        "required_attributes": ("email", "name"),
        "argon2": CHEAPEST_FOR_TESTS,
        "development": True,
        "clients": (
            AppClient(
                client_id=CLIENT_ID,
                client_name="Shop",
                callback_urls=(CALLBACK,),
                logout_urls=(SIGNED_OUT,),
                allowed_scopes=("openid", "email", "profile", "api/read", "gone/read"),
            ),
            AppClient(client_id="two", callback_urls=("https://a.example/cb", "https://b.example/cb?x=1")),
            AppClient(
                client_id="machine",
                client_secret=Secret("s" * 40),
                allowed_flows=frozenset({"client_credentials"}),
                callback_urls=("https://m.example/cb",),
            ),
            AppClient(client_id="strict", callback_urls=(CALLBACK,), require_pkce=True),
        ),
        "resource_servers": (ResourceServer(identifier="api", scopes={"read": "Read"}),),
        "seed_users": (
            SeedUser(username="ada@example.com", password=Secret(PASSWORD), attributes={"name": "Ada"}),
            SeedUser(
                username="temp@example.com",
                password=Secret("Given-by-admin-1"),
                attributes={"name": "Temp"},
                temporary_password=True,
            ),
        ),
    }
    return PoolOptions(**(standard | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def ready_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that was opened once: making RSA keys takes longer than a test."""
    path = tmp_path_factory.mktemp("pool") / "ready.db"

    async def prepare() -> None:
        async with create_pool(pool_options(path), clock=Clock()):
            pass

    asyncio.run(prepare())
    return path


@pytest.fixture
def database(ready_database: Path, tmp_path: Path) -> Path:
    """A copy of the ready database for one test."""
    return Path(shutil.copy(ready_database, tmp_path / "pool.db"))


@pytest.fixture
def clock() -> Clock:
    """The pool's clock."""
    return Clock()


@pytest.fixture
async def pool(database: Path, clock: Clock) -> AsyncIterator[Pool]:
    """An open pool."""
    async with create_pool(pool_options(database), clock=clock) as opened:
        yield opened


@pytest.fixture
async def browser(pool: Pool) -> AsyncIterator[Browser]:
    """One person's browser."""
    visitor = Browser(pool)
    async with visitor.client:
        yield visitor


@pytest.fixture
async def production(database: Path, tmp_path: Path, clock: Clock) -> AsyncIterator[Browser]:
    """A browser at a pool that is not in development mode."""
    mail = MailOptions(kind="folder", folder=tmp_path / "mail")
    options = pool_options(database, development=False, mail=mail)
    async with create_pool(options, clock=clock) as opened:
        visitor = Browser(opened)
        async with visitor.client:
            yield visitor


@pytest.fixture
async def other(pool: Pool) -> AsyncIterator[Browser]:
    """Somebody else's browser."""
    visitor = Browser(pool)
    async with visitor.client:
        yield visitor


def newest_code(pool: Pool) -> str:
    """The code in the newest e-mail."""
    assert pool.backend.mailbox is not None
    return pool.backend.mailbox.mails[0].code or ""
