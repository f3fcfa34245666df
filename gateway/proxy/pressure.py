"""Choose the slow clients that give their upstream connections up when others wait for one.

A connection waits for its client while the request's body is not complete, or while the client does not take the
response. A stream may do so for hours, and nothing is wrong with that as long as there are connections for everybody.
"""

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv6Address
from typing import Final

from gateway.core.asgi import Scope
from gateway.proxy.deadlines import TICK
from gateway.proxy.wire import Connection

GRACE: Final = 3
"""Ticks of an exchange before it is ended as slow; nor is another, less slow one in its place."""
ENOUGH: Final = 32 * 1024
"""Bytes a second that a client need not exceed, as long as its address holds no more than its share."""
ENOUGH_ABOVE: Final = 256 * 1024
"""The same for clients whose address holds more."""
_LUMP: Final = 48 * 1024
"""What a client must take of a response before more is written: the server's write buffer goes from 64 to 16 KiB."""


def slowest(busy: Iterable[Connection], bound: int) -> list[Connection]:
    """The connections to end, so that no more than `bound` wait for clients; the worst first.

    Clients of an address that holds more than its share come before all others, and the slowest of each kind first.
    """
    held = [(pace(each), each) for each in busy if waits_for_client(each)]
    excess = len(held) - bound
    if excess <= 0:
        return []
    addresses = {each: address_of(each.scope) for _, each in held}
    counts = Counter(addresses.values())
    share = max(1, bound // len(counts))
    greedy, others = [], []
    for speed, each in sorted(held, key=lambda item: item[0]):
        if counts[addresses[each]] > share and speed < ENOUGH_ABOVE:
            counts[addresses[each]] -= 1
            greedy.append(each)
        elif speed < ENOUGH:
            others.append(each)
    return [each for each in [*greedy, *others][:excess] if each.age >= GRACE]


def waits_for_client(connection: Connection) -> bool:
    """Whether the client alone keeps the exchange from going on."""
    if connection.handed >= 0:
        return True
    return connection.sending and connection.reader is not None and not connection.write_paused


def pace(connection: Connection) -> float:
    """Bytes a second that the client sends; at most so many does it take, when the response waits for it."""
    if connection.handed >= 0:
        return _LUMP / (TICK * max(1, connection.age - connection.handed))
    return connection.pace if connection.pace >= 0 else connection.moved / (TICK * max(1, connection.age))


def address_of(scope: Scope | None) -> str:
    """The client's address, or its network where one client has many (IPv6: /64). Forwarded headers are ours by now."""
    headers = scope["headers"] if scope else ()
    hops = next((value for name, value in headers if name == b"x-forwarded-for"), b"")
    address = hops.partition(b",")[0].strip().decode("latin-1") or ((scope or {}).get("client") or ("",))[0]
    try:
        return IPv6Address(address).exploded[:19] if ":" in address else address
    except ValueError:
        return address
