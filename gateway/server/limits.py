"""What one client may ask of the server: sizes, counts and times."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes, times in seconds. A limit is what is still accepted; one more is refused.

    Precedents: nginx reads heads of 4 x 8 KiB, Apache takes 100 fields and 8 KiB lines, Node 16 KiB heads. Split
    session cookies and a provider's long return address need more than the smallest of them.
    """

    header_bytes: int = 32 * 1024
    """Field lines of one request, names, values and separators together (431)."""
    header_count: int = 128
    """Field lines of one request (431)."""
    request_line: int = 16 * 1024
    """Method, target and version (414)."""
    header_seconds: float = 10
    """From the first byte of a request to the end of its head (408); also from the connection to that first byte."""
    body_idle_seconds: float = 30
    """Between two pieces of a request body, while the application wants more (408)."""
    keep_alive_seconds: float = 75
    """Between an answer and the next request; the connection is then closed without a word."""
    write_seconds: float = 60
    """How long sent bytes may wait for a client, or a tunnel's upstream, that takes none of them (0 = no limit).

    Linux alone; the kernel looks after it, so a connection may outlive the limit by one of its probes."""
    linger_seconds: float = 2
    """How long a refused client may go on sending before the connection is cut, so that it can read its answer."""
    connections: int = 10_000
    """Open connections, tunnels included; those above are answered 503 (0 = no limit)."""
