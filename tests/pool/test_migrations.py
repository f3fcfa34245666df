"""A database of an older release becomes one of today, or is refused; nothing is lost on the way."""

import asyncio
import logging
import multiprocessing
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from gateway.errors import SettingsError
from gateway.pool import migrations, schema
from gateway.pool.records import UserStatus
from gateway.pool.sql import SqlStorage
from gateway.pool.stored import Identifier
from tests.support.pool import NOW

OLD_TABLES = (Path(__file__).parents[1] / "data/pool/schema-0.1.sql").read_text()
USERS = [
    # sub, username, created_at, password_set_at
    ("sub-ada", "ada", NOW, NOW),
    ("sub-bob", "bob", NOW + 1, NOW + 100),
    ("sub-mal", "mallory", NOW + 2, NOW + 2),
]
IDENTIFIERS = [
    ("username", "ada", "sub-ada"),
    ("preferred_username", "ada", "sub-mal"),
    ("email", "bob@example.com", "sub-bob"),
    ("preferred_username", "bob@example.com", "sub-mal"),
    ("username", "mallory", "sub-mal"),
    ("preferred_username", "mallory", "sub-mal"),
]


def old_database(path: Path) -> None:
    """A file as release 0.1 left it, with its last change still in the write-ahead log."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(OLD_TABLES)
        for sub, username, created, password_set in USERS:
            row = (sub, username, "CONFIRMED", True, "{}", "hash", password_set, created, created)
            connection.execute("INSERT INTO users VALUES (?,?,?,?,?,?,?,?,?)", row)
            grant = (f"f-{sub}", "web", sub, '["openid"]', NOW + 10, None, None, NOW + 1000, None)
            connection.execute("INSERT INTO grants VALUES (?,?,?,?,?,?,?,?,?)", grant)
            session = (sub.encode(), sub, NOW + 10, NOW + 1000)
            connection.execute("INSERT INTO sso_sessions VALUES (?,?,?,?)", session)
        connection.executemany("INSERT INTO identifiers VALUES (?,?,?)", IDENTIFIERS)
        connection.execute("INSERT INTO memberships VALUES ('sub-ada', 'admins')")
        connection.execute("INSERT INTO refresh_tokens VALUES (x'01', 'f-sub-ada', ?, ?)", (NOW + 1000, NOW + 20))
        connection.execute("INSERT INTO refresh_tokens VALUES (x'02', 'f-sub-ada', ?, NULL)", (NOW + 1000,))
        connection.commit()


def url_of(path: Path) -> str:
    """The address of a file."""
    return f"sqlite+aiosqlite:///{path}"


async def opened(path: Path) -> SqlStorage:
    """The storage on that file, made today's."""
    storage = SqlStorage(url_of(path))
    await storage.open()
    return storage


@pytest.fixture
def old(tmp_path) -> Path:
    """A file of release 0.1."""
    path: Path = tmp_path / "pool.db"
    old_database(path)
    return path


def shape(path: Path) -> dict[str, Any]:
    """Tables, columns and indexes of a file, without the order that columns have."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: (
                {row[1:] for row in connection.execute(f"PRAGMA table_info({table})")},
                {row[1] for row in connection.execute(f"PRAGMA index_list({table})")},
                {row[2:] for row in connection.execute(f"PRAGMA foreign_key_list({table})")},
            )
            for table in tables
        }


def content(path: Path) -> list[str]:
    """All that a file holds."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.iterdump())


async def test_an_old_database_is_migrated_to_the_tables_of_today(old, tmp_path):
    """The steps make what a new database has: the same tables, columns, keys and indexes."""
    for path in (old, tmp_path / "new.db"):
        await (await opened(path)).aclose()

    assert shape(old) == shape(tmp_path / "new.db")


def test_the_schema_knows_every_revision():
    """The version in the schema is the last step's, and every older one leads to it."""
    config = Config()
    config.set_main_option("script_location", "gateway.pool:migrations")
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]

    assert steps == [schema.VERSION, *reversed(schema.OLDER)]


