"""The pool as a whole: starting, restarting, and what belongs to whom."""

import os
import stat
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.secret import Secret
from gateway.errors import SettingsError
from gateway.pool.attributes import is_email, lookups, masked, normalised
from gateway.pool.options import MailOptions
from gateway.pool.seeds import plant
from gateway.pool.sql import SqlStorage
from tests.support.pool import NOW, PASSWORD, WEB, ada, last_code, opened, options_for

SECRET = Secret("a pool secret of some length 0123456789")


async def test_a_restart_keeps_users_and_keys(tmp_path, clock):
    """The second start finds the users of the first, and signs with the same keys; a seed never overwrites."""
    async with opened(options_for(tmp_path), clock) as first:
        user = await ada(first)
        await first.accounts.forgot_password(WEB, "ada@example.com", NOW)
        code, new = last_code(first), "Another horse 8 staple?"
        await first.accounts.confirm_forgot_password(WEB, "ada@example.com", code, new, NOW)
        keys = first.tokens.jwks()
    async with opened(options_for(tmp_path), clock) as second:
        again = (await second.accounts.sign_in(WEB, "ada@example.com", new, NOW)).user

        assert again.sub == user.sub
        assert second.tokens.jwks() == keys


async def test_seed_user(backend):
    """A seed user is confirmed, its e-mail verified, its groups set."""
    user = await ada(backend)

    assert user.attributes == {
        "email": "ada@example.com", "email_verified": "true", "given_name": "Ada", "name": "Ada Lovelace",
    }  # fmt: skip
    assert set(user.groups) == {"admins", "readers"}
    assert await backend.accounts.user(user.sub) == user


async def test_a_seed_that_another_process_plants_first(tmp_path, clock):
    """Two processes of one pool may start at once: the user is there, whoever made it."""
    options = options_for(tmp_path)
    async with opened(options, clock) as backend:
        (seed,) = options.seed_users
        storage = Blinded(options.database)
        await plant(seed, options, storage, backend._passwords, NOW)
        await storage.aclose()

        assert storage.looks == 2
        assert (await ada(backend)).groups


class Blinded(SqlStorage):
    """Its first look finds nobody."""

    looks = 0

    @asynccontextmanager
    async def snapshot(self):
        self.looks += 1
        async with super().snapshot() as tx:
            if self.looks == 1:
                users: Any = tx.users
                users.find = nobody
            yield tx


async def nobody(_identifiers):
    return None


async def test_a_database_belongs_to_one_pool(tmp_path, clock):
    """R6: another pool on the same database is refused: pools never share keys."""
    async with opened(options_for(tmp_path), clock):
        pass
    with pytest.raises(SettingsError, match="belongs to pool eu-west-1_AbC123xyz, not to eu-west-1_Other1"):
        async with opened(options_for(tmp_path, pool_id="eu-west-1_Other1"), clock):
            pass


async def test_two_pools_have_different_keys(tmp_path, clock):
    """R6: a token of one pool is nothing to another, even with the same issuer string."""
    issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbC123xyz"
    (tmp_path / "b").mkdir()
    first_options = options_for(tmp_path, issuer=issuer, secret=SECRET)
    second_options = options_for(tmp_path / "b", issuer=issuer, secret=SECRET)
    async with opened(first_options, clock) as first, opened(second_options, clock) as second:
        kids = [{key["kid"] for key in pool.tokens.jwks()["keys"]} for pool in (first, second)]

    assert not kids[0] & kids[1]
    assert len(kids[0] | kids[1]) == 4


async def test_the_secret_seals_the_keys(tmp_path, clock):
    """With a secret the private keys are no use without it: the database alone signs nothing."""
    async with opened(options_for(tmp_path, secret=SECRET), clock) as backend:
        async with backend.storage.snapshot() as tx:
            stored = await tx.keys.get("signing-id")
        assert backend.tokens.jwks()
    assert stored is not None
    assert stored.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    for wrong in (None, Secret("another secret of some length 0123456789")):
        with pytest.raises(SettingsError, match="secret: does not open the keys"):
            async with opened(options_for(tmp_path, secret=wrong), clock):
                pass


