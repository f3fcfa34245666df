"""Keep the pool's small records in SQL: counters, one-time codes, challenges, SSO sessions, keys."""

from dataclasses import asdict

import sqlalchemy as sa

from gateway.pool import schema
from gateway.pool.sql_store import SqlStore
from gateway.pool.stored import Challenge, Counter, OneTimeCode, Purpose, SsoSession, StoredKey


class SqlCounters(SqlStore):
    """`CounterStore` in SQL."""

    async def get(self, key: str) -> Counter | None:
        """The counter of that key."""
        await self._hold(key)
        row = await self._row(schema.counters, schema.counters.c.key == key)
        return None if row is None else Counter(count=row["count"], since=row["since"], until=row["until"])

    async def put(self, key: str, counter: Counter) -> None:
        """Keep the counter in place of any older one."""
        await self._put(schema.counters, {"key": key, **asdict(counter)})

    async def delete(self, key: str) -> None:
        """Forget the counter; an unknown one is no error."""
        await self._connection.execute(sa.delete(schema.counters).where(schema.counters.c.key == key))


class SqlOneTimeCodes(SqlStore):
    """`OneTimeCodeStore` in SQL."""

    async def put(self, code: OneTimeCode) -> None:
        """Keep the code in place of any older one."""
        await self._put(schema.one_time_codes, asdict(code))

    async def get(self, purpose: Purpose, subject: str) -> OneTimeCode | None:
        """The subject's code for that purpose."""
        await self._hold(f"{purpose} {subject}")
        row = await self._row(schema.one_time_codes, *_of(purpose, subject))
        return None if row is None else OneTimeCode(**row)

    async def delete(self, purpose: Purpose, subject: str) -> None:
        """Forget the code; an unknown one is no error."""
        await self._connection.execute(sa.delete(schema.one_time_codes).where(*_of(purpose, subject)))


def _of(purpose: Purpose, subject: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return schema.one_time_codes.c.purpose == purpose, schema.one_time_codes.c.subject == subject


class SqlChallenges(SqlStore):
    """`ChallengeStore` in SQL."""

    async def put(self, challenge: Challenge) -> None:
        """Keep it."""
        await self._put(schema.challenges, asdict(challenge))

    async def get(self, digest: bytes) -> Challenge | None:
        """The challenge of that digest."""
        row = await self._row(schema.challenges, schema.challenges.c.digest == digest)
        return None if row is None else Challenge(**row)

    async def delete(self, digest: bytes) -> None:
        """Forget it; an unknown one is no error."""
        await self._connection.execute(sa.delete(schema.challenges).where(schema.challenges.c.digest == digest))


class SqlSso(SqlStore):
    """`SsoStore` in SQL."""

    async def put(self, session: SsoSession) -> None:
        """Keep it."""
        await self._put(schema.sso_sessions, asdict(session))

    async def get(self, digest: bytes) -> SsoSession | None:
        """The session of that digest."""
        row = await self._row(schema.sso_sessions, schema.sso_sessions.c.digest == digest)
        return None if row is None else SsoSession(**row)

    async def delete(self, digest: bytes) -> None:
        """End one session; unknown ones are no error."""
        await self._connection.execute(sa.delete(schema.sso_sessions).where(schema.sso_sessions.c.digest == digest))


class SqlKeys(SqlStore):
    """`KeyStore` in SQL."""

    async def get(self, name: str) -> bytes | None:
        """The value of that name."""
        row = await self._row(schema.keys, schema.keys.c.name == name)
        return None if row is None else row["value"]

    async def add(self, key: StoredKey) -> bytes:
        """Keep it unless there is one already; gives what is kept then."""
        await self._add(schema.keys, asdict(key))
        return await self.get(key.name) or key.value
