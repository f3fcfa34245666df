"""The connections to one upstream: reuse the last one first, open up to a bound, then queue."""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from typing import Final

from gateway.errors import UpstreamBusy, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from gateway.proxy.dial import open_connection, parse_address
from gateway.proxy.options import UpstreamOptions
from gateway.proxy.servers import MAX_STRIKES, Server, least_busy, may_eject
from gateway.proxy.upload import pump
from gateway.proxy.wire import BODY, DONE, IDLE, Connection

__all__ = ["TICK", "Upstream", "open_connection"]

TICK: Final = 0.1
"""Seconds. One timer for all connections of an upstream: deadlines are counted in ticks, not set per request."""
PROBE: Final = 1.0
"""Seconds between two attempts to reach an ejected server."""
WATCH_TICKS: Final = 1
"""Whether the client is still there is asked from the first tick on: a shorter exchange never pays for it."""
CONTINUE_TICKS: Final = 10
"""A second without `100 Continue`: then the body goes anyway (RFC 9110 §10.1.1)."""

_Waiter = asyncio.Future[Connection | None]

logger = logging.getLogger("gateway.proxy")


def _ticks(seconds: float | None) -> float:
    """Rounded up, and one more for the tick under way: late by a tenth of a second, never early."""
    return math.inf if seconds is None else math.ceil(seconds / TICK) + 1