async def test_users_and_what_they_began_are_kept(old):
    """Users, groups, grants and browser sessions are there after a migration."""
    storage = await opened(old)
    async with storage.snapshot() as tx:
        ada = await tx.users.find([Identifier("username", "ada")])
        grant, session = await tx.grants.get("f-sub-ada"), await tx.sso.get(b"sub-ada")
    await storage.aclose()

    assert ada is not None
    assert (ada.sub, ada.status, ada.groups, ada.credential_version) == (
        "sub-ada", UserStatus.CONFIRMED, ("admins",), 1,
    )  # fmt: skip
    assert grant is not None
    assert (grant.scopes, grant.credential_version, grant.revoked_at) == (("openid",), 1, None)
    assert session is not None


async def test_what_an_older_password_began_ends_with_the_migration(old):
    """Y2: 0.1 could leave grants and sessions of a password that was reset: they do not come along."""
    storage = await opened(old)
    async with storage.snapshot() as tx:
        grant, session = await tx.grants.get("f-sub-bob"), await tx.sso.get(b"sub-bob")
    await storage.aclose()

    assert grant is not None
    assert grant.revoked_at is not None
    assert session is None


async def test_rotated_tokens_stay_rotated(old):
    """Y6: a token rotated before the migration has the longest grace that there was, never more."""
    storage = await opened(old)
    async with storage.snapshot() as tx:
        rotated, fresh = [await tx.grants.refresh_token(digest) for digest in (b"\x01", b"\x02")]
    await storage.aclose()

    assert rotated is not None
    assert fresh is not None
    assert (rotated.rotated_at, rotated.usable_until) == (NOW + 20, NOW + 80)
    assert (fresh.rotated_at, fresh.usable_until) == (None, None)


async def test_of_two_users_of_one_name_the_older_keeps_it(old, caplog):
    """Y5: the migration lists each clash by the users' `sub`, never by the name, which may be an address."""
    with caplog.at_level(logging.DEBUG):
        storage = await opened(old)
    async with storage.snapshot() as tx:
        kinds = ("username", "email", "preferred_username")
        owners = {
            name: user and user.sub
            for name in ("ada", "bob@example.com", "mallory")
            for user in [await tx.users.find([Identifier(kind, name) for kind in kinds])]
        }
    await storage.aclose()

    assert owners == {"ada": "sub-ada", "bob@example.com": "sub-bob", "mallory": "sub-mal"}
    lines = [record.getMessage() for record in caplog.records if not record.name.startswith("aiosqlite")]
    assert lines == [
        "database: user sub-ada keeps a name that user sub-mal had as preferred_username",
        "database: user sub-bob keeps a name that user sub-mal had as preferred_username",
    ]


async def test_a_copy_stays_of_what_was_there(old):
    """The file of before is next to the new one, whole, and for its owner only; new files are too."""
    before = content(old)
    await (await opened(old)).aclose()
    copy = old.with_name("pool.db.0001")

    assert content(copy) == before
    assert copy.stat().st_mode & 0o077 == 0
    assert not list(old.parent.glob("*.part"))


@pytest.mark.parametrize(("made", "kept"), [(0o644, 0o600), (0o664, 0o600), (0o640, 0o640), (0o660, 0o660)])
async def test_a_file_that_everybody_could_read_is_for_its_owner_only(old, made, kept):
    """Z4: 0.1 made its files as the umask said, so that each user of the machine could read hashes and keys."""
    with closing(sqlite3.connect(old)) as reader:
        reader.execute("SELECT * FROM users").fetchall()  # keeps the log and its index there
        beside = [old.with_name(f"pool.db-{part}") for part in ("wal", "shm")]
        for path in (old, *beside):
            path.chmod(made)
        await (await opened(old)).aclose()
        modes = [path.stat().st_mode & 0o777 for path in (old, *beside)]

    assert modes == [kept] * 3


async def test_a_migration_says_nothing_of_its_tools(old):
    """Alembic announces its plug-ins when it is loaded: nothing that an operator can use."""
    code = (
        "import asyncio, logging, sys\n"
        "from gateway.pool.sql import SqlStorage\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "async def migrate():\n"
        "    storage = SqlStorage(sys.argv[1])\n"
        "    await storage.open()\n"
        "    await storage.aclose()\n"
        "asyncio.run(migrate())\n"
    )
    command, root = [sys.executable, "-c", code, url_of(old)], Path(__file__).parents[2]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, cwd=root)

    assert done.returncode == 0
    assert "alembic" not in done.stderr


