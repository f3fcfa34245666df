"""Open a pool's database, and run short transactions on it."""

import asyncio
import contextlib
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.errors import SettingsError, StorageUnavailable
from gateway.pool.schema import VERSION
from gateway.pool.versions import prepare, version_of

_log = logging.getLogger(__name__)

SQLITE_BUSY_MS: Final = 5000
"""How long a writer waits for another process's transaction, in milliseconds; ours take about one."""

_FAILURES: Final = (sa.exc.DBAPIError, sa.exc.TimeoutError, sqlite3.Error, OSError)
"""A statement that failed, no connection free in time, no server: none of them is the client's fault."""

_UNUSABLE: Final = (StorageUnavailable, sa.exc.SQLAlchemyError, sqlite3.Error, OSError, TypeError, ValueError)
"""What drivers raise at the first connection: no file, no server, no right, an unknown option in the address."""


class Database:
    """An engine and its two kinds of transaction. Raises SettingsError for an address that cannot be one."""

    def __init__(self, url: str, *, durable: bool = True) -> None:
        self.engine: AsyncEngine = _engine(url)
        self._turn = asyncio.Lock()
        self._durable = durable
        dialect = self.engine.dialect.name
        self.name = self.engine.url.database or {"sqlite": ":memory:"}.get(dialect, dialect)
        """What messages call it: SQLite's file, a server's database; never the whole address with its password."""
        if dialect == "sqlite":
            sa.event.listen(self.engine.sync_engine, "connect", self._prepare_sqlite)
            sa.event.listen(self.engine.sync_engine, "begin", _begin_sqlite)

    async def create(self) -> None:
        """Create the tables, or bring older ones to today's version after a SQLite file was copied aside.

        All of it is one transaction, so that of two processes that start at once one does it, and one that fails
        half-way has done nothing.

        Raises:
            SettingsError: the database cannot be used, or a newer release wrote it.
        """
        try:
            if self.engine.dialect.name == "sqlite":
                await asyncio.to_thread(_probe_sqlite, self.name)
            async with self.read() as connection:
                version = await connection.run_sync(version_of)
            if version != VERSION:
                async with self.write() as connection:
                    await connection.run_sync(prepare, self.name)
        except _UNUSABLE as error:
            raise SettingsError(f"database: {self.name} cannot be used: {self._reason(error)}") from error

    def _reason(self, error: Exception) -> str:
        """What the driver says, without the statement that failed."""
        if self.engine.dialect.name == "sqlite" and not Path(self.name).absolute().parent.exists():
            return f"{_words(error)} (its folder does not exist)"
        return _words(error)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read from, seeing one moment of the database (SQLite). Raises StorageUnavailable."""
        with self._translated():
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that no other writer overlaps (SQLite), or whose read rows are locked (`with_for_update`).

        Raises StorageUnavailable.
        """
        with self._translated():
            async with self._alone(), self.engine.connect() as connection:
                await connection.execution_options(pool_writes=True)
                async with connection.begin():
                    yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            _log.warning("database: %s: %s", self.name, _words(error))
            raise StorageUnavailable(_words(error)) from error

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Writers of one process queue here: SQLite's own waiting is not fair, and each would hold a thread for it."""
        if self.engine.dialect.name != "sqlite":
            yield
            return
        async with asyncio.timeout(SQLITE_BUSY_MS / 1000):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def aclose(self) -> None:
        """Close every connection."""
        await self.engine.dispose()

    def _prepare_sqlite(self, connection: DBAPIConnection, _record: object) -> None:
        try:
            _set_pragmas(connection, "FULL" if self._durable else "NORMAL")
        except Exception:
            connection.close()  # SQLAlchemy does not
            raise


def _engine(url: str) -> AsyncEngine:
    try:
        return create_async_engine(url, hide_parameters=True)  # they hold addresses and names
    except sa.exc.InvalidRequestError as error:
        hint = "its driver must be asynchronous, for example sqlite+aiosqlite"
        raise SettingsError(f"database: cannot be used: {hint}") from error
    except (sa.exc.ArgumentError, ImportError, TypeError, ValueError) as error:  # an extra piece, a missing driver
        raise SettingsError(f"database: cannot be used: {_words(error)}") from error


def _words(error: Exception) -> str:
    cause = getattr(error, "orig", None) or error
    return str(cause).partition("\n")[0] or type(cause).__name__


def _probe_sqlite(path: str) -> None:
    # aiosqlite leaves a thread behind that still speaks to the event loop when a file cannot be opened (core._connect).
    if path != ":memory:" and not path.startswith("file:"):
        with contextlib.suppress(OSError):  # there already, or SQLite says what is wrong
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))  # it holds addresses and keys
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA schema_version")


def _set_pragmas(connection: DBAPIConnection, synchronous: str) -> None:
    # The driver must not begin transactions by itself: its BEGIN is deferred, so that two writers which both read first
    # fail with SQLITE_BUSY instead of waiting (sqlite.org/lang_transaction.html, "Read transactions versus write").
    connection.isolation_level = None
    cursor = connection.cursor()
    # In WAL mode NORMAL may lose the last commits in a power cut, and a used code would be good again
    # (sqlite.org/pragma.html#pragma_synchronous).
    pragmas = (f"busy_timeout={SQLITE_BUSY_MS}", "journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON")
    for pragma in pragmas:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("pool_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
