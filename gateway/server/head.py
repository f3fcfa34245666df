"""Judge the head of a request: what is refused, with which status, and what its target means."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from ipaddress import IPv6Address

import httptools

ALLOWED = (
    "GET HEAD POST PUT PATCH DELETE OPTIONS "
    "PROPFIND PROPPATCH MKCOL COPY MOVE LOCK UNLOCK SEARCH BIND REBIND UNBIND ACL REPORT MKACTIVITY CHECKOUT MERGE "
    "MKCALENDAR LINK UNLINK PURGE NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH QUERY"
)
METHODS = {name.encode(): name for name in ALLOWED.split()}
"""Methods that are passed on; the rest of what the parser knows (RTSP, ICE) is not HTTP."""

_FORBIDDEN = frozenset({b"CONNECT", b"TRACE"})
"""CONNECT makes a tunnel of a shared connection (F2) and TRACE shows cookies to scripts."""

MAX_HOST = 255 + 6
"""A DNS name has at most 255 octets (RFC 1035 §2.3.4), a port five digits and its colon (F4)."""

_HOST = re.compile(rb"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*)|\[([0-9A-Fa-f:.]{2,45})\])(?::([0-9]{0,5}))?", re.ASCII)
_MAX_PORT = 65_535
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_CODING = re.compile(_TOKEN)
_METHOD = re.compile(rb"(?:\A|\n)(" + _TOKEN + rb")(?: |\Z)")
_ABSOLUTE = re.compile(rb"https?://([^/?]+)(/[^?]*)?(?:\?(.*))?", re.ASCII | re.IGNORECASE | re.DOTALL)
_SEPARATORS = re.compile(rb"[^a-z0-9]+")
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Refused(Exception):
    """A request that gets an answer from the server itself; the connection is closed after it."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

    def answer(self, headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
        """The whole HTTP/1.1 answer, with these header lines too: Date, where there is a clock (RFC 9110 §6.6.1)."""
        text = f"{self.reason}\n".encode("ascii")
        phrase = HTTPStatus(self.status).phrase
        extra = _EXTRA.get(self.status, "")
        head = (
            f"HTTP/1.1 {self.status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            f"content-length: {len(text)}\r\ncache-control: no-store\r\n{extra}connection: close\r\n\r\n"
        )
        first, rest = head.encode("ascii").split(b"\r\n", 1)
        return b"".join([first, b"\r\n", *(b"%b: %b\r\n" % line for line in headers), rest, text])


_EXTRA = {
    405: "allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n",  # RFC 9110 §15.5.6: Allow is required
    503: "retry-after: 1\r\n",
}


def check_method(name: bytes) -> str:
    """The method's name, when it is passed on. Else 405 for one that we know (RFC 9110 §15.5.6), 501 for others."""
    method = METHODS.get(name)
    if method is not None:
        return method
    if name in _FORBIDDEN:
        raise Refused(405, "The method is not allowed.")
    raise Refused(501, "The method is not known.")


def check_host(value: bytes) -> bytes:
    """A Host that is one name or address with an optional port (RFC 9112 §3.2; F4), without the colon of an empty
    port (RFC 3986 §6.2.3). Refuse any other."""
    match = _HOST.fullmatch(value)
    if len(value) > MAX_HOST or match is None or not _is_address(match[1]) or int(match[2] or 0) > _MAX_PORT:
        raise Refused(400, "The Host header is not valid.")
    return value.removesuffix(b":")


def _is_address(literal: bytes | None) -> bool:
    if literal is None:
        return True
    try:
        IPv6Address(literal.decode("ascii"))
    except ValueError:
        return False
    return True


def authority_of(target: bytes) -> bytes:
    """The host of a target in absolute form, as Host would say it; empty for the other forms."""
    parts = _ABSOLUTE.fullmatch(target)
    return check_host(parts[1]) if parts else b""


def check_lookalike(name: bytes) -> None:
    """Refuse a name that some servers fold into a framing header (`transfer_encoding`, `content---length`).

    An upstream that folds would see another body than we do; AWS's desync classes call it ambiguous.
    """
    if name not in _FRAMING and _SEPARATORS.sub(b"-", name).strip(b"-") in _FRAMING:
        raise Refused(400, "A header looks like one that frames the body.")


def check_coding(values: list[bytes], version: str) -> None:
    """Refuse every transfer coding but a single `chunked` (RFC 9112 §6.1; F1), and any in HTTP/1.0.

    501 for codings that we do not know, as nginx, Apache and Go have it; 400 for what is no list of codings, and for
    `chunked` where it may not stand.
    """
    codings = [part.strip(b" \t").lower() for value in values for part in value.split(b",")]
    if version == "1.1" and codings == [b"chunked"]:
        return
    if version == "1.1" and b"chunked" not in codings[:-1] and all(map(_CODING.fullmatch, codings)):
        raise Refused(501, "The Transfer-Encoding is not known.")
    raise Refused(400, "The Transfer-Encoding is not supported.")


def split_target(method: str, target: bytes, host: bytes) -> tuple[bytes, bytes]:
    """The raw path and the query of a request target, judged as it came (RFC 9112 §3.2).

    A fragment is refused (E3): one reader would cut it and another would not. The authority of the absolute form must
    be the Host's, since applications read only one of the two (F3).
    """
    if b"#" in target:
        raise Refused(400, "A request target has no fragment.")
    if target[:1] == b"/":
        path, _, query = target.partition(b"?")
        return path, query
    if target == b"*" and method == "OPTIONS":
        return target, b""
    parts = _ABSOLUTE.fullmatch(target)
    if parts is None or parts[1].removesuffix(b":").lower() != host.lower():
        raise Refused(400, "The request target is not valid.")
    if method == "OPTIONS" and parts[2] is parts[3] is None:
        return b"*", b""  # as the last proxy must send it (RFC 9112 §3.2.4)
    return parts[2] or b"/", parts[3] or b""


class Unread(Refused):
    """Data behind a request that was the connection's last: neither read nor answered."""

    def __init__(self) -> None:
        super().__init__(400, "Nothing may follow the last request.")


class LongLine(Refused):
    """The request target does not end in time."""

    def __init__(self) -> None:
        super().__init__(414, "The request target is too long.")


def refusal_of(error: httptools.HttpParserError, data: bytes) -> Refused:
    """What the parser's error in `data` means to the client. Raises what one of our callbacks raised that is no
    refusal."""
    cause = error.__context__
    if isinstance(cause, Refused):
        return cause
    if cause is not None:
        raise cause
    if "Data after `Connection: close`" in str(error):
        return Unread()
    if "nvalid method" in str(error) or isinstance(error, httptools.HttpParserInvalidMethodError):
        # The parser does not say where it stopped; a method that it does not know is the last one there.
        named = _METHOD.findall(data)
        if named and named[-1] not in METHODS:
            return Refused(501, "The method is not known.")
    return Refused(400, "The request is not valid HTTP.")
