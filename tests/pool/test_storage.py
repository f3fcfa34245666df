"""The contract that every storage of the pool keeps."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from gateway.errors import StorageUnavailable
from gateway.pool import database
from gateway.pool.records import DAY, User, UserStatus
from gateway.pool.sql import SqlStorage
from gateway.pool.storage import PoolStorage
from gateway.pool.stored import (
    AuthorizationCode,
    Challenge,
    Counter,
    Grant,
    Identifier,
    OneTimeCode,
    RefreshToken,
    SsoSession,
    StoredKey,
    Taken,
)
from tests.support.pool import NOW

USER = User(
    sub="sub-1",
    username="ada",
    status=UserStatus.CONFIRMED,
    attributes={"email": "ada@example.com", "name": "Ada ♥"},
    password_hash="hash",
    password_set_at=NOW,
    groups=("a", "b"),
    created_at=NOW,
    updated_at=NOW,
)
EMAIL, NAME = Identifier("email", "ada@example.com"), Identifier("username", "ada")
GRANT = Grant(
    origin_jti="family", client_id="web", sub="sub-1", scopes=("openid", "a/b"), auth_time=NOW,
    credential_version=1, nonce="n",
    resource=None, expires_at=NOW + 300,
)  # fmt: skip
CODE = AuthorizationCode(
    digest=b"code", origin_jti="family", client_id="web", redirect_uri="https://x", code_challenge=None,
    expires_at=NOW + 300,
)  # fmt: skip
REFRESH = RefreshToken(digest=b"r1", origin_jti="family", expires_at=NOW + 1000)


async def add(storage: PoolStorage, user: User, *identifiers: Identifier) -> None:
    """Add a user in a transaction of its own."""
    async with storage.transaction() as tx:
        await tx.users.add(user, identifiers)


async def claim(storage: PoolStorage, user: User, name: Identifier) -> None:
    """Give the user one name more."""
    async with storage.transaction() as tx:
        await tx.users.save(user, [name])


async def count(storage: PoolStorage) -> None:
    """Count one event."""
    async with storage.transaction() as tx:
        kept = await tx.counters.get("key")
        await tx.counters.put("key", Counter(count=(kept.count if kept else 0) + 1, since=NOW, until=NOW))


class Fault(Exception):
    """What goes wrong in the middle of an operation."""


class StorageContract:
    """What a storage must do. A suite inherits this and gives the fixture `storage`."""

    async def test_user_round_trip(self, storage: PoolStorage):
        """A user comes back as it was, by `sub` and by each identifier, if it is of the kind that is asked for."""
        other = replace(USER, sub="sub-2", username="bob", groups=())
        await add(storage, USER, NAME, EMAIL)
        await add(storage, other, Identifier("username", "bob"))

        async with storage.snapshot() as tx:
            assert await tx.users.get("sub-1") == USER
            assert await tx.users.find([Identifier("email", "x"), EMAIL]) == USER
            assert await tx.users.find([Identifier("username", "bob"), EMAIL]) == other
            assert await tx.users.find([Identifier("username", "ada@example.com")]) is None
            assert await tx.users.get("nobody") is None

    async def test_a_transaction_is_kept_whole_or_not_at_all(self, storage: PoolStorage):
        """What an exception interrupts has not happened, in any of the stores."""

        async def broken_off() -> None:
            async with storage.transaction() as tx:
                await tx.users.add(USER, [NAME])
                await tx.counters.put("key", Counter(count=1, since=NOW, until=NOW))
                await tx.grants.add(GRANT, CODE)
                assert await tx.users.get("sub-1") == USER
                raise Fault

        with pytest.raises(Fault):
            await broken_off()
        async with storage.snapshot() as tx:
            kept = [await tx.users.get("sub-1"), await tx.counters.get("key"), await tx.grants.get("family")]

        assert kept == [None, None, None]

    async def test_what_a_transaction_read_nobody_else_changes(self, storage: PoolStorage):
        """Of two transactions that read and then write one record the second sees what the first wrote."""
        await add(storage, USER)

        async def put_on(letter: str) -> None:
            async with storage.transaction() as tx:
                user = await tx.users.get("sub-1")
                assert user is not None
                await asyncio.sleep(0)
                await tx.users.save(replace(user, username=user.username + letter))

        await asyncio.gather(*(put_on(letter) for letter in "xxxxx"))
        async with storage.snapshot() as tx:
            user = await tx.users.get("sub-1")

        assert user is not None
        assert user.username == "adaxxxxx"

    async def test_a_name_is_one_users_whatever_its_kind(self, storage: PoolStorage):
        """Y5: what is one user's e-mail cannot be another's username or preferred username, nor the reverse."""
        await add(storage, USER, NAME, EMAIL)
        for n, taken in enumerate((NAME, EMAIL)):
            for kind in ("username", "email", "preferred_username"):
                with pytest.raises(Taken):
                    await add(storage, replace(USER, sub=f"sub-{n}{kind}"), Identifier(kind, taken.value))

        async with storage.transaction() as tx:
            await tx.users.save(USER, [Identifier("preferred_username", "ada")])
            assert await tx.users.find([NAME]) == USER

    @pytest.mark.parametrize(
        ("status", "kind", "proven", "yields"),
        [
            (UserStatus.UNCONFIRMED, "email", True, True),
            (UserStatus.UNCONFIRMED, "email", False, False),
            (UserStatus.UNCONFIRMED, "username", True, False),
            (UserStatus.CONFIRMED, "email", True, False),
        ],
    )
    async def test_an_address_that_was_never_proved_yields(self, storage: PoolStorage, status, kind, proven, yields):
        """Y5: whoever proves an address gets it from a sign-up that only claimed it; a chosen username stays."""
        await add(storage, replace(USER, status=status), Identifier(kind, EMAIL.value))
        other = replace(USER, sub="sub-2")
        await add(storage, other)
        if not yields:
            with pytest.raises(Taken):
                await claim(storage, other, replace(EMAIL, proven=proven))
            return
        await claim(storage, other, replace(EMAIL, proven=proven))

        async with storage.snapshot() as tx:
            assert await tx.users.find([EMAIL]) == other

    async def test_identifiers_are_unique(self, storage: PoolStorage):
        """A taken identifier adds nothing at all, and is named."""
        await add(storage, USER, EMAIL)
        with pytest.raises(Taken) as caught:
            await add(storage, replace(USER, sub="sub-2"), NAME, EMAIL)

        assert caught.value.identifier == EMAIL
        async with storage.snapshot() as tx:
            assert await tx.users.get("sub-2") is None
            assert await tx.users.find([NAME]) is None

    async def test_one_of_many_signs_up(self, storage: PoolStorage):
        """Of ten users added at once under one name exactly one is there."""
        adds = (add(storage, replace(USER, sub=f"sub-{n}"), NAME) for n in range(10))
        results = await asyncio.gather(*adds, return_exceptions=True)

        assert sum(result is None for result in results) == 1
        assert sum(isinstance(result, Taken) for result in results) == 9

    async def test_save_user(self, storage: PoolStorage):
        """Saving replaces the user and adds identifiers; its own are no conflict."""
        await add(storage, USER, NAME)
        changed = replace(USER, groups=("c",))
        async with storage.transaction() as tx:
            await tx.users.save(changed, [NAME, EMAIL])

        async with storage.snapshot() as tx:
            assert await tx.users.find([EMAIL]) == changed

    async def test_saving_with_a_taken_identifier_changes_nothing(self, storage: PoolStorage):
        """A conflict leaves the user as it was."""
        other = replace(USER, sub="sub-2")
        await add(storage, USER, NAME, EMAIL)
        await add(storage, other)
        with pytest.raises(Taken):
            async with storage.transaction() as tx:
                await tx.users.save(replace(other, username="mallory"), [EMAIL])

        async with storage.snapshot() as tx:
            assert await tx.users.get("sub-2") == other

    async def test_counters_count_every_change(self, storage: PoolStorage):
        """Fifty events at once are fifty: none is lost, not even the first."""
        await asyncio.gather(*(count(storage) for _ in range(50)))

        async with storage.transaction() as tx:
            assert await tx.counters.get("key") == Counter(count=50, since=NOW, until=NOW)
            await tx.counters.delete("key")
            await tx.counters.delete("unknown")
            assert await tx.counters.get("key") is None

    async def test_one_time_codes(self, storage: PoolStorage):
        """A code replaces the older one of its purpose and subject, and no other."""
        code = OneTimeCode(
            purpose="forgot_password", subject="u", digest=b"\x00\xff", address=b"a", credential_version=1,
            tries_left=5, expires_at=NOW + 60,
        )  # fmt: skip
        async with storage.transaction() as tx:
            for kept in (code, replace(code, purpose="confirm_sign_up"), replace(code, digest=b"2")):
                await tx.codes.put(kept)

        async with storage.transaction() as tx:
            assert await tx.codes.get("forgot_password", "u") == replace(code, digest=b"2")
            await tx.codes.delete("forgot_password", "u")
            assert await tx.codes.get("forgot_password", "u") is None
            assert await tx.codes.get("confirm_sign_up", "u")

    async def test_grants_and_codes(self, storage: PoolStorage):
        """A grant and its code come back as they were, spent or not."""
        async with storage.transaction() as tx:
            await tx.grants.add(GRANT, CODE)
            await tx.grants.spend(b"other", NOW)
            fresh = await tx.grants.code(b"code")
            await tx.grants.spend(b"code", NOW + 3)

        async with storage.snapshot() as tx:
            assert await tx.grants.get("family") == GRANT
            assert (fresh, await tx.grants.code(b"code")) == (CODE, replace(CODE, spent_at=NOW + 3))
            assert await tx.grants.code(b"other") is None

    async def test_refresh_tokens(self, storage: PoolStorage):
        """Opening keeps the token and prolongs the grant; rotation marks the old one the first time only."""
        async with storage.transaction() as tx:
            await tx.grants.add(GRANT, CODE)
            await tx.grants.open(REFRESH, NOW + 2000)
            await tx.grants.rotate(b"r1", replace(REFRESH, digest=b"r2"), NOW + 5, NOW + 6)
            await tx.grants.rotate(b"r1", replace(REFRESH, digest=b"r3"), NOW + 9, NOW + 99)

        async with storage.snapshot() as tx:
            assert await tx.grants.get("family") == replace(GRANT, expires_at=NOW + 2000)
            assert await tx.grants.refresh_token(b"r1") == replace(REFRESH, rotated_at=NOW + 5, usable_until=NOW + 6)
            for digest in (b"r2", b"r3"):
                assert await tx.grants.refresh_token(digest) == replace(REFRESH, digest=digest)
            assert await tx.grants.refresh_token(b"r4") is None

    async def test_revocation(self, storage: PoolStorage):
        """A family is revoked once, and no other with it."""
        async with storage.transaction() as tx:
            for n in (1, 2):
                grant = replace(GRANT, origin_jti=f"f{n}")
                await tx.grants.add(grant, replace(CODE, digest=b"%d" % n, origin_jti=f"f{n}"))
            await tx.grants.revoke("f1", NOW + 1)
            await tx.grants.revoke("f1", NOW + 2)
            grants = [await tx.grants.get(f"f{n}") for n in (1, 2)]

        assert [grant and grant.revoked_at for grant in grants] == [NOW + 1, None]

    async def test_challenges(self, storage: PoolStorage):
        """A challenge is there until it is deleted."""
        challenge = Challenge(digest=b"c", sub="sub-1", client_id="web", credential_version=1, expires_at=NOW)
        async with storage.transaction() as tx:
            await tx.challenges.put(challenge)
            assert await tx.challenges.get(b"c") == challenge
            await tx.challenges.delete(b"c")
            await tx.challenges.delete(b"unknown")
            assert await tx.challenges.get(b"c") is None

    async def test_sso_sessions(self, storage: PoolStorage):
        """SSO sessions end one by one."""
        one = SsoSession(digest=b"0", sub="sub-1", auth_time=NOW, credential_version=1, expires_at=NOW + 1)
        sessions = [one, replace(one, digest=b"1"), replace(one, digest=b"2", sub="sub-2")]
        async with storage.transaction() as tx:
            for session in sessions:
                await tx.sso.put(session)
            await tx.sso.delete(b"0")
            await tx.sso.delete(b"unknown")
            left = [await tx.sso.get(session.digest) for session in sessions]

        assert left == [None, *sessions[1:]]

    async def test_keys_are_never_replaced(self, storage: PoolStorage):
        """The first key of a name stays, whoever else comes at the same time."""

        async def offer(value: bytes) -> bytes:
            async with storage.transaction() as tx:
                return await tx.keys.add(StoredKey(name="k", value=value))

        added = await asyncio.gather(*(offer(b"%d" % n) for n in range(5)))

        assert len(set(added)) == 1
        async with storage.snapshot() as tx:
            assert await tx.keys.get("k") == added[0]
            assert await tx.keys.get("other") is None

    async def test_purge(self, storage: PoolStorage):
        """What expired more than a day ago is forgotten, users and keys never."""
        async with storage.transaction() as tx:
            await tx.users.add(USER, [NAME])
            await tx.grants.add(GRANT, CODE)
        await storage.purge(NOW + 300 + DAY)
        async with storage.snapshot() as tx:
            kept = await tx.grants.code(b"code")
        await storage.purge(NOW + 301 + DAY)

        assert kept == CODE
        async with storage.snapshot() as tx:
            assert await tx.grants.code(b"code") is None
            assert await tx.grants.get("family") is None
            assert await tx.users.get("sub-1") == USER

    async def test_open_twice(self, storage: PoolStorage):
        """Opening again keeps what is there."""
        await add(storage, USER, NAME)
        await storage.open()

        async with storage.snapshot() as tx:
            assert await tx.users.get("sub-1") == USER


class TestSqlite(StorageContract):
    """SQLite in a file."""

    @pytest.fixture
    async def storage(self, tmp_path) -> AsyncIterator[SqlStorage]:
        """A fresh database."""
        opened = SqlStorage(f"sqlite+aiosqlite:///{tmp_path}/pool.db")
        await opened.open()
        yield opened
        await opened.aclose()

    async def test_wal(self, storage: SqlStorage):
        """Readers do not wait for a writer: the journal is a write-ahead log; references between tables are kept."""
        async with storage.database.read() as connection:
            mode = (await connection.execute(sa.text("PRAGMA journal_mode"))).scalar_one()
            keys = (await connection.execute(sa.text("PRAGMA foreign_keys"))).scalar_one()

        assert (mode, keys) == ("wal", 1)

    @pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
    async def test_durability(self, tmp_path, durable, level):
        """A power cut takes back no commit, so no used code is good again; only development trades that for speed."""
        storage = SqlStorage(f"sqlite+aiosqlite:///{tmp_path}/other.db", durable=durable)
        async with storage.database.read() as connection:
            assert (await connection.execute(sa.text("PRAGMA synchronous"))).scalar_one() == level
        await storage.aclose()

    async def test_two_storages_share_a_file(self, storage: SqlStorage, tmp_path):
        """Two processes' worth of engines count together: no change is lost, none fails for a lock."""
        other = SqlStorage(f"sqlite+aiosqlite:///{tmp_path}/pool.db")
        await asyncio.gather(*(count(s) for _ in range(20) for s in (storage, other)))
        async with other.snapshot() as tx:
            total = await tx.counters.get("key")
        await other.aclose()

        assert total == Counter(count=40, since=NOW, until=NOW)

    async def test_a_busy_database_is_unavailable(self, storage: SqlStorage, tmp_path, monkeypatch):
        """Y1: a writer that waits too long is told so, in a sentence, and with nothing written."""
        monkeypatch.setattr(database, "SQLITE_BUSY_MS", 1)
        busy = SqlStorage(f"sqlite+aiosqlite:///{tmp_path}/pool.db")
        async with storage.transaction():
            with pytest.raises(StorageUnavailable, match="database is locked"):
                await count(busy)
        await count(busy)
        async with busy.snapshot() as tx:
            kept = await tx.counters.get("key")
        await busy.aclose()

        assert kept == Counter(count=1, since=NOW, until=NOW)

    async def test_writers_of_one_process_wait_for_a_bounded_time(self, storage: SqlStorage, monkeypatch):
        """Y1: a transaction opened inside another is refused instead of waiting for ever."""
        monkeypatch.setattr(database, "SQLITE_BUSY_MS", 1)
        async with storage.transaction():
            with pytest.raises(StorageUnavailable):
                await count(storage)
        await count(storage)
