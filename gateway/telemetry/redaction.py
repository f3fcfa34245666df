"""Mask in a free text what must not be logged: tokens, codes, cookies, passwords in addresses, e-mail addresses (H4).

The last net, not the first: request lines hold no free text at all, and secrets are a type that does not print. It is
for the words of exceptions and of libraries.
"""

import re

MASK = "***"

# Repetitions are bounded: strangers write part of these texts, and the time must not grow with their square.
_SECRETS = re.compile(
    r"""
      (?P<jwt> eyJ[\w-]{5,}(?:\.[\w-]*)*)                                   # JOSE header of a JWT or JWE, in base64url
    | (?P<scheme> \b(?:bearer|basic)\s+)[\w.~+/=-]+                         # Authorization
    | (?P<key> (?:token|secret|password|passwd|code|code_verifier|state|nonce|assertion|authorization|csrf)
        ["']?[^\S\r\n]{0,8}[=:][^\S\r\n]{0,8}["']?)[^\s"'&,;}]+              # form fields, query, JSON, dicts
    | (?P<cookie> \b(?:cookie|set-cookie)["']?\s*[:=]\s*)[^\r\n]+           # a whole cookie header
    | (?P<ours> (?:__Host-|__Secure-)?cg_[\w.-]+=)[^\s;,"']+                 # one of our cookies
    | (?P<address> ://)[^/\s@]{1,255}@                                            # user name and password of a URL
    | (?P<mail> [\w.!\#$%&'*+/=?^`{|}~-]{1,64}@[\w.-]{1,255})               # an e-mail address
    """,
    re.VERBOSE | re.IGNORECASE,
)

LONGEST = 20_000
"""Characters looked at; the rest of a text is cut off."""


def redact(text: str) -> str:
    """The text with a mask wherever something secret or personal may stand. It would rather mask too much."""
    if len(text) > LONGEST:
        text = text[:LONGEST] + "..."
    return _SECRETS.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    kept = match["scheme"] or match["key"] or match["cookie"] or match["ours"] or match["address"] or ""
    return f"{kept}{MASK}@" if match["address"] else f"{kept}{MASK}"
