"""The values that describe one upstream, as the operator set them."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTimeouts:
    """Bounds in seconds; kept to within a tenth of a second (`connections.TICK`), never early."""

    connect: float = 5.0
    tls: float = 5.0
    queue: float = 5.0
    """Waiting for a connection when all are in use."""
    first_byte: float = 60.0
    """From the end of the request to the first byte of the answer."""
    idle: float = 60.0
    """Between two pieces of the answer, or while the upstream takes no more of the request."""
    total: float | None = None
    """The whole exchange; None sets no bound (streams, uploads)."""
    keep_alive: float = 4.0
    """How long an unused connection is kept: below the 5 s after which Node, uvicorn and others close theirs."""
    max_age: float = 300.0
    """A connection older than this is not used again, so that a changed DNS answer is noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamTls:
    """How an https upstream is verified, and which certificate we show it. Paths of PEM files."""

    ca_file: str | None = None
    certificate: str | None = None
    key: str | None = None
    server_name: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamOptions:
    """One service: where it runs, what it serves, and how long it may take."""

    servers: tuple[str, ...]
    """`http://host:port`, `https://host:port` or `unix:/path`; any path after the port is refused."""
    name: str = ""
    prefix: str = "/"
    hosts: frozenset[str] = frozenset()
    """Host names without port, in lower case; empty serves every host."""
    strip_prefix: bool = False
    rewrite: str | None = None
    """What stands in place of `prefix` in the path that is sent; None leaves it alone."""
    host_policy: Literal["pass", "replace"] = "pass"
    websocket_origin: Literal["same-host", "any"] = "same-host"
    max_connections: int = 256
    """For each server, WebSocket tunnels not counted."""
    streaming: bool = False
    """Clients of this service may send and read as slowly as they like, even while others wait for a connection."""
    max_body: int | None = None
    """Bytes of a request's body; more is answered 413. None sets no bound."""
    max_head: int = 65_536
    """Bytes of an answer's head (nginx takes 4-8 KiB, Node 16 KiB, Go 10 MiB)."""
    lenient: bool = False
    """Whether responses may have folded lines, bare line feeds and repeated framing lines."""
    timeouts: UpstreamTimeouts = field(default_factory=UpstreamTimeouts)
    tls: UpstreamTls = field(default_factory=UpstreamTls)

    @property
    def label(self) -> str:
        """What logs call it."""
        return self.name or self.servers[0]