class Upstream:
    """Opened lazily, on the running loop. A connection from `take` or `open` is given back by `put` or `drop`."""

    def __init__(self, options: UpstreamOptions) -> None:
        self.options = options
        self.servers = [Server(parse_address(server)) for server in options.servers]
        self._single = self.servers[0] if len(self.servers) == 1 else None
        self._owner: dict[Connection, Server] = {}
        self._waiters: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._probes: set[asyncio.Task[None]] = set()
        self._ticks = 0
        limits = options.timeouts
        self._first_byte, self._idle = _ticks(limits.first_byte), _ticks(limits.idle)
        self._total, self._keep_alive = _ticks(limits.total), _ticks(limits.keep_alive)
        self._max_age = _ticks(limits.max_age)
        self._closed = False

    @property
    def host(self) -> bytes | None:
        """What the Host line says, when the policy is to replace the client's."""
        return self.servers[0].address.authority if self.options.host_policy == "replace" else None

    # ---- for the exchange

    def take(self) -> Connection | None:
        """An idle connection, at once."""
        server = self._single or least_busy(self.servers)
        if not server.idle:
            return None
        connection = server.idle.pop()
        server.busy.add(connection)
        return connection

    async def open(self) -> Connection:
        """A connection that is new, or came free while waiting. Raises UpstreamBusy, UpstreamUnreachable.

        A server that cannot be reached is passed over for another one: nothing was sent yet.
        """
        failed: list[Server] = []
        while True:
            server = least_busy(self.servers, failed)
            if server.load() >= self.options.max_connections:
                connection = await self._queue()
                if connection is not None:
                    return connection
                continue
            if server.load() + len(server.idle) >= self.options.max_connections:
                self.drop(server.idle[0])
            try:
                return await self._dial(server)
            except UpstreamUnreachable as exc:
                self._strike(server, exc, MAX_STRIKES)
                failed.append(server)
                if len(failed) == len(self.servers):
                    raise

    def read(self, connection: Connection) -> None:
        """Begin to read the client: its body if it has one, then whether it is still there."""
        if connection.reader is None:
            connection.reader = asyncio.get_running_loop().create_task(pump(connection, self.options.max_body))

    def put(self, connection: Connection) -> None:
        """Take back a connection whose exchange is complete."""
        server = self._owner.get(connection)
        if (
            server is None
            or not connection.keep
            or connection.sending
            or connection.phase != DONE
            or self._ticks - connection.born > self._max_age
        ):
            self.drop(connection)
            return
        server.strikes = 0
        self._end_reading(connection)
        connection.phase = IDLE
        connection.since = self._ticks
        connection.reused = True
        if self._waiters and self._hand_over(connection):
            return
        server.busy.discard(connection)
        server.idle.append(connection)

    def drop(self, connection: Connection) -> None:
        """End a connection, whatever its state."""
        self._end_reading(connection)
        connection.transport.abort()
        self.lost(connection)

    def blame(self, connection: Connection, error: UpstreamError) -> None:
        """Count a failed exchange against its server."""
        server = self._owner.get(connection)
        if server is not None:
            self._strike(server, error, 1)

    async def aclose(self) -> None:
        """End every connection; exchanges under way fail."""
        self._closed = True
        for task in tuple(self._probes):
            task.cancel()
        for connection in tuple(self._owner):
            connection.fail(UpstreamUnreachable("the gateway stops"))
            self.lost(connection)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- for the connection

    def lost(self, connection: Connection) -> None:
        """It ended. (An exchange on it hears so from the connection itself.)"""
        server = self._owner.pop(connection, None)
        if server is not None:
            server.forget(connection)
            self._hand_over(None)

    # ---- opening

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """A connection outside the pool and its bound, for a tunnel. Raises UpstreamUnreachable."""
        transport, _ = await open_connection(self.options, least_busy(self.servers).address, factory)
        return transport

    async def _dial(self, server: Server) -> Connection:
        loop = asyncio.get_running_loop()
        server.opening += 1
        try:
            _, connection = await open_connection(
                self.options, server.address, lambda: Connection(self, loop, self.options.max_head)
            )
        except BaseException:
            self._hand_over(None)
            raise
        finally:
            server.opening -= 1
        connection.born = self._ticks
        self._owner[connection] = server
        server.busy.add(connection)
        if self._timer is None:
            self._timer = loop.call_later(TICK, self._tick)
        return connection

    @staticmethod
    def _end_reading(connection: Connection) -> None:
        connection.receive = None  # so that an idle connection keeps nothing of a client alive
        if connection.reader is not None:
            connection.reader.cancel()
            connection.reader = None

    # ---- queueing

    async def _queue(self) -> Connection | None:
        """Wait for a connection that comes free (None: for room to open one). Raises UpstreamBusy."""
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(self.options.timeouts.queue):
                connection = await waiter
        except BaseException as exc:
            self._give_up(waiter)
            if isinstance(exc, TimeoutError):
                raise UpstreamBusy(f"{self.options.label}: no connection came free") from exc
            raise
        return connection if connection in self._owner else None  # it may have ended on the way

    def _give_up(self, waiter: _Waiter) -> None:
        """Pass on what this waiter was given and will not use."""
        if waiter in self._waiters:
            self._waiters.remove(waiter)
        elif waiter.done() and not waiter.cancelled():
            connection = waiter.result()
            if connection is None:
                self._hand_over(None)
            elif connection in self._owner:
                connection.phase = DONE
                self.put(connection)

    def _hand_over(self, connection: Connection | None) -> bool:
        """Give a connection, or word of room for one, to whoever waits longest."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    # ---- health

    def _strike(self, server: Server, error: UpstreamError, weight: int) -> None:
        server.strikes += weight
        if server.strikes >= MAX_STRIKES and not server.down and may_eject(server, self.servers):
            server.down = True
            logger.warning("upstream %s: %s ejected: %s", self.options.label, server.address.authority.decode(), error)
            task = asyncio.get_running_loop().create_task(self._probe(server))
            self._probes.add(task)
            task.add_done_callback(self._probes.discard)

    async def _probe(self, server: Server) -> None:
        """Try to connect each second, until it works."""
        while True:
            await asyncio.sleep(PROBE)
            try:
                connection = await self._dial(server)
            except UpstreamUnreachable:
                continue
            server.down, server.strikes = False, 0
            connection.phase, connection.keep, connection.sending = DONE, True, False
            self.put(connection)
            return

    # ---- time

    def _tick(self) -> None:
        self._ticks += 1
        for server in self.servers:
            for connection in tuple(server.busy):
                self._check(connection)
            while server.idle and self._ticks - server.idle[0].since > self._keep_alive:
                self.drop(server.idle[0])
        self._timer = asyncio.get_running_loop().call_later(TICK, self._tick) if self._owner else None

    def _check(self, connection: Connection) -> None:
        """Hold an exchange to its deadlines, and begin to watch its client when it is not over at once."""
        connection.age += 1
        if connection.phase in (IDLE, DONE):
            return
        if connection.age >= (CONTINUE_TICKS if connection.request.expects else WATCH_TICKS):
            self.read(connection)
        if not connection.stalled_by_us:
            connection.quiet += 1
        if connection.quiet > self._patience(connection) or connection.age > self._total:
            connection.fail(UpstreamTimeout(f"{self.options.label}: no answer in time"))

    def _patience(self, connection: Connection) -> float:
        if connection.phase == BODY or connection.write_paused:
            return self._idle
        return math.inf if connection.sending else self._first_byte
