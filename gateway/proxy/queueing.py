"""Those who wait for a connection, in the order in which they came."""

import asyncio
from collections import deque
from collections.abc import Callable

from gateway.errors import UpstreamBusy
from gateway.proxy.wire import Connection

_Waiter = asyncio.Future[Connection | None]


class Queue:
    """`put_back` takes a connection that was given to somebody who had just stopped waiting."""

    def __init__(self, put_back: Callable[[Connection], None]) -> None:
        self.waiters: deque[_Waiter] = deque()
        self._put_back = put_back

    async def wait(self, seconds: float) -> Connection | None:
        """A connection that came free; None means that there is room to open one. Raises UpstreamBusy."""
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        self.waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                return await waiter
        except BaseException as exc:
            self._leave(waiter)
            if isinstance(exc, TimeoutError):
                raise UpstreamBusy(f"no connection came free within {seconds:g} s") from exc
            raise

    def serve(self, connection: Connection | None) -> bool:
        """Give a connection, or word of room for one, to whoever waits longest; False when nobody does."""
        while self.waiters:
            waiter = self.waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _leave(self, waiter: _Waiter) -> None:
        if waiter in self.waiters:
            self.waiters.remove(waiter)
        elif waiter.done() and not waiter.cancelled():
            connection = waiter.result()
            if connection is None:
                self.serve(None)
            else:
                self._put_back(connection)
