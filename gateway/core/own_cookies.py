"""Tell the gateway's own cookies by their names, and leave them out of what applications send and receive.

All gateways of one host own the same family of names, whatever `session.cookie_name` says, so that no application sees
another gateway's session. What merely begins like one is the application's.
"""

import re

_OWN = re.compile(
    rb"\s*(?:__Host-|__Secure-)?cg_(?:[a-z0-9]{1,32}_)?"
    rb"(?:session(?:\.[0-9])?|idle|signins|bind_[A-Za-z0-9_-]{4}|return_[0-9]{1,2})\s*(?:[=;]|\Z)"
)
_SIGN = b"cg_"
_IGNORED = b" \t\n\r\x0b\x0c="


def without_own(header: bytes) -> bytes:
    """A Cookie header line without cookies of ours; b"" when nothing is left.

    A line that holds none is returned as it is. Never raises (C8).
    """
    if _SIGN not in header:
        return header
    kept = []
    found = False
    start, size = 0, len(header)
    while start < size:
        end = header.find(b";", start)
        if end < 0:
            end = size
        if _OWN.match(header, start):  # our own are long, and need not be copied
            found = True
        elif cookie := header[start:end].strip():
            kept.append(cookie)
        start = end + 1
    return b"; ".join(kept) if found else header


def sets_own(set_cookie: bytes) -> bool:
    """Whether the value of a Set-Cookie line would set or remove a cookie of ours.

    White space round a name has no meaning (RFC 6265bis §5.6; a little more is skipped here, which is safe). A line
    without a name (`=cg_session=…`) counts by what follows: browsers send it back without its first `=`.
    """
    return _OWN.match(set_cookie.lstrip(_IGNORED)) is not None
