"""Recognise authentication that stays with a connection instead of a request (NTLM, Negotiate and their kind).

What such a scheme has proved once holds for every later request on the connection (RFC 4559 §6, MS-NTHT), so that
another user's request must never follow there. Requests are judged by the schemes that are known to be harmless: of an
unknown one nobody can tell. Challenges are judged by the schemes that are known to bind.
"""

import re
from collections.abc import Iterable
from typing import Final

_PER_REQUEST: Final = frozenset(
    b"apikey aws4-ecdsa-p256-sha256 aws4-hmac-sha256 basic bearer bot digest dpop gnap hawk hmac hoba jwt key mutual"
    b" oauth privatetoken scram-sha-1 scram-sha-256 sharedkey sharedkeylite signature token vapid".split()
)
"""Schemes whose credentials count for the request that carries them: IANA's registry, and what large APIs use."""

_LONGEST_SCHEME: Final = 32
"""A longer word is a credential without a scheme, as some APIs take it."""

_BINDING: Final = re.compile(
    rb"(?<![A-Za-z0-9])(?:ntlm|negotiate|kerberos|credssp|nego2|spnego|gssapi|passport)", re.IGNORECASE
)
_SCHEME: Final = re.compile(rb"[^\s,=\"]*")

CHALLENGES: Final = frozenset((b"www-authenticate", b"persistent-auth", b"proxy-support"))
"""Response headers that may say so. Proxy-Authenticate and Proxy-Authentication-Info do too, but end at this hop."""
_LISTS: Final = (b"www-authenticate", b"proxy-authenticate", b"proxy-authentication-info")


def binds_request(credentials: Iterable[bytes]) -> bool:
    """Whether the values of a request's Authorization headers may authenticate its connection."""
    return not all(map(_is_per_request, credentials))


def binds_response(notes: dict[bytes, bytes]) -> bool:
    """Whether response headers say that the connection is, or is about to be, authenticated.

    `notes` maps names to values, repeated ones joined by commas.
    """
    if b"persistent-auth" in notes or b"proxy-support" in notes:
        return True
    return any(_BINDING.search(notes.get(name, b"")) for name in _LISTS)


def _is_per_request(value: bytes) -> bool:
    value = value.strip()
    scheme = _SCHEME.match(value)[0]  # type: ignore[index]  # it matches the empty string
    if b"," in value and _BINDING.search(value):  # two header lines, joined on the way
        return False
    return scheme.lower() in _PER_REQUEST or (scheme == value and len(value) > _LONGEST_SCHEME) or not value
