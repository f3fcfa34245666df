"""Tell which version a database has, and make it today's."""

import logging
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from gateway.errors import SettingsError
from gateway.pool.schema import OLDER, VERSION, metadata, versions

_LOCK: Final = 0x636F676E69746F  # "cognito"
"""The key of PostgreSQL's lock for the time of a migration: any number that nobody else uses."""


def version_of(connection: sa.Connection) -> str | None:
    """The revision of the tables; `None` where there are none yet."""
    tables = sa.inspect(connection).get_table_names()
    if versions.name in tables:
        found: str = connection.execute(sa.select(versions.c.version_num)).scalar_one()
        return found
    return OLDER[0] if "users" in tables else None


def prepare(connection: sa.Connection, name: str) -> None:
    """Create the tables or migrate them, in the connection's transaction, which no other process enters meanwhile.

    Raises:
        SettingsError: a newer release wrote the database.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    version = version_of(connection)
    if version is None:
        metadata.create_all(connection)
        connection.execute(sa.insert(versions).values(version_num=VERSION))
    elif version in OLDER:
        _copy_aside(connection, version)
        logging.getLogger("alembic").setLevel(logging.WARNING)  # it announces plug-ins and steps at INFO
        from gateway.pool.migrations import upgrade  # noqa: PLC0415 - loading Alembic takes longer than all of a start

        upgrade(connection, version)
    elif version != VERSION:
        raise SettingsError(
            f"database: {name} was written by a newer release (version {version}, this one knows {VERSION}): "
            "install that release, or use a copy from before"
        )


def _copy_aside(connection: sa.Connection, version: str) -> None:
    """Keep a SQLite file as it is before the migration, next to it; a server's database has backups of its own.

    Release 0.1 made its file as the umask said. One that everybody may read was not meant so, and is its owner's now.
    """
    if connection.dialect.name != "sqlite":
        return
    path = next(row.file for row in connection.exec_driver_sql("PRAGMA database_list") if row.name == "main")
    if path:
        _copy(Path(path), Path(f"{path}.{version}"))
        _close_to_others(Path(path))


def _close_to_others(path: Path) -> None:
    for part in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        with suppress(OSError):  # not there, or another user's: then it stays as it is
            if part.stat().st_mode & 0o007:
                part.chmod(0o600)


def _copy(path: Path, target: Path) -> None:
    draft = target.with_name(f"{target.name}.part")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(draft)) as copy:
        source.backup(copy)  # what was committed, the write-ahead log included
    draft.replace(target)
