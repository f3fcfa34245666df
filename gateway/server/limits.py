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

    A client that takes some of them, however slowly, is served. (Linux knows of each byte; elsewhere, of pieces.)"""
    linger_seconds: float = 2
    """How long a client that was answered in the middle of its request may be silent before the connection is cut. As
    long as it sends, it is read, so that the response is not lost in a reset (RFC 9112 §9.6)."""
    linger_total_seconds: float = 300
    """How long that may take altogether."""
    half_closed_seconds: float = 10
    """How long a client that has closed its side waits for its response, or for more of it. Whether it is still there
    cannot be seen before something is sent to it."""
    connections: int = 10_000
    """Open connections, tunnels included; those above are answered 503 (0 = no limit)."""
