"""One server of an upstream: its connections, and how well it has answered lately."""

from collections.abc import Collection, Sequence

from gateway.proxy.dial import Address
from gateway.proxy.wire import Connection


class Server:
    """`idle` is a stack: the connection used last is used next, so that the others may time out."""

    __slots__ = ("address", "busy", "down", "idle", "opening", "strikes")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.idle: list[Connection] = []
        self.busy: set[Connection] = set()
        self.opening = 0
        self.strikes = 0
        """Failures since the last complete answer."""
        self.down = False

    def load(self) -> int:
        """Exchanges that it works on."""
        return len(self.busy) + self.opening

    def forget(self, connection: Connection) -> None:
        """Leave no trace of a connection that ended."""
        self.busy.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)


def least_busy(servers: Sequence[Server], tried: Collection[Server] = ()) -> Server:
    """The server with the fewest exchanges under way; ejected ones only when no other is left."""
    if len(servers) == 1:
        return servers[0]
    left = [server for server in servers if server not in tried] or servers
    return min([server for server in left if not server.down] or left, key=Server.load)
