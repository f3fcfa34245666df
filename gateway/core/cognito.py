"""The forms that Cognito gives to its identifiers and redirect addresses (reference §2.4, §6.9)."""

import re
from urllib.parse import urlsplit

POOL_ID = re.compile(r"(?P<region>[a-z]{2,}(?:-[a-z]+)+-[0-9]+)_[0-9A-Za-z]{1,55}")
CLIENT_ID = re.compile(r"[\w+]{1,128}", re.ASCII)

LONGEST_REDIRECT_URL = 1024
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\\#]")
_EXECUTABLE = frozenset({"javascript", "data", "vbscript", "file", "blob", "about"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def redirect_url_problem(url: str) -> str | None:
    """What is wrong with a callback or sign-out address, in words that follow it; None when Cognito would take it.

    It takes `https`, a custom scheme, or `http` on loopback; absolute, without fragment, at most 1,024 characters.
    """
    if _UNSAFE.search(url) or len(url) > LONGEST_REDIRECT_URL:
        return "is not a redirect address: no spaces, control characters or fragment, at most 1024 characters"
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname
    except ValueError:
        return "is not a web address"
    if not scheme:
        return "must be absolute, for example https://app.example.com/oauth2/callback"
    if scheme in _EXECUTABLE:
        return "has a scheme that browsers execute"
    return _host_problem(scheme, host, parts.netloc)


def _host_problem(scheme: str, host: str | None, authority: str) -> str | None:
    if scheme in {"http", "https"} and (not host or "@" in authority):
        return "has no plain host"
    if scheme == "http" and host not in _LOOPBACK:
        return "cannot use the HTTP protocol; plain http is for localhost, 127.0.0.1 and [::1] only"
    return None
