"""The pool's storage on PostgreSQL: a server that nobody here wrote, started for these tests on a socket of its own."""

import asyncio
import os
import pwd
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import mkdtemp
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from gateway.pool import schema
from gateway.pool.database import Database
from gateway.pool.sql import SqlStorage
from gateway.pool.stored import Identifier
from tests.pool.test_migrations import IDENTIFIERS, OLD_TABLES, USERS
from tests.pool.test_storage import StorageContract
from tests.support.pool import NOW

PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql"))  # Debian's postgresql

pytestmark = pytest.mark.peers


def as_owner(*command: str) -> None:
    """Run a program of the server: it refuses to run as root."""
    owner = {"user": "postgres"} if os.geteuid() == 0 else {}
    subprocess.run(command, check=True, capture_output=True, timeout=120, cwd="/", **owner)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The folder of the server's socket; it listens nowhere else."""
    folder = Path(mkdtemp(prefix="pg"))  # a socket's path has 107 characters at most
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    data, control = folder / "data", str(PROGRAMS / "pg_ctl")
    as_owner(str(PROGRAMS / "initdb"), "-D", str(data), "-A", "trust", "-U", "pool", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    as_owner(control, "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
    yield str(folder)
    as_owner(control, "-D", str(data), "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture
async def url(server: str) -> str:
    """The address of an empty database."""
    address = f"postgresql+asyncpg://pool@/postgres?host={quote(server)}"
    database = Database(address)
    async with database.write() as connection:
        for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
            await connection.execute(sa.text(statement))
    await database.aclose()
    return address


class TestPostgresql(StorageContract):
    """PostgreSQL over asyncpg."""

    @pytest.fixture
    async def storage(self, url: str) -> AsyncIterator[SqlStorage]:
        """A fresh database."""
        opened = SqlStorage(url)
        await opened.open()
        yield opened
        await opened.aclose()


async def old_database(url: str) -> None:
    """The tables of release 0.1, with users whose names clash."""
    database = Database(url)
    script = OLD_TABLES.replace("BLOB", "BYTEA").split(";\n")
    async with database.write() as connection:
        # A dump is sorted by name, and PostgreSQL wants a table before it is referred to.
        for statement in sorted((part for part in script if part.strip()), key=lambda part: "REFERENCES" in part):
            if not statement.strip().startswith("CREATE INDEX"):
                await connection.execute(sa.text(statement))
        for part in script:
            if part.strip().startswith("CREATE INDEX"):
                await connection.execute(sa.text(part))
        for sub, username, created, password_set in USERS:
            await connection.execute(
                sa.text("INSERT INTO users VALUES (:s, :u, 'CONFIRMED', true, '{}', 'hash', :p, :c, :c)"),
                {"s": sub, "u": username, "p": password_set, "c": created},
            )
        for kind, value, sub in IDENTIFIERS:
            await connection.execute(
                sa.text("INSERT INTO identifiers VALUES (:k, :v, :s)"), {"k": kind, "v": value, "s": sub}
            )
        await connection.execute(sa.text(f"INSERT INTO refresh_tokens VALUES ('x', 'f', {NOW + 99}, {NOW})"))
    await database.aclose()


def shape(connection: sa.Connection) -> dict[str, object]:
    """Tables, columns, keys and indexes."""
    inspector = sa.inspect(connection)
    return {
        name: (
            {(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(name)},
            inspector.get_pk_constraint(name)["constrained_columns"],
            {index["name"] for index in inspector.get_indexes(name)},
            [key["referred_table"] for key in inspector.get_foreign_keys(name)],
        )
        for name in inspector.get_table_names()
    }


async def shape_of(url: str) -> dict[str, object]:
    """The shape of the database at that address."""
    database = Database(url)
    async with database.read() as connection:
        found: dict[str, object] = await connection.run_sync(shape)
    await database.aclose()
    return found


async def test_storages_that_open_at_once_migrate_once(url: str) -> None:
    """Y3: of four processes' worth of engines at an old database one migrates it; the older user keeps a name."""
    await old_database(url)
    storages = [SqlStorage(url) for _ in range(4)]
    await asyncio.gather(*(storage.open() for storage in storages))
    async with storages[0].snapshot() as tx:
        user = await tx.users.find([Identifier("username", "ada")])
        token = await tx.grants.refresh_token(b"x")
    for storage in storages:
        await storage.aclose()

    assert user is not None
    assert user.sub == "sub-ada"
    assert token is not None
    assert token.usable_until == NOW + 60


async def test_a_migrated_database_has_the_tables_of_a_new_one(url: str) -> None:
    """The steps make on PostgreSQL too what a new database has."""
    await old_database(url)
    storage = SqlStorage(url)
    await storage.open()
    await storage.aclose()
    migrated = await shape_of(url)
    database = Database(url)
    async with database.write() as connection:
        await connection.run_sync(schema.metadata.drop_all)
    await database.aclose()
    await storage.open()
    await storage.aclose()

    assert migrated == await shape_of(url)
