"""Say what the browser used, to an application in the same process behind servers of the operator's own.

A server in front takes TLS off: the application would see `http`, and the server as the client, and would redirect to
`http://`. What is said comes from the settings; the request only chooses among hosts that these make ours.
"""

import re
from urllib.parse import urlsplit

from gateway.core.asgi import HeaderList, Scope
from gateway.core.trust import TrustedPeers

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+", re.ASCII)
_WEBSOCKET = {"http": "ws", "https": "wss"}


class Front:
    """The servers in front, as far as they are trusted."""

    def __init__(self, public_url: str, trusted: TrustedPeers, shared_domain: str | None = None) -> None:
        """`shared_domain`: the parent domain whose hosts share the session; requests to them keep their host."""
        parts = urlsplit(public_url)
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port
        self._trusted = trusted
        self._shared = f".{shared_domain}" if shared_domain else None

    def translated(self, scope: Scope, headers: HeaderList) -> Scope:
        """The scope for the application, `headers` being those that it gets; from an untrusted peer nothing changes."""
        peer = scope["client"][0] if scope.get("client") else None
        if not self._trusted.trusts(peer):
            return {**scope, "headers": headers}
        host = self._used_host(scope["headers"])
        address = self._trusted.client_address(peer, _values(scope["headers"], b"x-forwarded-for"))
        return {
            **scope,
            "scheme": _WEBSOCKET[self._scheme] if scope["type"] == "websocket" else self._scheme,
            "client": (address, 0) if address else scope["client"],
            "server": (host, self._port or _DEFAULT_PORTS[self._scheme]),
            "headers": [(b"host", self._authority(host)), *(line for line in headers if line[0] != b"host")],
        }

    def _used_host(self, headers: HeaderList) -> str:
        """The host that the browser asked for if it is one of ours, else that of `public_url`."""
        if self._shared is None:
            return self._host
        said = [*_values(headers, b"x-forwarded-host"), *_values(headers, b"host")]
        names = (value.lower().partition(":")[0] for value in said)
        return next((name for name in names if name.endswith(self._shared) and _NAME.fullmatch(name)), self._host)

    def _authority(self, host: str) -> bytes:
        name = f"[{host}]" if ":" in host else host
        return (name if self._port is None else f"{name}:{self._port}").encode("ascii")


def _values(headers: HeaderList, name: bytes) -> list[str]:
    return [value.decode("latin-1") for found, value in headers if found == name]
