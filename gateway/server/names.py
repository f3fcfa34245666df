"""Header names seen before, so that each is judged and put in lower case once."""

MAX_LEARNED = 2048
"""Names that are remembered. Junk from abroad may fill the rest of the table, never push a common name out."""

WATCHED = frozenset({b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
"""Names that mean something to the server itself; they are never in the table."""

_COMMON = (
    "Accept Accept-Charset Accept-Encoding Accept-Language Access-Control-Request-Headers "
    "Access-Control-Request-Method Authorization Cache-Control Connection Content-Type Cookie Date DNT Forwarded From "
    "If-Match If-Modified-Since If-None-Match If-Range If-Unmodified-Since Keep-Alive Origin Pragma Priority Range "
    "Referer Sec-CH-UA Sec-CH-UA-Mobile Sec-CH-UA-Platform Sec-Fetch-Dest Sec-Fetch-Mode Sec-Fetch-Site "
    "Sec-Fetch-User Sec-GPC Sec-Purpose Sec-WebSocket-Extensions Sec-WebSocket-Key Sec-WebSocket-Protocol "
    "Sec-WebSocket-Version TE Traceparent Tracestate Upgrade-Insecure-Requests User-Agent Via X-Amzn-Trace-Id "
    "X-CSRF-Token X-Forwarded-For X-Forwarded-Host X-Forwarded-Port X-Forwarded-Proto X-Real-IP X-Request-ID "
    "X-Requested-With"
)

_ANSWERS = (
    "accept-ranges access-control-allow-origin age allow alt-svc cache-control content-disposition content-encoding "
    "content-language content-location content-range content-security-policy content-type etag expires last-modified "
    "link location permissions-policy pragma referrer-policy retry-after server set-cookie strict-transport-security "
    "vary via www-authenticate x-content-type-options x-frame-options x-request-id"
)


def common_names() -> dict[bytes, bytes]:
    """A fresh table: names as clients write them → lower case.

    One bytes object per name also keeps its hash, so every later lookup of that header is cheaper.
    """
    table: dict[bytes, bytes] = {}
    for name in _COMMON.split():
        lower = name.lower().encode()
        table[name.encode()] = lower
        table[name.title().encode()] = lower
        table[lower] = lower
    return table


def common_answers() -> set[bytes]:
    """A fresh set: names of answers' header lines, in lower case, that mean nothing to the server itself."""
    return set(_ANSWERS.encode().split())
