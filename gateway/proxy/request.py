"""Write the head of a request for the upstream, from an ASGI scope's values."""

import re
from operator import itemgetter
from typing import NamedTuple

from gateway.core.asgi import BARE_QUERY, HeaderList, Scope
from gateway.errors import BadData
from gateway.proxy.authentication import binds_request
from gateway.proxy.hops import LOOP, Hops

CHUNKED = -1

# RFC 9110 §7.6.1, and those of old proxies. A trailer section is never forwarded, so its announcement is not either.
HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_SPECIAL = HOP_BY_HOP | {b"authorization", b"content-length", b"expect", b"host", LOOP}
_ORDINARY = {b"host"}
_AUTHORIZATION = frozenset((b"authorization",))
_NAME = itemgetter(0)
_NO_HOPS = Hops()

# RFC 9110 §9.2.2: repeating one of these is as good as sending it once.
_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
# A tunnel through a kept connection would hand it to the client (CVE-2026-71324); TRACE echoes what we added.
_REFUSED = frozenset(("CONNECT", "TRACE"))
_METHODS = {name: name.encode() for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Request(NamedTuple):
    """One request, ready to be written. `length` is of its body: 0, a number of bytes, or CHUNKED."""

    head: bytes
    method: str
    length: int
    expects: bool
    """It waits for `100 Continue` before it sends its body (RFC 9110 §10.1.1)."""
    binds: bool = False
    """It may authenticate the connection that carries it, which then serves no other request."""

    @property
    def replayable(self) -> bool:
        """Whether it may be sent again when nobody can tell if it arrived (RFC 9112 §9.3.1)."""
        return self.length == 0 and self.method in _IDEMPOTENT


def write_request(
    method: str,
    target: bytes,
    headers: HeaderList,
    host: bytes | None = None,
    hops: Hops = _NO_HOPS,
    version: str = "1.1",
) -> Request:
    """Serialise; `host` replaces the Host line, which is otherwise passed on; `version` is that of HTTP in which the
    request came. Raises BadData, LoopDetected.

    The usual request (no body, nothing hop-by-hop left in it) costs one set intersection and one join.
    """
    special = _SPECIAL.intersection(map(_NAME, headers))
    length, expects, binds = 0, False, False
    if b"authorization" in special:
        special -= _AUTHORIZATION
        binds = binds_request(value for name, value in headers if name == b"authorization")
    if special != _ORDINARY or host is not None:
        if LOOP in special:
            hops.check(headers)
        length, expects = _framing(headers, special)
        expects = expects and version != "1.0"  # which knows none (RFC 9110 §10.1.1)
        headers = _reframed(headers, special, host, length, expects=expects)
    line = b"%b %b HTTP/1.1" % (_METHODS.get(method) or _method(method), target)
    lines = [line, *map(b": ".join, headers), *hops.lines_for(version), b"", b""]
    # Whatever came in, what goes out is one message: a line break in a line would start another (A20, F6).
    text = b"".join(lines)
    if b"\n" in text or b"\r" in text or b"\0" in text or target.split() != [target]:
        raise BadData("a header line or the request target holds a control character")
    head = b"\r\n".join(lines)
    return Request(head, method, length, expects, binds)


def with_query(path: bytes, scope: Scope) -> bytes:
    """The request target. ASGI cannot tell `/a?` from `/a`; our server can (RFC 3986 §6.2.3: they may differ)."""
    query: bytes = scope["query_string"]
    return path + b"?" + query if query or BARE_QUERY in scope else path


def _method(method: str) -> bytes:
    if method in _REFUSED or not _TOKEN.fullmatch(method):
        raise BadData(f"the method {method!r} is not forwarded")
    return method.encode()


def _framing(headers: HeaderList, special: set[bytes] | frozenset[bytes]) -> tuple[int, bool]:
    """(length of the body, whether it waits for 100). Transfer-Encoding outranks Content-Length (RFC 9112 §6.3)."""
    expects = b"expect" in special and any(n == b"expect" and v.lower() == b"100-continue" for n, v in headers)
    if b"transfer-encoding" in special:
        return CHUNKED, expects
    if b"content-length" not in special:
        return 0, False
    lengths = {value for name, value in headers if name == b"content-length"}
    value = lengths.pop()
    if lengths or not value.isdigit():
        raise BadData("contradictory or unreadable Content-Length")
    return int(value), expects and int(value) > 0


def _reframed(
    headers: HeaderList, special: set[bytes] | frozenset[bytes], host: bytes | None, length: int, *, expects: bool
) -> HeaderList:
    """Without hop-by-hop lines, those that Connection names included, and with exactly one statement of length."""
    dropped = HOP_BY_HOP | {b"content-length", b"expect"} | _named(headers, special)
    if host is not None:
        dropped |= {b"host"}
    kept = [line for line in headers if line[0] not in dropped]
    if host is not None or b"host" not in special:
        kept.insert(0, (b"host", host or b""))
    if length == CHUNKED:
        kept.append((b"transfer-encoding", b"chunked"))
    elif b"content-length" in special:
        kept.append((b"content-length", b"%d" % length))
    if expects:
        kept.append((b"expect", b"100-continue"))
    return kept


def _named(headers: HeaderList, special: set[bytes] | frozenset[bytes]) -> set[bytes]:
    """The names that Connection lines list; never the Host, which a request cannot do without."""
    if b"connection" not in special:
        return set()
    values = b",".join(value for name, value in headers if name == b"connection")
    return {token.strip().lower() for token in values.split(b",")} - {b"host"}
