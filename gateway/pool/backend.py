"""Assemble the pool's parts from its options: storage, keys, accounts, grants, mail."""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final, Self

from gateway.errors import SettingsError, StorageUnavailable
from gateway.pool.accounts import Accounts
from gateway.pool.codes import Codes
from gateway.pool.grants import Grants
from gateway.pool.mail import DevelopmentMailbox, Mail, Mailer, mailer_for, prepare_folder
from gateway.pool.options import PoolOptions
from gateway.pool.passwords import Passwords
from gateway.pool.records import HOUR
from gateway.pool.seeds import plant
from gateway.pool.sql import SqlStorage
from gateway.pool.storage import PoolStorage
from gateway.pool.stored import StoredKey
from gateway.pool.throttle import Throttle
from gateway.pool.tokens import Tokens, load_keys

PURGE_SECONDS: Final = HOUR
"""How often what has expired is forgotten."""


class Backend:
    """What pages and endpoints work with. Usable between `open()` and `aclose()` (or `async with`).

    `options`, `clock`, `storage`, `mailer` and `mailbox` are there at once; `accounts`, `grants` and `tokens` need keys
    from the storage and are there after `open()`. `clock` gives seconds since the epoch; `show` receives each e-mail
    of the development mailbox. Raises SettingsError for a database address that cannot be one.
    """

    accounts: Accounts
    grants: Grants
    tokens: Tokens

    def __init__(
        self,
        options: PoolOptions,
        *,
        clock: Callable[[], float],
        show: Callable[[Mail], None] | None = None,
        mailer: Mailer | None = None,
    ) -> None:
        self.options = options
        self.clock = clock
        self.storage: PoolStorage = SqlStorage(options.database, durable=not options.development)
        self.mailer = mailer or mailer_for(options.mail, show)
        self.mailbox = self.mailer if isinstance(self.mailer, DevelopmentMailbox) else None
        self._passwords = Passwords(options.argon2)
        self._purging: asyncio.Task[None] | None = None

    def now(self) -> int:
        """The clock's whole seconds."""
        return int(self.clock())

    async def open(self) -> None:
        """Create tables, keys and seed users where they are missing.

        Raises:
            SettingsError: the database cannot be used, belongs to another pool, or its keys to another secret; the
                mail folder cannot be written to; a seed user has what another user has.
        """
        try:
            await self._prepare()
        except StorageUnavailable as error:
            await self.aclose()
            raise SettingsError(f"database: {self.storage.name} cannot be used: {error}") from error
        except BaseException:
            await self.aclose()
            raise
        self._purging = asyncio.create_task(self._purge_regularly())

    async def aclose(self) -> None:
        """Deliver what is queued and close the storage."""
        if self._purging is not None:
            self._purging.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._purging
        await self.mailer.aclose()
        self._passwords.close()
        await self.storage.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _prepare(self) -> None:
        if self.options.mail.folder is not None and self.options.mail.kind == "folder":
            prepare_folder(self.options.mail.folder)
        await self.storage.open()
        await self._check_owner()
        await self._assemble()
        for seed in self.options.seed_users:
            await plant(seed, self.options, self.storage, self._passwords, self.now())
        await self.storage.purge(self.now())

    async def key(self, fresh: StoredKey) -> bytes:
        """The value kept under that name, shared by every process of the pool; `fresh`'s if there is none yet."""
        async with self.storage.transaction() as tx:
            return await tx.keys.add(fresh)

    async def _check_owner(self) -> None:
        # R6: two pools must never share keys, so they never share a database.
        owner = await self.key(StoredKey(name="pool-id", value=self.options.pool_id.encode()))
        if owner != self.options.pool_id.encode():
            raise SettingsError(
                f"pool_id: database {self.storage.name} belongs to pool {owner.decode()}, not to {self.options.pool_id}"
            )

    async def _assemble(self) -> None:
        options, storage = self.options, self.storage
        try:
            keys = await load_keys(storage, options.secret)
        except ValueError as error:
            raise SettingsError(
                f"secret: does not open the keys in database {storage.name}: they were sealed with another one or none"
            ) from error
        self.tokens = Tokens(options, keys)
        self.grants = Grants(options, storage, self.tokens)
        key = await self._root_key()
        self.accounts = Accounts(
            options,
            storage,
            passwords=self._passwords,
            codes=Codes(_derive(key, b"cognito-gateway/pool/codes/v1")),
            limits=Throttle(
                storage,
                _derive(key, b"cognito-gateway/pool/counters/v1"),
                sign_in_failures=options.sign_in_failures_per_hour,
            ),
            mailer=self.mailer,
        )

    async def _root_key(self) -> bytes:
        if self.options.secret:
            return self.options.secret.reveal().encode()
        return await self.key(StoredKey(name="root", value=secrets.token_bytes(32)))

    async def _purge_regularly(self) -> None:
        while True:
            await asyncio.sleep(PURGE_SECONDS)
            with contextlib.suppress(StorageUnavailable):  # the next hour will do
                await self.storage.purge(self.now())


def _derive(key: bytes, label: bytes) -> bytes:
    """A key for one use alone: HMAC-SHA256 of a label with a version in it."""
    return hmac.new(key, label, hashlib.sha256).digest()
