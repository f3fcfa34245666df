"""The connections to one upstream: reuse the last one first, open up to a bound, then queue."""

import asyncio
import logging
from collections.abc import Callable

from gateway.core.asgi import Message
from gateway.errors import SlowClient, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from gateway.proxy.deadlines import TICK, Deadlines, should_read
from gateway.proxy.dial import open_connection, parse_address, tls_context
from gateway.proxy.health import MAX_STRIKES, Health
from gateway.proxy.options import UpstreamOptions
from gateway.proxy.parsing import DONE, IDLE
from gateway.proxy.pressure import slowest
from gateway.proxy.queueing import Queue
from gateway.proxy.servers import Server, least_busy
from gateway.proxy.upload import Body, pump
from gateway.proxy.wire import Connection

_REPORT_TICKS = 10
logger = logging.getLogger("gateway.proxy")


class Upstream:
    """Opens nothing before it is asked. A connection from `take` or `open` is given back by `put` or `drop`."""

    def __init__(self, options: UpstreamOptions) -> None:
        """Raises ValueError for an address that cannot be read, OSError for a TLS file that cannot."""
        self.options = options
        self.servers = [Server(parse_address(server)) for server in options.servers]
        if any(server.address.tls for server in self.servers):
            tls_context(options.tls)  # now, so that a missing file is found at the start
        self._only = self.servers[0] if len(self.servers) == 1 else None
        self.host = self.servers[0].address.authority if options.host_policy == "replace" else None
        """What the Host line says, when the policy is to replace the client's."""
        self._home: dict[Connection, Server] = {}
        self._queue = Queue(self._put_back)
        self._health = Health(options.label, self.servers, self._reach)
        self._deadlines = Deadlines(options.timeouts)
        self._timer: asyncio.TimerHandle | None = None
        self._ticks = 0
        self._ended = 0
        """Slow clients that no line of the log has counted yet."""

    # ---- for the exchange

    def take(self) -> Connection | None:
        """An idle connection, at once."""
        server = self._only or least_busy(self.servers)
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
            if server.load() >= self.options.max_connections and not self._relieve(server):
                connection = await self._queue.wait(self.options.timeouts.queue)
                if connection is not None and connection in self._home:  # it may have ended on the way
                    return connection
                continue
            if server.load() + len(server.idle) >= self.options.max_connections:
                self.drop(server.idle[0])
            try:
                return await self._dial(server)
            except UpstreamUnreachable as exc:
                self._health.strike(server, exc, MAX_STRIKES)
                failed.append(server)
                if len(failed) == len(self.servers):
                    raise

    def read(self, connection: Connection, first: Message | None = None) -> None:
        """Begin to read the client: its body if it has one, then whether it is still there.

        `first` is the piece of the body that has been read already. Raises RequestTooLarge, BadData.
        """
        if connection.reader is not None:
            return
        body = Body(connection, connection.request.length, self.options.max_body)
        if first is not None:
            body.write(first)
            if not connection.sending:  # that was all; the client is looked at when the exchange takes longer
                return
        connection.reader = asyncio.get_running_loop().create_task(pump(connection, body))

    def put(self, connection: Connection) -> None:
        """Take back a connection whose exchange is complete; keep it if it may carry another one."""
        server = self._home.get(connection)
        if server is None or not connection.reusable or self._ticks - connection.born > self._deadlines.max_age:
            self.drop(connection)
            return
        server.strikes = 0
        connection.receive = connection.scope = None
        if connection.reader is not None:
            _end_reading(connection)
        connection.phase = IDLE
        connection.since = self._ticks
        connection.reused = True
        if not (self._queue.waiters and self._queue.serve(connection)):
            server.busy.discard(connection)
            server.idle.append(connection)

    def drop(self, connection: Connection) -> None:
        """End a connection, whatever its state."""
        _end_reading(connection)
        connection.transport.abort()
        connection.error = None  # once raised, it refers to frames that refer to the connection
        self.lost(connection)

    def blame(self, connection: Connection, error: UpstreamError) -> None:
        """Count a failed exchange against its server, which may have closed the connection long ago."""
        server = next((server for server in self.servers if server.address is connection.peer), None)
        if server is not None:
            self._health.strike(server, error)

    async def connect(self, factory: Callable[[], asyncio.Protocol]) -> asyncio.Transport:
        """A connection outside the pool and its bound, for a tunnel. Raises UpstreamUnreachable."""
        transport, _ = await open_connection(self.options, least_busy(self.servers).address, factory)
        return transport

    async def aclose(self) -> None:
        """End every connection; exchanges under way fail."""
        self._health.stop()
        for connection in tuple(self._home):
            connection.fail(UpstreamUnreachable("the gateway stops"))
            self.lost(connection)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ---- for the connections and the queue

    def lost(self, connection: Connection) -> None:
        """It ended. (An exchange on it hears so from the connection itself.)"""
        server = self._home.pop(connection, None)
        if server is not None:
            server.forget(connection)
            self._queue.serve(None)

    def _relieve(self, server: Server) -> bool:
        """End the slowest clients, if more than half of the connections wait for clients; whether there is room now."""
        if not self.options.streaming:
            for connection in slowest(server.busy, max(1, self.options.max_connections // 2)):
                self._end_slow(connection)
        return server.load() < self.options.max_connections

    def _end_slow(self, connection: Connection) -> None:
        if connection.phase != DONE:  # else all that the client still has to take is here
            self._ended += 1
            if connection.handed >= 0 and connection.exchange is not None:
                connection.exchange.cancel()
        connection.fail(SlowClient("others waited for the connection to the upstream that it held"))
        self.lost(connection)

    def _put_back(self, connection: Connection) -> None:
        if connection in self._home:
            connection.phase = DONE
            self.put(connection)

    async def _dial(self, server: Server) -> Connection:
        loop = asyncio.get_running_loop()
        server.opening += 1
        try:
            _, connection = await open_connection(
                self.options,
                server.address,
                lambda: Connection(self, loop, self.options.max_head, lenient=self.options.lenient),
            )
        except BaseException:
            self._queue.serve(None)
            raise
        finally:
            server.opening -= 1
        connection.born = self._ticks
        connection.peer = server.address
        self._home[connection] = server
        server.busy.add(connection)
        if self._timer is None:
            self._timer = loop.call_later(TICK, self._tick)
        return connection

    async def _reach(self, server: Server) -> None:
        self.drop(await self._dial(server))

    # ---- time

    def _tick(self) -> None:
        self._ticks += 1
        for server in self.servers:
            for connection in tuple(server.busy):
                if self._deadlines.advance(connection):
                    connection.fail(UpstreamTimeout("no answer in time"))
                elif should_read(connection):
                    self.read(connection)
            if self._queue.waiters:
                self._relieve(server)
            while server.idle and self._ticks - server.idle[0].since > self._deadlines.keep_alive:
                self.drop(server.idle[0])
        if self._ended and not self._ticks % _REPORT_TICKS:
            logger.warning("upstream %s: %d slow clients ended: others were waiting", self.options.label, self._ended)
            self._ended = 0
        self._timer = asyncio.get_running_loop().call_later(TICK, self._tick) if self._home else None


def _end_reading(connection: Connection) -> None:
    connection.receive = connection.scope = None  # so that an idle connection keeps nothing of a client alive
    if connection.reader is not None:
        connection.reader.cancel()
        connection.reader = None
