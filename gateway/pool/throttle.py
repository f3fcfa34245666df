"""Bound how often things may be tried: passwords by a growing lock-out, everything else by counts per hour."""

import asyncio
import hashlib
import hmac
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final
from weakref import WeakValueDictionary

from gateway.pool.records import HOUR
from gateway.pool.refusals import LIMIT_EXCEEDED, LOCKED_OUT, PoolError
from gateway.pool.storage import CounterStore, PoolStorage
from gateway.pool.stored import Counter

FREE_FAILURES: Final = 5
"""The failure that first locks (reference §6.6)."""
LONGEST_LOCK: Final = 900
"""Seconds: "up to about 15 minutes"; also the quiet time after which failures are forgotten."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` events of one subject in an hour."""

    name: str
    count: int


# Reference §6.5, per user and hour; the last two are ours: Amazon has network-wide limits where we have none.
RESEND: Final = Limit("resend", 5)
FORGOT: Final = Limit("forgot", 5)
CONFIRM_SIGN_UP: Final = Limit("confirm-sign-up", 15)
CONFIRM_FORGOT: Final = Limit("confirm-forgot", 15)
MAIL_TO_ONE: Final = Limit("mail-to", 10)
MAIL_FROM_ADDRESS: Final = Limit("mail-from", 60)


def lock_seconds(failures: int) -> int:
    """How long the n-th failure in a row locks: 2^(n-5) seconds from the fifth on, at most 15 minutes."""
    if failures < FREE_FAILURES:
        return 0
    return int(min(2 ** min(failures - FREE_FAILURES, 10), LONGEST_LOCK))


def charge(counter: Counter | None, now: int) -> tuple[Counter, bool]:
    """Count an attempt as a failure in advance. Gives the counter to keep, and whether the attempt may go on.

    Attempts during a lock are refused and do not lengthen it; they do count as attempts, so quiet time starts anew.
    """
    if counter is None or abs(now - counter.since) >= LONGEST_LOCK:  # the clock may have been ahead
        counter = Counter(count=0, since=now, until=now)
    if now < counter.until:
        return Counter(count=counter.count, since=now, until=counter.until), False
    failures = counter.count + 1
    return Counter(count=failures, since=now, until=now + lock_seconds(failures)), True


def count(counter: Counter | None, limit: Limit, now: int) -> tuple[Counter, bool]:
    """Count an event in the hour that began with the subject's first one. Refused events are not counted."""
    if counter is None or abs(now - counter.since) >= HOUR:  # the clock may have been ahead
        counter = Counter(count=0, since=now, until=now + HOUR)
    if counter.count >= limit.count:
        return counter, False
    return Counter(count=counter.count + 1, since=counter.since, until=counter.until), True


def network_of(address: str) -> str:
    """What counts as one sender: an IPv4 address, or the /64 network that a household's IPv6 addresses share."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


class Attempt:
    """One try at a password; `succeeded` is set by whoever judged it."""

    succeeded = False


class Throttle:
    """Limits kept in the storage, so that all processes share them. Subjects are stored as HMACs under `key`.

    An event is counted in a transaction of its own, before what it limits: what is refused or fails later has counted.
    `sign_in_failures` is how many wrong passwords one sender may try in an hour, whatever the accounts.
    """

    def __init__(self, storage: PoolStorage, key: bytes, *, sign_in_failures: int) -> None:
        self._storage = storage
        self._key = key
        self._failures = Limit("sign-in-from", sign_in_failures)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def hit(self, limit: Limit, subject: str, now: int) -> None:
        """Count one event. Raises PoolError (LimitExceededException) when the hour's number is reached."""
        name = self._name(limit.name, subject)
        async with self._storage.transaction() as tx:
            counter, allowed = count(await tx.counters.get(name), limit, now)
            await tx.counters.put(name, counter)
        if not allowed:
            raise PoolError(*LIMIT_EXCEEDED)

    @asynccontextmanager
    async def attempt(self, subject: str, now: int, *, address: str | None = None) -> AsyncIterator[Attempt]:
        """Wrap one try at a password of the subject. Raises PoolError (`Password attempts exceeded`) during a lock, and
        (LimitExceededException) for an address with too many failures, which then locks nobody else out either.

        The failure is counted before the password is looked at: a thousand tries sent at once get five answers, not a
        thousand. Within the process tries of one subject go one after another, so that right ones never add up.
        """
        name = self._name("password", subject)
        sender = None if address is None else self._name(self._failures.name, network_of(address))
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            await self._charge(name, sender, now)
            attempt = Attempt()
            yield attempt
            if attempt.succeeded:
                await self._discharge(name, sender)

    async def forget(self, counters: CounterStore, subject: str) -> None:
        """Forget the subject's failures: the password has just been set by its owner."""
        await counters.delete(self._name("password", subject))

    async def _charge(self, name: str, sender: str | None, now: int) -> None:
        async with self._storage.transaction() as tx:
            if sender is not None:
                counter, allowed = count(await tx.counters.get(sender), self._failures, now)
                if not allowed:
                    raise PoolError(*LIMIT_EXCEEDED)
                await tx.counters.put(sender, counter)
            counter, allowed = charge(await tx.counters.get(name), now)
            await tx.counters.put(name, counter)
        if not allowed:
            raise PoolError(*LOCKED_OUT)

    async def _discharge(self, name: str, sender: str | None) -> None:
        """Take back what was counted in advance: the password was right."""
        async with self._storage.transaction() as tx:
            counter = None if sender is None else await tx.counters.get(sender)
            if sender is not None and counter is not None:
                await tx.counters.put(sender, replace(counter, count=max(counter.count - 1, 0)))
            await tx.counters.delete(name)

    def _name(self, kind: str, subject: str) -> str:
        # An HMAC: counters of names that do not exist must not become a list of what people typed.
        return f"{kind}:{hmac.new(self._key, subject.encode(), hashlib.sha256).hexdigest()}"
