"""Read and judge the head of a request as the parser finds it, line by line."""

from collections import deque
from enum import IntEnum
from typing import Any, Final
from urllib.parse import unquote

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.core.asgi import INTERIM
from gateway.server.cycle import Cycle, Flow
from gateway.server.head import (
    METHODS,
    LongLine,
    Refused,
    authority_of,
    check_coding,
    check_host,
    check_lookalike,
    check_method,
)
from gateway.server.limits import Limits
from gateway.server.names import MAX_LEARNED, WATCHED, common_names

_NAMES = common_names()
_OFFERED: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "1.1": {INTERIM: {}, "http.response.early_hint": {}},
    "1.0": {},
}
"""ASGI extensions by the version of HTTP: clients of 1.0 know no interim responses (RFC 9110 §15.2)."""


class Phase(IntEnum):
    """What the next byte of the client belongs to."""

    BETWEEN = 0  # no request, or one that is complete and being answered
    HEAD = 1
    BODY = 2
    STOPPED = 3  # nothing: what still comes is thrown away; earlier requests get their answers
    LINGERING = 4  # likewise, and everything has been answered


# In Python 3.11 a member looked up through its class costs as much as a call.
BETWEEN, HEAD, BODY, STOPPED, LINGERING = Phase


class Upgrade(IntEnum):
    """What a request's Upgrade header leads to. The parser stops after such a head and skips its body."""

    NONE = 0
    WEBSOCKET = 1
    IGNORED = 2  # h2c and others: the request is parsed again without it (RFC 9110 §7.8)
    MISREAD = 3  # no upgrade, but a coding with white space that the parser does not know: parsed again without it


NOT_OFFERED, WEBSOCKET, IGNORED, MISREAD = Upgrade


class HeadReader(HttpToolsProtocol):
    """The part of a connection that knows the head in hand; what to do with it is the subclass's."""

    cycle: Cycle  # type: ignore[assignment]
    flow: Flow
    pipeline: deque[tuple[Cycle, Any]]  # type: ignore[assignment]

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits
        self._phase = BETWEEN
        self._running: Cycle | None = None
        self._fed = 0  # bytes of the piece in hand
        self._head_fed = 0  # bytes of the pieces that are wholly this head's or later
        self._head_slack = 0  # bytes of the piece in which it began
        self._hosts = 0
        self._host = b""
        self._good_host: bytes | None = None  # of the request before, so that it need not be judged again
        self._reset_head()

    def _reset_head(self) -> None:
        self._is_plain = True  # none of what follows was in the head
        self._codings: list[bytes] | None = None
        self._length = False
        self._upgrade = NOT_OFFERED
        self._protocols: list[bytes] | None = None
        self.expect_100_continue = False

    def on_url(self, url: bytes) -> None:
        """A piece of the request target."""
        self.url += url
        if len(self.url) > self.limits.request_line:
            raise LongLine

    def on_header(self, name: bytes, raw: bytes) -> None:
        """A field line of the head, or of the trailers: those go to a list that nobody reads (A5).

        White space round a value is no part of it (RFC 9110 §5.5). The parser has removed what stood before it, and
        refused all that `rstrip` would take besides space and tab.
        """
        value = raw.rstrip()
        lower = _NAMES.get(name)
        if lower is None:
            if self._phase is HEAD and (name == b"Host" or name == b"host"):  # noqa: PLR1714 - in each request
                self._hosts += 1
                self._host = value
                lower = b"host"
            else:
                lower = self._uncommon(name, raw)
        self.headers.append((lower, value))

    def _uncommon(self, name: bytes, raw: bytes) -> bytes:
        lower = name.lower()
        if self._phase is HEAD:
            if lower in WATCHED:
                self._watch(lower, raw)
            else:
                check_lookalike(lower)
                if len(_NAMES) < MAX_LEARNED:
                    _NAMES[name] = lower
        return lower

    def _watch(self, name: bytes, raw: bytes) -> None:
        value = raw.rstrip()
        if name == b"host":
            self._hosts += 1
            self._host = value
            return
        self._is_plain = False
        if name == b"content-length":
            self._length = True
        elif name == b"transfer-encoding":
            self._codings = [*(self._codings or ()), value]
            if b"\t" in raw:  # the parser knows `chunked` with spaces behind it, not with tabs
                self._upgrade = MISREAD
                self.parser.set_dangerous_leniencies(lenient_transfer_encoding=True)  # read on; it is thrown away soon
        elif name == b"upgrade":
            self._protocols = [*(self._protocols or ()), value.lower()]
        elif value.lower() == b"100-continue":
            self.expect_100_continue = True

    def _judge(self, version: str) -> str:
        """Every check of a head but its target's; the method's name."""
        if version not in {"1.1", "1.0"}:
            raise Refused(505, "The HTTP version is not supported.")
        name = self.parser.get_method()
        method = METHODS.get(name) or check_method(name)
        if self._hosts != 1:
            self._check_missing_host(version)
        elif self._host != self._good_host:
            self._set_host(check_host(self._host))
        if self._codings is not None:
            check_coding(self._codings, version)
        self._check_size()
        if self.parser.should_upgrade():
            self._upgrade = self._judge_upgrade(method, version)
        return method

    def _check_missing_host(self, version: str) -> None:
        """HTTP/1.0 may leave it out (RFC 9112 §3.2), as load balancers' probes do."""
        if self._hosts or version != "1.0":
            raise Refused(400, "Exactly one Host header is needed.")
        self._host = authority_of(self.url)
        if self._host:
            self.headers.append((b"host", self._host))

    def _set_host(self, host: bytes) -> None:
        """Remember a good one; every reader of it sees the same form."""
        if host != self._host:
            self.headers[:] = [(name, host if name == b"host" else value) for name, value in self.headers]
        self._host = self._good_host = host

    def _check_size(self) -> None:
        if len(self.headers) > self.limits.header_count:
            raise Refused(431, "There are too many header fields.")
        # What was fed is more than the head, so adding up is rarely needed.
        if self._head_fed + self._head_slack > self.limits.header_bytes:
            size = sum(len(name) + len(value) + 4 for name, value in self.headers)  # ": " and CR LF
            if size > self.limits.header_bytes:
                raise Refused(431, "The header is too large.")

    def _judge_upgrade(self, method: str, version: str) -> Upgrade:
        if self._protocols != [b"websocket"] or method != "GET" or version != "1.1":
            return IGNORED
        if self._length or self._codings:
            raise Refused(400, "A WebSocket handshake has no body.")  # F2
        if self._running is not None:
            raise Refused(400, "A WebSocket handshake must wait for earlier answers.")
        return WEBSOCKET

    def _scope(self, version: str, method: str, raw_path: bytes, query: bytes) -> dict[str, Any]:
        path = raw_path.decode("ascii")
        self.scope = scope = {  # type: ignore[assignment]
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "method": method,
            "scheme": self.scheme,
            "server": self.server,
            "client": self.client,
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "extensions": _OFFERED[version],
        }
        return scope


def is_not_zero(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b" \t0")) for name, value in headers
    )
