"""Notice an upstream that is the gateway itself: every request would come back to it, again and again."""

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_REACHED = {"0.0.0.0": "127.0.0.1/32", "::": "::1/128"}  # noqa: S104 - where a connection to "any address" ends
_MAPPED = "::ffff:"

Networks = frozenset[IPv4Network | IPv6Network]


def own_address(server: str, *, host: str, port: int, public_url: str) -> str | None:
    """Which of the gateway's addresses an upstream's is, in words; None when it is another one, or cannot be seen.

    `host` and `port` are those that the gateway listens on. Names are not looked up, but for `localhost`.
    """
    if server.startswith("unix:"):
        return None
    there = _place(server)
    if port and there[1] == port and _meet(there[0], host, _listened(host)):
        return "listen"
    public = _place(public_url)
    if there[1] == public[1] and _meet(there[0], public[0], _reached(public[0])):
        return "public_url"
    return None


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]


def _meet(host: str, name: str, networks: Networks) -> bool:
    return host == name or any(
        one.version == other.version and one.overlaps(other) for one in _reached(host) for other in networks
    )


def _listened(host: str) -> Networks:
    """The loopback addresses at which a listener is reached."""
    if host == "::":
        return frozenset(_LOOPBACK)
    return frozenset({_LOOPBACK[0]}) if host == "0.0.0.0" else _reached(host)  # noqa: S104


def _reached(host: str) -> Networks:
    """The addresses that a connection to a host reaches, as far as that is known without a look-up."""
    if host == "localhost" or host.endswith(".localhost"):
        return frozenset({ip_network("127.0.0.1/32"), ip_network("::1/128")})
    try:
        return frozenset({ip_network(_REACHED.get(host) or ip_address(host.removeprefix(_MAPPED)))})
    except ValueError:
        return frozenset()
