"""Judge the environment variables that libraries read by themselves: proxies for the way out, and authorities."""

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.settings.files import authorities_problem
from gateway.settings.findings import Finding
from gateway.settings.values import is_loopback

_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")


def surroundings(data: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that would end the start in a traceback, or leave nobody to trust. `data` is the gateway's file."""
    provider = data.get("provider")
    given = provider if isinstance(provider, Mapping) else {}
    if not _is_here(str(given.get("domain") or given.get("issuer") or "")):  # else no proxy is used
        for name in _PROXIES:
            if problem := _proxy_problem(environ.get(name, "")):
                yield Finding((name,), problem)
    authorities = environ.get("SSL_CERT_FILE")
    if authorities and "ca_file" not in given and (problem := authorities_problem(authorities)):
        yield Finding(("SSL_CERT_FILE",), problem)
    keys = environ.get("SSLKEYLOGFILE")
    if keys and not Path(keys).parent.is_dir():
        yield Finding(("SSLKEYLOGFILE",), "names a file in a folder that does not exist")


def _is_here(address: str) -> bool:
    try:
        return is_loopback(urlsplit(address if "://" in address else f"//{address}").hostname or "")
    except ValueError:
        return False


def _proxy_problem(url: str) -> str | None:
    if not url:
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        known = bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    else:
        if parts.scheme in {"socks5", "socks5h"}:
            words = "names a SOCKS proxy, for which httpx[socks] must be installed; or name an http:// proxy"
            return None if find_spec("socksio") else words
        known = known and parts.scheme in {"http", "https"}
    return None if known else "is not the address of a proxy; write for example http://proxy.example.com:3128"
