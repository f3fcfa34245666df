"""Environment variables that libraries read by themselves are judged with the file."""

from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.settings.load import loads

FILE = """\
provider: {{preset: oidc, issuer: "{issuer}", client_id: a{more}}}
public_url: https://app.example.com
session: {{secrets: [vQ3xN8kLr2mT5wYb7cJd9fHg1pSa4uZe]}}
"""
PROXY = "is not the address of a proxy; write for example http://proxy.example.com:3128"
SOCKS = "names a SOCKS proxy, for which httpx[socks] must be installed; or name an http:// proxy"


def said(environ: dict[str, str], issuer: str = "https://login.example.com", more: str = "") -> list[str]:
    """What is said of the environment; nothing when the file loads."""
    try:
        loads(FILE.format(issuer=issuer, more=more).encode(), "g.yaml", environ, Path())
    except SettingsError as refused:
        return str(refused).splitlines()
    return []


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080", SOCKS),
        ("https_proxy", "socks5h://127.0.0.1:1080", SOCKS),
        ("HTTPS_PROXY", "ftp://proxy", PROXY),
        ("HTTPS_PROXY", "foo:bar:baz", PROXY),
        ("HTTP_PROXY", "http://", PROXY),
        ("SSL_CERT_FILE", "/nonexistent", "cannot be read: No such file or directory"),
        ("SSL_CERT_FILE", __file__, "holds no certificate in PEM form"),
        ("SSLKEYLOGFILE", "/nonexistent/keys", "names a file in a folder that does not exist"),
    ],
)
def test_a_variable_that_cannot_be_used(name, value, words):
    """A sentence in place of a traceback, or of sign-ins that all fail."""
    assert said({name: value}) == [f"environment: {name}: {words}", "1 mistake"]


@pytest.mark.parametrize("proxy", ["http://proxy.example.com:3128", "proxy:3128", "https://u:p@proxy", ""])
def test_a_proxy_that_can_be_used(proxy):
    """With and without scheme, and with a password."""
    assert said({"HTTPS_PROXY": proxy}) == []


def test_what_is_not_used_is_not_judged():
    """A provider on this machine needs no proxy, and `ca_file` takes the place of the system's authorities."""
    assert said({"ALL_PROXY": "socks5://127.0.0.1:1080"}, issuer="http://localhost:8001/pool") == []
    (mistake, _) = said({"SSL_CERT_FILE": "/nonexistent"}, more=", ca_file: /nonexistent")
    assert mistake == "g.yaml:1: provider.ca_file: cannot be read: No such file or directory"
