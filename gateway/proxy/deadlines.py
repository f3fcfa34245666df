"""Hold exchanges to their time by counting ticks of one clock, instead of setting a timer for each."""

import math
from typing import Final

from gateway.proxy.options import UpstreamTimeouts
from gateway.proxy.parsing import BODY, DONE, IDLE
from gateway.proxy.wire import Connection

TICK: Final = 0.1
"""Seconds. Ten looks a second at 10,000 connections cost about one hundredth of a core."""
PACE_TICKS: Final = 16
"""Between two measurements of how fast a client is."""
_WATCH_TICKS: Final = 1  # an exchange that is over by then never pays for watching its client
_CONTINUE_TICKS: Final = 10  # a second without `100 Continue`, then the body goes anyway (RFC 9110 §10.1.1)


def ticks(seconds: float | None) -> float:
    """Rounded up, and one more for the tick under way: late by a tenth of a second, never early."""
    return math.inf if seconds is None else math.ceil(seconds / TICK) + 1


class Deadlines:
    """An upstream's timeouts, in ticks."""

    def __init__(self, timeouts: UpstreamTimeouts) -> None:
        self.keep_alive = ticks(timeouts.keep_alive)
        self.max_age = ticks(timeouts.max_age)
        self._first_byte = ticks(timeouts.first_byte)
        self._idle = ticks(timeouts.idle)
        self._total = ticks(timeouts.total)

    def advance(self, connection: Connection) -> bool:
        """Count one tick of an exchange; whether its time is over."""
        connection.age += 1
        if not connection.age % PACE_TICKS:
            _measure(connection)
        if connection.phase in (IDLE, DONE):
            return False
        if not connection.stalled_by_us:
            connection.quiet += 1
        return connection.quiet > self._patience(connection) or connection.age > self._total

    def _patience(self, connection: Connection) -> float:
        """How many ticks nothing may come. While the client is slow to send, that is the server's to judge."""
        if connection.phase == BODY or connection.write_paused:
            return self._idle
        return math.inf if connection.sending else self._first_byte


def _measure(connection: Connection) -> None:
    """A moving average: what was four measurements ago counts a third."""
    now = connection.moved / (PACE_TICKS * TICK)
    connection.pace = now if connection.pace < 0 else 0.75 * connection.pace + 0.25 * now
    connection.moved = 0


def should_read(connection: Connection) -> bool:
    """Whether an exchange has lasted long enough to look at its client (or to stop waiting for `100 Continue`)."""
    wait = _CONTINUE_TICKS if connection.request.expects else _WATCH_TICKS
    return connection.phase not in (IDLE, DONE) and connection.age >= wait
