"""Leave a failing server out for a while, and find out when it is back."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from gateway.errors import UpstreamError
from gateway.proxy.servers import Server

MAX_STRIKES: Final = 3
"""Failures in a row that eject a server which still accepts connections (nginx's max_fails, HAProxy's `fall`: 1-3)."""
PROBE: Final = 1.0
"""Seconds between two attempts to reach an ejected server."""

logger = logging.getLogger("gateway.proxy")


class Health:
    """Passive: judged by real exchanges alone. The last server is never left out: a doubtful answer beats none."""

    def __init__(self, label: str, servers: list[Server], reach: Callable[[Server], Awaitable[None]]) -> None:
        """`reach` connects to a server, or raises UpstreamError."""
        self._label = label
        self._servers = servers
        self._reach = reach
        self._probes: set[asyncio.Task[None]] = set()

    def strike(self, server: Server, error: UpstreamError, weight: int = 1) -> None:
        """Count a failure; MAX_STRIKES in a row, or one of that weight, eject."""
        server.strikes += weight
        others = any(other is not server and not other.down for other in self._servers)
        if server.strikes < MAX_STRIKES or server.down or not others:
            return
        server.down = True
        logger.warning("upstream %s: %s left out: %s", self._label, server.address.authority.decode(), error)
        task = asyncio.get_running_loop().create_task(self._probe(server))
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    async def _probe(self, server: Server) -> None:
        while server.down:
            await asyncio.sleep(PROBE)
            try:
                await self._reach(server)
            except UpstreamError:
                continue
            server.down, server.strikes = False, 0
            logger.warning("upstream %s: %s is back", self._label, server.address.authority.decode())

    def stop(self) -> None:
        """End the probes."""
        for task in tuple(self._probes):
            task.cancel()
