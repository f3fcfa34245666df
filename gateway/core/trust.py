"""Say which peers may speak for a client, and who the client then is."""

from collections.abc import Iterable


class TrustedPeers:
    def __init__(self, networks: Iterable[str] = ()) -> None:
        """ValueError names the network that cannot be read."""

    def trusts(self, host: str | None) -> bool:
        raise NotImplementedError

    def client_address(self, peer: str | None, forwarded_for: Iterable[str]) -> str:
        """The rightmost hop that is not a trusted peer; "" when nobody says who it is."""
        raise NotImplementedError
