"""Keep the pool's small records in SQL: counters, one-time codes, challenges, SSO sessions, keys."""

from collections.abc import Callable
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gateway.pool import schema
from gateway.pool.database import Database, put
from gateway.pool.stored import Challenge, Counter, OneTimeCode, Purpose, SsoSession, StoredKey


class SqlCounters:
    """`CounterStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def change(self, key: str, change: Callable[[Counter | None], Counter | None]) -> Counter | None:
        """Replace the counter by `change(counter)`, `None` for none. Gives the new one."""
        table = schema.counters
        query = sa.select(table).where(table.c.key == key).with_for_update()
        async with self._database.write() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
            old = None if row is None else Counter(count=row["count"], since=row["since"], until=row["until"])
            new = change(old)
            if new is None:
                await connection.execute(sa.delete(table).where(table.c.key == key))
            elif new != old:
                await put(connection, table, {"key": key, **asdict(new)})
            return new


class SqlOneTimeCodes:
    """`OneTimeCodeStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, code: OneTimeCode) -> None:
        """Keep the code in place of any older one."""
        async with self._database.write() as connection:
            await put(connection, schema.one_time_codes, asdict(code))

    async def change(
        self, purpose: Purpose, subject: str, change: Callable[[OneTimeCode | None], OneTimeCode | None]
    ) -> OneTimeCode | None:
        """Replace the code by `change(code)`, `None` for none. Gives the new one."""
        table = schema.one_time_codes
        which = (table.c.purpose == purpose, table.c.subject == subject)
        async with self._database.write() as connection:
            row = (await connection.execute(sa.select(table).where(*which).with_for_update())).mappings().one_or_none()
            new = change(None if row is None else OneTimeCode(**row))
            if new is None:
                await connection.execute(sa.delete(table).where(*which))
            else:
                await put(connection, table, asdict(new))
            return new


class SqlChallenges:
    """`ChallengeStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, challenge: Challenge) -> None:
        """Keep it."""
        async with self._database.write() as connection:
            await put(connection, schema.challenges, asdict(challenge))

    async def take(self, digest: bytes) -> Challenge | None:
        """Give it once."""
        table = schema.challenges
        taking = sa.delete(table).where(table.c.digest == digest).returning(*table.c)
        async with self._database.write() as connection:
            row = (await connection.execute(taking)).mappings().one_or_none()
        return None if row is None else Challenge(**row)


class SqlSso:
    """`SsoStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, session: SsoSession) -> None:
        """Keep it."""
        async with self._database.write() as connection:
            await put(connection, schema.sso_sessions, asdict(session))

    async def get(self, digest: bytes) -> SsoSession | None:
        """The session of that digest."""
        query = sa.select(schema.sso_sessions).where(schema.sso_sessions.c.digest == digest)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).mappings().one_or_none()
        return None if row is None else SsoSession(**row)

    async def delete(self, digest: bytes) -> None:
        """End one session; unknown ones are no error."""
        await self._delete(schema.sso_sessions.c.digest == digest)

    async def delete_user(self, sub: str) -> None:
        """End every session of the user."""
        await self._delete(schema.sso_sessions.c.sub == sub)

    async def _delete(self, which: sa.ColumnElement[bool]) -> None:
        async with self._database.write() as connection:
            await connection.execute(sa.delete(schema.sso_sessions).where(which))


class SqlKeys:
    """`KeyStore` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> bytes | None:
        """The value of that name."""
        query = sa.select(schema.keys.c.value).where(schema.keys.c.name == name)
        async with self._database.read() as connection:
            value: bytes | None = (await connection.execute(query)).scalar_one_or_none()
        return value

    async def add(self, key: StoredKey) -> bytes:
        """Keep it unless there is one already; gives what is kept then."""
        try:
            async with self._database.write() as connection:
                await connection.execute(sa.insert(schema.keys).values(**asdict(key)))
        except IntegrityError:  # another process of the same pool was first
            return await self.get(key.name) or key.value
        return key.value
