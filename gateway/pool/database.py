"""Open a pool's database, and run short transactions on it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.pool.schema import metadata

SQLITE_BUSY_MS: Final = 5000
"""How long a writer waits for another process's transaction, in milliseconds; ours take about one."""


class Database:
    """An engine and its two kinds of transaction."""

    def __init__(self, url: str) -> None:
        self.engine: AsyncEngine = create_async_engine(url)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    async def create(self) -> None:
        """Create the tables that are missing."""
        async with self.write() as connection:
            await connection.run_sync(metadata.create_all)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read from, seeing one moment of the database."""
        async with self.engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that no other writer overlaps (SQLite), or whose read rows are locked (`with_for_update`)."""
        async with self.engine.connect() as connection:
            await connection.execution_options(pool_writes=True)
            async with connection.begin():
                yield connection

    async def aclose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


async def put(connection: AsyncConnection, table: sa.Table, row: Mapping[str, Any]) -> None:
    """Insert the row, or update the one with its primary key."""
    where = [column == row[column.name] for column in table.primary_key.columns]
    updated = await connection.execute(sa.update(table).where(*where).values(**row))
    if not updated.rowcount:
        await connection.execute(sa.insert(table).values(**row))


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    # The driver must not begin transactions by itself: its BEGIN is deferred, so that two writers which both read first
    # fail with SQLITE_BUSY instead of waiting (sqlite.org/lang_transaction.html, "Read transactions versus write").
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (f"busy_timeout={SQLITE_BUSY_MS}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("pool_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
