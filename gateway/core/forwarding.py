"""Rewrite a message's header lines between its two hops."""

from gateway.core.asgi import HeaderList
from gateway.core.trust import TrustedPeers


class Forwarding:
    def __init__(
        self,
        *,
        owned: frozenset[bytes],
        public_url: str,
        trusted: TrustedPeers,
        cookie_prefixes: tuple[str, ...] = ("__Host-cg_", "__Secure-cg_", "cg_"),
    ) -> None:
        """`owned` from `identity_headers.owned_names`; `public_url` gives scheme, host and port."""

    def request_headers(self, headers: HeaderList, peer: tuple[str, int] | None, block: HeaderList) -> HeaderList:
        raise NotImplementedError


def end_to_end(headers: HeaderList) -> HeaderList:
    """Without hop-by-hop lines (RFC 9110 §7.6.1), those that Connection names included. Always a new list."""
    raise NotImplementedError
