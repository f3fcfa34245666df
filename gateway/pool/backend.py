"""Assemble the pool's parts from its options: storage, keys, accounts, grants, mail."""

from collections.abc import Callable
from typing import Self

from gateway.pool.accounts import Accounts
from gateway.pool.grants import Grants
from gateway.pool.mail import DevelopmentMailbox, Mail, Mailer
from gateway.pool.records import PoolOptions


class Backend:
    """What pages and endpoints work with. Built at once, usable between `open()` and `aclose()` (or `async with`).

    `clock` gives seconds since the epoch; `show` receives each e-mail of the development mailbox.
    """

    options: PoolOptions
    clock: Callable[[], float]
    accounts: Accounts
    grants: Grants
    mailer: Mailer
    mailbox: DevelopmentMailbox | None

    def __init__(
        self,
        options: PoolOptions,
        *,
        clock: Callable[[], float],
        show: Callable[[Mail], None] | None = None,
        mailer: Mailer | None = None,
    ) -> None: ...

    def now(self) -> int:
        """The clock's whole seconds."""
        return int(self.clock())

    async def open(self) -> None:
        """Create tables, keys and seed users where they are missing."""

    async def aclose(self) -> None:
        """Deliver what is queued and close the storage."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