async def test_mailbox_only_where_asked(tmp_path, clock):
    """Outside development there is no mailbox to look into."""
    mail = MailOptions(kind="folder", folder=tmp_path / "mails")
    async with opened(options_for(tmp_path, development=False, mail=mail), clock) as backend:
        await backend.accounts.sign_up(WEB, "grace@example.com", PASSWORD, {}, NOW)

        assert backend.mailbox is None
    assert len(list((tmp_path / "mails").iterdir())) == 1


async def test_token_header(backend):
    """Headers have `kid` and `alg` alone: no `typ`."""
    token = backend.tokens.machine_token(WEB, ("api/read",), NOW)

    assert set(jwt.get_unverified_header(token)) == {"kid", "alg"}


@pytest.mark.property
@given(st.text(max_size=60))
def test_normalising_twice_is_once(typed):
    """Normalising is idempotent, so that what was stored is what is looked up."""
    options = options_for(Path("/nowhere"))
    once = normalised(options, typed)

    assert normalised(options, once) == once


@pytest.mark.property
@given(st.emails())
def test_masks_hide(address):
    """A mask shows two characters of an address and no more."""
    shown = masked("email", address)

    assert len(shown) <= 9
    assert address not in shown


def test_phone_mask():
    """A phone number shows its last four digits."""
    assert masked("phone_number", "+12065551234") == "+*******1234"


@pytest.mark.parametrize("address", ["a@b", "a.b+c@example.co.uk", "o'hara@example.com"])
def test_addresses(address):
    """Ordinary addresses are addresses."""
    assert is_email(address)


def test_lookups_in_order(tmp_path):
    """A username wins over an alias of the same spelling."""
    options = options_for(tmp_path, username_attributes=(), alias_attributes=("preferred_username",))

    assert [i.kind for i in lookups(options, " ADA ")] == ["username", "preferred_username"]
    assert {i.value for i in lookups(options, " ADA ")} == {"ada"}


async def test_only_the_pool_s_user_reads_its_database(tmp_path, clock):
    """Z4: the SQLite file and the two beside it hold password hashes and keys: made for their owner alone."""
    before = os.umask(0o022)
    try:
        async with opened(options_for(tmp_path), clock):
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("pool.db*")}
    finally:
        os.umask(before)

    assert modes == {"pool.db": 0o600, "pool.db-wal": 0o600, "pool.db-shm": 0o600}


async def test_an_existing_database_keeps_its_mode(tmp_path, clock):
    """Whoever gave a group the right to read it, for a backup, meant it."""
    (tmp_path / "pool.db").touch(mode=0o640)
    async with opened(options_for(tmp_path), clock):
        pass

    assert stat.S_IMODE((tmp_path / "pool.db").stat().st_mode) == 0o640


@pytest.mark.parametrize("names", [{"username_attributes": ()}, {"username_attributes": ("email",)}])
def test_a_sign_in_name_that_sign_up_refuses_is_not_required(names):
    """Y5: a preferred username that is a sign-in name cannot be required: nobody could sign up."""
    kind = "username_attributes" if names["username_attributes"] else "alias_attributes"
    changes = {**names, kind: (*names["username_attributes"], "preferred_username")}
    with pytest.raises(ValueError, match="required_attributes: preferred_username is a sign-in name"):
        options_for(Path("/nowhere"), **changes, required_attributes=("preferred_username",))


@pytest.mark.parametrize(("development", "level"), [(True, 1), (False, 2)])
async def test_only_development_may_lose_what_was_committed(tmp_path, clock, development, level):
    """A pool that is not for development keeps every commit through a power cut (SQLite's `synchronous=FULL`)."""
    mail = MailOptions(kind="folder", folder=tmp_path / "mails")
    options = options_for(tmp_path, development=development, mail=mail, seed_users=())
    async with opened(options, clock) as backend:
        storage: Any = backend.storage
        async with storage.database.read() as connection:
            found = (await connection.exec_driver_sql("PRAGMA synchronous")).scalar_one()

    assert found == level
