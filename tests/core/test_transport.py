"""Which hosts are told to stay with https."""

import pytest

from gateway.core.transport import strict_transport

YEAR = 365 * 86400


@pytest.mark.parametrize(
    "url",
    ["https://app.example.com", "https://app.example.com:8443", "https://localhost.example.com", "https://test.de."],
)
def test_a_public_host_over_https_is_told_for_the_given_time(url):
    """RFC 6797 §6.1: `max-age` in seconds, and nothing about other hosts: no includeSubDomains, no preload."""
    assert strict_transport(url, YEAR) == [(b"strict-transport-security", b"max-age=31536000")]


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8443",
        "LOCALHOST",
        "localhost.",
        "app.localhost",
        "app.test",
        "a.app.test.",
        "test",
        "intranet",
        "intranet:8443",
        "127.0.0.1",
        "127.1",
        "127.0x1",
        "10.1.2.3:8443",
        "[::1]",
        "[2001:db8::1.2.3.4]:8443",
        "",
    ],
)
def test_a_developer_s_host_is_never_told(host):
    """V1: one visit over https must not take plain http away from every port of a developer's machine for a year."""
    assert strict_transport(f"https://{host}", YEAR) == []


def test_plain_http_is_never_told():
    """RFC 6797 §7.2: a response over plain http does not carry the header."""
    assert strict_transport("http://app.example.com", YEAR) == []


def test_no_time_turns_it_off():
    """`0s` sends nothing; `max-age=0` would erase what another server of that host asked for."""
    assert strict_transport("https://app.example.com", 0) == []