async def test_a_new_database_is_for_its_owner_only(tmp_path):
    """It holds addresses, password hashes and keys."""
    await (await opened(tmp_path / "new.db")).aclose()

    assert (tmp_path / "new.db").stat().st_mode & 0o077 == 0


async def test_a_database_of_today_is_left_alone(tmp_path):
    """Opening again copies nothing and writes nothing."""
    path = tmp_path / "pool.db"
    await (await opened(path)).aclose()
    before = content(path)
    await (await opened(path)).aclose()

    assert content(path) == before
    assert {file.name for file in tmp_path.iterdir()} == {"pool.db"}


async def test_a_newer_database_is_refused(tmp_path):
    """A release that does not know the tables says so, and touches nothing."""
    path = tmp_path / "pool.db"
    await (await opened(path)).aclose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = content(path)
    storage = SqlStorage(url_of(path))
    with pytest.raises(SettingsError) as caught:
        await storage.open()
    await storage.aclose()

    assert str(caught.value) == (
        f"database: {path} was written by a newer release (version 9999, this one knows {schema.VERSION}): "
        "install that release, or use a copy from before"
    )
    assert content(path) == before


def statements_of_a_migration(path: Path) -> int:
    """How many statements there are to fail at."""
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    asyncio.run(open_with(path, note))
    return count


async def open_with(path: Path, listener: Any) -> None:
    """Open the storage with a listener before each statement and each commit."""
    storage = SqlStorage(url_of(path))
    sa.event.listen(storage.database.engine.sync_engine, "before_cursor_execute", listener)
    sa.event.listen(storage.database.engine.sync_engine, "commit", listener)
    try:
        await storage.open()
    finally:
        await storage.aclose()


def test_a_migration_that_fails_half_way_has_done_nothing(old, tmp_path):
    """Y1: whichever statement fails, the file is as it was before, and the next start migrates it."""
    whole = tmp_path / "whole.db"
    old_database(whole)
    total, before = statements_of_a_migration(whole), content(old)
    assert total > 20

    for failing in range(total):
        left = failing

        def fail(*_: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise sqlite3.OperationalError("disk I/O error")

        with pytest.raises(SettingsError, match="disk I/O error"):
            asyncio.run(open_with(old, fail))
        assert content(old) == before, failing

    asyncio.run(open_with(old, lambda *_: None))
    assert shape(old) == shape(whole)


def start(path: Path, barrier: Any, queue: Any) -> None:
    """One process of a pool that starts."""

    async def run() -> None:
        storage = SqlStorage(url_of(path))
        barrier.wait(60)
        try:
            await storage.open()
            async with storage.snapshot() as tx:
                queue.put(getattr(await tx.users.get("sub-ada"), "sub", None))
        finally:
            await storage.aclose()

    asyncio.run(run())


def test_processes_that_start_at_once_migrate_once(old):
    """Y3: of two processes at one old file one migrates, and both work with the result."""
    spawn = multiprocessing.get_context("spawn")
    barrier, queue = spawn.Barrier(2), spawn.Queue()
    processes = [spawn.Process(target=start, args=(old, barrier, queue)) for _ in range(2)]
    for process in processes:
        process.start()
    found = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)

    assert found == ["sub-ada"] * 2
    assert [process.exitcode for process in processes] == [0] * 2


def test_a_start_does_not_load_alembic():
    """Alembic is loaded for a migration only: it takes longer than all the rest of a start."""
    code = "import sys, gateway.app_pool; sys.exit('alembic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_migrations_are_in_the_package():
    """The steps lie beside the code that runs them, so that every wheel has them."""
    folder = Path(migrations.__file__).parent

    assert {path.stem for path in (folder / "versions").glob("v*.py")} == {
        f"v{version}" for version in (*schema.OLDER, schema.VERSION)
    }
