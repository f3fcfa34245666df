"""The contract that every storage of the pool keeps."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

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
    origin_jti="family", client_id="web", sub="sub-1", scopes=("openid", "a/b"), auth_time=NOW, nonce="n",
    resource=None, expires_at=NOW + 300,
)  # fmt: skip
CODE = AuthorizationCode(
    digest=b"code", origin_jti="family", client_id="web", redirect_uri="https://x", code_challenge=None,
    expires_at=NOW + 300,
)  # fmt: skip
REFRESH = RefreshToken(digest=b"r1", origin_jti="family", expires_at=NOW + 1000)


class StorageContract:
    """What a storage must do. A suite inherits this and gives the fixture `storage`."""

    async def test_user_round_trip(self, storage: PoolStorage):
        """A user comes back as it was, by `sub` and by each identifier, in the order asked."""
        other = replace(USER, sub="sub-2", username="bob", groups=())
        await storage.users.add(USER, [NAME, EMAIL])
        await storage.users.add(other, [Identifier("username", "bob")])

        assert await storage.users.get("sub-1") == USER
        assert await storage.users.find([Identifier("email", "x"), EMAIL]) == USER
        assert await storage.users.find([Identifier("username", "bob"), EMAIL]) == other
        assert await storage.users.find([Identifier("username", "ada@example.com")]) is None
        assert await storage.users.get("nobody") is None

    async def test_identifiers_are_unique(self, storage: PoolStorage):
        """A taken identifier adds nothing at all, and is named."""
        await storage.users.add(USER, [EMAIL])
        with pytest.raises(Taken) as caught:
            await storage.users.add(replace(USER, sub="sub-2"), [NAME, EMAIL])

        assert caught.value.identifier == EMAIL
        assert await storage.users.get("sub-2") is None
        assert await storage.users.find([NAME]) is None

    async def test_one_of_many_signs_up(self, storage: PoolStorage):
        """Of ten users added at once under one name exactly one is there."""
        adds = (storage.users.add(replace(USER, sub=f"sub-{n}"), [NAME]) for n in range(10))
        results = await asyncio.gather(*adds, return_exceptions=True)

        assert sum(result is None for result in results) == 1
        assert sum(isinstance(result, Taken) for result in results) == 9

    async def test_change_user(self, storage: PoolStorage):
        """A change replaces the user and adds identifiers; its own are no conflict; the unknown user is None."""
        await storage.users.add(USER, [NAME])
        changed = await storage.users.change("sub-1", lambda user: replace(user, groups=("c",)), [NAME, EMAIL])

        assert changed == replace(USER, groups=("c",))
        assert await storage.users.find([EMAIL]) == changed
        assert await storage.users.change("nobody", lambda user: user) is None

    async def test_change_with_a_taken_identifier_changes_nothing(self, storage: PoolStorage):
        """A conflict leaves the user as it was."""
        await storage.users.add(USER, [NAME, EMAIL])
        await storage.users.add(replace(USER, sub="sub-2"), [])
        with pytest.raises(Taken):
            await storage.users.change("sub-2", lambda user: replace(user, username="mallory"), [EMAIL])

        assert await storage.users.get("sub-2") == replace(USER, sub="sub-2")

    async def test_counters_count_every_change(self, storage: PoolStorage):
        """Fifty changes at once are fifty: none is lost."""

        def add(counter: Counter | None) -> Counter:
            return Counter(count=(counter.count if counter else 0) + 1, since=NOW, until=NOW)

        await asyncio.gather(*(storage.counters.change("key", add) for _ in range(50)))

        assert await storage.counters.change("key", lambda counter: counter) == Counter(count=50, since=NOW, until=NOW)
        assert await storage.counters.change("key", lambda _counter: None) is None
        assert await storage.counters.change("key", lambda counter: counter) is None

    async def test_one_time_codes(self, storage: PoolStorage):
        """A code replaces the older one of its purpose and subject, and no other."""
        code = OneTimeCode(
            purpose="forgot_password", subject="u", digest=b"\x00\xff", tries_left=5, expires_at=NOW + 60
        )
        await storage.codes.put(code)
        await storage.codes.put(replace(code, purpose="confirm_sign_up"))
        await storage.codes.put(replace(code, digest=b"2"))

        assert await storage.codes.change("forgot_password", "u", lambda kept: kept) == replace(code, digest=b"2")
        assert await storage.codes.change("forgot_password", "u", lambda _kept: None) is None
        assert await storage.codes.change("confirm_sign_up", "u", lambda kept: kept)
        assert await storage.codes.change("forgot_password", "u", lambda kept: kept) is None

    async def test_grants_and_codes(self, storage: PoolStorage):
        """A grant and its code come back as they were; the code is spent once, by one of many."""
        await storage.grants.add(GRANT, CODE)
        spent = await asyncio.gather(*(storage.grants.spend(b"code", NOW + n) for n in range(10)))
        code = await storage.grants.code(b"code")

        assert await storage.grants.get("family") == GRANT
        assert spent.count(True) == 1
        assert code == replace(CODE, spent_at=NOW + spent.index(True))
        assert not await storage.grants.spend(b"other", NOW)
        assert await storage.grants.code(b"other") is None

    async def test_refresh_tokens(self, storage: PoolStorage):
        """Opening keeps the token and prolongs the grant; rotation marks the old one the first time only."""
        await storage.grants.add(GRANT, CODE)
        await storage.grants.open(REFRESH, NOW + 2000)
        first = await storage.grants.rotate(b"r1", replace(REFRESH, digest=b"r2"), NOW + 5)
        second = await storage.grants.rotate(b"r1", replace(REFRESH, digest=b"r3"), NOW + 9)

        assert await storage.grants.get("family") == replace(GRANT, expires_at=NOW + 2000)
        assert (first, second) == (True, False)
        assert await storage.grants.refresh_token(b"r1") == replace(REFRESH, rotated_at=NOW + 5)
        for digest in (b"r2", b"r3"):
            assert await storage.grants.refresh_token(digest) == replace(REFRESH, digest=digest)
        assert await storage.grants.refresh_token(b"r4") is None

    async def test_revocation(self, storage: PoolStorage):
        """A family is revoked once; a user's families all at once, nobody else's."""
        for n, sub in ((1, "sub-1"), (2, "sub-1"), (3, "sub-2")):
            grant = replace(GRANT, origin_jti=f"f{n}", sub=sub)
            await storage.grants.add(grant, replace(CODE, digest=b"%d" % n, origin_jti=f"f{n}"))
        await storage.grants.revoke("f1", NOW + 1)
        await storage.grants.revoke("f1", NOW + 2)
        await storage.grants.revoke_user("sub-1", NOW + 3)
        grants = [await storage.grants.get(f"f{n}") for n in (1, 2, 3)]

        assert [grant and grant.revoked_at for grant in grants] == [NOW + 1, NOW + 3, None]

    async def test_challenges_are_taken_once(self, storage: PoolStorage):
        """Of many takers one gets the challenge."""
        challenge = Challenge(digest=b"c", sub="sub-1", client_id="web", expires_at=NOW)
        await storage.challenges.put(challenge)
        taken = await asyncio.gather(*(storage.challenges.take(b"c") for _ in range(5)))

        assert sorted(taken, key=bool) == [None] * 4 + [challenge]

    async def test_sso_sessions(self, storage: PoolStorage):
        """SSO sessions end one by one, or all of a user's at once."""
        sessions = [SsoSession(digest=b"%d" % n, sub="sub-1", auth_time=NOW, expires_at=NOW + 1) for n in range(3)]
        sessions.append(replace(sessions[0], digest=b"3", sub="sub-2"))
        for session in sessions:
            await storage.sso.put(session)
        await storage.sso.delete(b"0")
        await storage.sso.delete(b"unknown")
        left = [await storage.sso.get(session.digest) for session in sessions]
        await storage.sso.delete_user("sub-1")

        assert left == [None, *sessions[1:]]
        assert [await storage.sso.get(session.digest) for session in sessions] == [None, None, None, sessions[3]]

    async def test_keys_are_never_replaced(self, storage: PoolStorage):
        """The first key of a name stays, whoever else comes at the same time."""
        added = await asyncio.gather(*(storage.keys.add(StoredKey(name="k", value=b"%d" % n)) for n in range(5)))

        assert len(set(added)) == 1
        assert await storage.keys.get("k") == added[0]
        assert await storage.keys.get("other") is None

    async def test_purge(self, storage: PoolStorage):
        """What expired more than a day ago is forgotten, users and keys never."""
        await storage.users.add(USER, [NAME])
        await storage.grants.add(GRANT, CODE)
        await storage.purge(NOW + 300 + DAY)
        kept = await storage.grants.code(b"code")
        await storage.purge(NOW + 301 + DAY)

        assert kept == CODE
        assert await storage.grants.code(b"code") is None
        assert await storage.grants.get("family") is None
        assert await storage.users.get("sub-1") == USER

    async def test_open_twice(self, storage: PoolStorage):
        """Opening again keeps what is there."""
        await storage.users.add(USER, [NAME])
        await storage.open()

        assert await storage.users.get("sub-1") == USER


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

    async def test_two_storages_share_a_file(self, storage: SqlStorage, tmp_path):
        """Two processes' worth of engines count together: no change is lost, none fails for a lock."""
        other = SqlStorage(f"sqlite+aiosqlite:///{tmp_path}/pool.db")

        def add(counter: Counter | None) -> Counter:
            return Counter(count=(counter.count if counter else 0) + 1, since=NOW, until=NOW)

        await asyncio.gather(*(s.counters.change("key", add) for _ in range(20) for s in (storage, other)))
        total = await other.counters.change("key", lambda counter: counter)
        await other.aclose()

        assert total == Counter(count=40, since=NOW, until=NOW)
