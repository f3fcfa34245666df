"""Bundle the SQL stores into one storage, and forget in it what has expired."""

from typing import Final

import sqlalchemy as sa

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
    UserStore,
)

KEPT_AFTER_EXPIRY: Final = DAY
"""Seconds that an expired record stays: a code used twice is noticed (R3), an old code is called expired."""


class SqlStorage:
    """`PoolStorage` on SQLAlchemy: SQLite in WAL mode by default."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.name = self.database.name
        self.users: UserStore = SqlUsers(self.database)
        self.counters: CounterStore = SqlCounters(self.database)
        self.codes: OneTimeCodeStore = SqlOneTimeCodes(self.database)
        self.grants: GrantStore = SqlGrants(self.database)
        self.challenges: ChallengeStore = SqlChallenges(self.database)
        self.sso: SsoStore = SqlSso(self.database)
        self.keys: KeyStore = SqlKeys(self.database)

    async def open(self) -> None:
        """Create the tables that are missing. Raises SettingsError when the database cannot be used."""
        await self.database.create()

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
