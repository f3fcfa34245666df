"""Say whether browsers may be told to use https only (HSTS, RFC 6797)."""

import re
from urllib.parse import urlsplit

from gateway.core.asgi import HeaderList

# The URL standard (WHATWG, "ends in a number") reads such a host as an IPv4 address: 127.0.0.1, 127.1, 0x7f.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL_DOMAINS = frozenset({"localhost", "test"})
"""RFC 6761 §6.2 and §6.3: names for development."""


def strict_transport(public_url: str, seconds: int) -> HeaderList:
    """The Strict-Transport-Security line for the responses that are our own, or none. Never with includeSubDomains.

    `seconds` 0 turns it off. A developer's host would be without http for a year, on every port: none for plain http,
    for `localhost` and `*.test`, for names of one label and for addresses (which RFC 6797 §8.1.1 has browsers ignore).
    """
    parts = urlsplit(public_url)
    labels = (parts.hostname or "").removesuffix(".").split(".")
    is_public = len(labels) > 1 and not _NUMBER.fullmatch(labels[-1]) and labels[-1] not in _LOCAL_DOMAINS
    if parts.scheme != "https" or not is_public or seconds <= 0:
        return []
    return [(b"strict-transport-security", b"max-age=%d" % seconds)]
