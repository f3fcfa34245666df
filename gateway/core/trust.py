"""Say which peers may speak for a client, and who the client then is.

Nobody is trusted until the operator lists a network: no default, and no private range is special (A12, A16).
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_MEMO_ENTRIES = 4096
_LONGEST_ADDRESS = 64  # an IPv6 address with a zone is shorter; what is longer is not remembered, and not an address

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


class TrustedPeers:
    """The operator's `trusted_proxies`. Remembers, within bounds, what it said of an address."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """`networks` as addresses or CIDR. Raises ValueError that names the one which cannot be read."""
        self._networks = [_network(text) for text in networks]
        self._memo: dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._networks)

    def trusts(self, host: str | None) -> bool:
        """Whether this peer may speak for others. What is no address (None, a unix socket, garbage) may not."""
        if host is None or not self._networks:
            return False
        known = self._memo.get(host)
        return self._first_time(host) if known is None else known

    def client_address(self, peer: str | None, forwarded_for: Iterable[str]) -> str:
        """The rightmost hop that is not trusted: further left, everything is a claim of strangers (A15).

        `forwarded_for` are the values of X-Forwarded-For, in order. "" when the trusted peers do not say for whom they
        speak: an address of theirs would pass for a client on the inside.
        """
        hops = self.hops(peer, forwarded_for)
        return hops[0] if hops and not self.trusts(hops[0]) else ""

    def hops(self, peer: str | None, forwarded_for: Iterable[str]) -> list[str]:
        """The client, then the trusted proxies, the peer last; garbage ends the walk. Empty without an address."""
        nearest = _parse(peer or "")
        if nearest is None:
            return []
        hops = [str(nearest)]
        claimed = [hop for value in forwarded_for for hop in value.split(",")]
        while claimed and self.trusts(hops[0]):
            address = _parse(_without_port(claimed.pop().strip(" \t")))
            if address is None:
                break
            hops.insert(0, str(address))
        return hops

    def _first_time(self, host: str) -> bool:
        address = _parse(host)
        trusted = address is not None and any(address in network for network in self._networks)
        if len(host) <= _LONGEST_ADDRESS:
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            self._memo[host] = trusted
        return trusted


def _network(text: str) -> _Network:
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        raise ValueError(f"trusted network {text!r}: {error}") from error
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= 96:
        return IPv4Network((network.network_address.ipv4_mapped, network.prefixlen - 96))
    return network


def _parse(text: str) -> _Address | None:
    try:
        # The zone of a link-local address means something on one machine only, and may hold any character.
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A dual-stack socket reports an IPv4 peer as ::ffff:192.0.2.1 (RFC 4291 §2.5.5.2).
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _without_port(hop: str) -> str:
    """Azure and IIS write `192.0.2.1:1234` and `[2001:db8::1]:1234` into X-Forwarded-For."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
