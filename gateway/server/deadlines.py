"""One timer for all connections of a server: each is asked, now and then, whether its time is over.

A timer per request costs about a microsecond to arm and cancel; setting an attribute costs nothing. Times are therefore
late by up to one tick.
"""

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

from gateway.server.limits import Limits


class Timed(Protocol):
    """What the sweeper asks."""

    def check_deadline(self, now: float) -> None:
        """Close, answer 408 or do nothing; `now` is the loop's time."""


class Sweeper:
    """Asks every registered connection once a tick, while there are any."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tick: float) -> None:
        self._loop = loop
        self._tick = tick
        self._members: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, member: Timed) -> None:
        """Watch a connection from now on."""
        self._members.add(member)
        if self._timer is None:
            self._timer = self._loop.call_later(self._tick, self._sweep)

    def discard(self, member: Timed) -> None:
        """Forget a connection; without any, nothing runs."""
        self._members.discard(member)
        if not self._members and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = self._loop.call_later(self._tick, self._sweep)
        now = self._loop.time()
        for member in tuple(self._members):
            member.check_deadline(now)


def tick_of(limits: Limits) -> float:
    """A second, or a quarter of the shortest time when that is less."""
    times = (limits.header_seconds, limits.body_idle_seconds, limits.keep_alive_seconds, limits.linger_seconds)
    more = (limits.half_closed_seconds, limits.write_seconds or 4)
    return min(1.0, *(time / 4 for time in (*times, *more)))


_SWEEPERS: WeakKeyDictionary[ServerState, Sweeper] = WeakKeyDictionary()


def sweeper_of(state: ServerState, loop: asyncio.AbstractEventLoop, limits: Limits) -> Sweeper:
    """The one sweeper of a server."""
    sweeper = _SWEEPERS.get(state)
    if sweeper is None:
        sweeper = _SWEEPERS[state] = Sweeper(loop, tick_of(limits))
    return sweeper
