"""A user pool for tests: cheap hashes, a clock that is set by hand, a mailbox that is read."""

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.core.secret import Secret
from gateway.pool.backend import Backend
from gateway.pool.options import CHEAPEST_FOR_TESTS, PoolOptions, SeedUser
from gateway.pool.records import AppClient, Group, ResourceServer, User
from gateway.pool.storage import PoolStorage
from gateway.pool.stored import StoredKey
from gateway.pool.tokens import new_key

NOW = 1_700_000_000
"""When every test begins, in seconds since the epoch."""
CALLBACK = "https://app.test/oauth2/callback"
PASSWORD = "Correct horse 7 battery!"

WEB = AppClient(
    client_id="webclient0123456789abcdefg",
    client_secret=Secret("web+secret%2B/of/fifty/characters/0123456789abcdef"),
    callback_urls=(CALLBACK,),
    logout_urls=("https://app.test/",),
    allowed_scopes=("openid", "email", "profile", "phone", "api/read"),
)
PUBLIC = AppClient(client_id="publicclient", callback_urls=(CALLBACK,), require_pkce=True)
ROTATING = AppClient(
    client_id="rotating",
    client_secret=Secret("rotating-secret"),
    callback_urls=(CALLBACK,),
    refresh_token_rotation=True,
    rotation_grace=10,
)
MACHINE = AppClient(
    client_id="machine",
    client_secret=Secret("machine-secret"),
    allowed_flows=frozenset({"client_credentials"}),
    allowed_scopes=("api/read", "openid"),
)
LEGACY = AppClient(client_id="legacy", callback_urls=(CALLBACK,), prevent_user_existence_errors=False)


@functools.cache
def signing_key(use: str) -> bytes:
    """A signing key as the storage keeps it, made once for all tests: RSA keys take long."""
    return new_key(None)


@asynccontextmanager
async def opened(options: PoolOptions, clock: Callable[[], float]) -> AsyncIterator[Backend]:
    """An open pool whose signing keys are ready-made."""
    backend = Backend(options, clock=clock)
    await backend.storage.open()
    if options.secret is None:
        for use in ("id", "access"):
            await backend.key(StoredKey(name=f"signing-{use}", value=signing_key(use)))
    async with backend:
        yield backend


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def options_for(folder: Path, **changes: object) -> PoolOptions:
    """Options of a pool with five clients and one user, Ada; its database is in the folder."""
    values: dict[str, object] = {
        "pool_id": "eu-west-1_AbC123xyz",
        "name": "tests",
        "base_url": "https://login.test",
        "database": f"sqlite+aiosqlite:///{folder}/pool.db",
        "argon2": CHEAPEST_FOR_TESTS,
        "development": True,
        "clients": (WEB, PUBLIC, ROTATING, MACHINE, LEGACY),
        "groups": (Group(name="admins", precedence=1), Group(name="readers", precedence=5)),
        "seed_users": (
            SeedUser(
                username="ada@example.com",
                password=Secret(PASSWORD),
                attributes={"given_name": "Ada", "name": "Ada Lovelace"},
                groups=("readers", "admins"),
            ),
        ),
        "resource_servers": (ResourceServer(identifier="api", scopes={"read": "Read everything"}),),
    }
    return PoolOptions(**{**values, **changes})  # type: ignore[arg-type]


def last_code(backend: Backend) -> str:
    """The code of the newest e-mail."""
    assert backend.mailbox is not None
    code = backend.mailbox.mails[0].code
    assert code is not None
    return code


async def ada(backend: Backend) -> User:
    """The seed user."""
    result = await backend.accounts.sign_in(WEB, "ada@example.com", PASSWORD, backend.now())
    return result.user


async def change_user(storage: PoolStorage, sub: str, **changes: Any) -> User:
    """Change a user behind everybody's back, as an administrator would."""
    async with storage.transaction() as tx:
        user = await tx.users.get(sub)
        assert user is not None
        changed = replace(user, **changes)
        await tx.users.save(changed)
    return changed


async def issue_code(backend: Backend, client: AppClient, user: User, **asked: Any) -> str:
    """A code, in a transaction of its own; what the pages do once they know the user."""
    async with backend.storage.transaction() as tx:
        return await backend.grants.issue_code(tx, client, user, **asked)
