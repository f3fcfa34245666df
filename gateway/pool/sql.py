"""Bundle the SQL stores into one storage, and forget in it what has expired."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.pool import schema
from gateway.pool.database import Database
from gateway.pool.records import DAY
from gateway.pool.sql_grants import SqlGrants
from gateway.pool.sql_small import SqlChallenges, SqlCounters, SqlKeys, SqlOneTimeCodes, SqlSso
from gateway.pool.sql_users import SqlUsers
from gateway.pool.storage import (
    ChallengeStore,
    CounterStore,
    GrantStore,
    KeyStore,
    OneTimeCodeStore,
    SsoStore,
    Transaction,
    UserStore,
)

KEPT_AFTER_EXPIRY: Final = DAY
"""Seconds that an expired record stays: a code used twice is noticed (R3), an old code is called expired."""


class SqlTransaction:
    """`Transaction` on one connection; rows that are read are locked where `locks` says so."""

    def __init__(self, connection: AsyncConnection, *, locks: bool) -> None:
        self.users: UserStore = SqlUsers(connection, locks=locks)
        self.counters: CounterStore = SqlCounters(connection, locks=locks)
        self.codes: OneTimeCodeStore = SqlOneTimeCodes(connection, locks=locks)
        self.grants: GrantStore = SqlGrants(connection, locks=locks)
        self.challenges: ChallengeStore = SqlChallenges(connection, locks=locks)
        self.sso: SsoStore = SqlSso(connection, locks=locks)
        self.keys: KeyStore = SqlKeys(connection, locks=locks)


class SqlStorage:
    """`PoolStorage` on SQLAlchemy: SQLite in WAL mode by default. `durable`: a commit survives a power cut."""

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self.database = Database(url, durable=durable)
        self.name = self.database.name

    async def open(self) -> None:
        """Create the tables that are missing. Raises SettingsError when the database cannot be used."""
        await self.database.create()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A unit of work."""
        async with self.database.write() as connection:
            yield SqlTransaction(connection, locks=True)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Transaction]:
        """For reading only."""
        async with self.database.read() as connection:
            yield SqlTransaction(connection, locks=False)

    async def purge(self, now: int) -> None:
        """Forget what has expired for a day."""
        before = now - KEPT_AFTER_EXPIRY
        expired = (
            schema.counters.c.until, schema.one_time_codes.c.expires_at, schema.authorization_codes.c.expires_at,
            schema.refresh_tokens.c.expires_at, schema.grants.c.expires_at, schema.challenges.c.expires_at,
            schema.sso_sessions.c.expires_at,
        )  # fmt: skip
        async with self.database.write() as connection:
            for column in expired:
                await connection.execute(sa.delete(column.table).where(column < before))

    async def aclose(self) -> None:
        """Close every connection."""
        await self.database.aclose()
