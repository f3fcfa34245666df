"""What an application in the same process learns of the browser's request behind servers of the operator's own."""

import pytest

from gateway.core.front import Front
from gateway.core.trust import TrustedPeers

PROXY = ("10.0.0.1", 40000)
TRUSTED = TrustedPeers(["10.0.0.0/8"])


def scope(*headers, kind="http", client=PROXY):
    return {
        "type": kind,
        "scheme": "http" if kind == "http" else "ws",
        "client": client,
        "server": ("10.0.0.2", 8000),
        "headers": [(b"host", b"10.0.0.2:8000"), *headers],
        "path": "/x",
    }


def seen(front, *headers, **more):
    given = scope(*headers, **more)
    return front.translated(given, given["headers"])


def test_from_a_trusted_peer_the_application_sees_what_the_browser_used():
    """Scheme, host and port of `public_url`, and the client that the peer speaks for; the rest stays."""
    inner = seen(Front("https://app.example.com", TRUSTED), (b"x-forwarded-for", b"203.0.113.9"), (b"accept", b"*/*"))
    assert inner["scheme"] == "https"
    assert inner["client"] == ("203.0.113.9", 0)
    assert inner["server"] == ("app.example.com", 443)
    assert inner["headers"] == [
        (b"host", b"app.example.com"),
        (b"x-forwarded-for", b"203.0.113.9"),
        (b"accept", b"*/*"),
    ]
    assert inner["path"] == "/x"


def test_a_web_socket_is_secure_as_well():
    """`wss` behind https, `ws` behind http."""
    assert seen(Front("https://app.example.com", TRUSTED), kind="websocket")["scheme"] == "wss"
    assert seen(Front("http://localhost:8000", TRUSTED), kind="websocket")["scheme"] == "ws"


@pytest.mark.parametrize("client", [("203.0.113.5", 1), None])
def test_from_an_untrusted_peer_nothing_changes(client):
    """V8: a stranger's X-Forwarded-* tell an application nothing, whatever they say."""
    front = Front("https://app.example.com", TRUSTED, "example.com")
    lines = [
        (b"x-forwarded-for", b"10.9.9.9"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"a.example.com"),
    ]
    given = scope(*lines, client=client)
    assert front.translated(given, given["headers"]) == given


def test_a_peer_that_names_no_client_is_the_client():
    """Without a usable X-Forwarded-For the peer's own address stays."""
    assert seen(Front("https://app.example.com", TRUSTED))["client"] == PROXY
    assert seen(Front("https://app.example.com", TRUSTED), (b"x-forwarded-for", b"10.1.1.1"))["client"] == PROXY


@pytest.mark.parametrize(
    ("url", "host", "server"),
    [
        ("https://app.example.com:8443", b"app.example.com:8443", ("app.example.com", 8443)),
        ("http://localhost", b"localhost", ("localhost", 80)),
        ("https://[2001:db8::1]:8443", b"[2001:db8::1]:8443", ("2001:db8::1", 8443)),
    ],
)
def test_the_port_is_the_one_of_public_url(url, host, server):
    """Ports that a browser leaves out are left out."""
    inner = seen(Front(url, TRUSTED))
    assert inner["headers"][0] == (b"host", host)
    assert inner["server"] == server


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ([(b"x-forwarded-host", b"shop.example.com")], "shop.example.com"),
        ([(b"x-forwarded-host", b"SHOP.example.com:443")], "shop.example.com"),
        ([(b"host", b"a.b.example.com")], "a.b.example.com"),
        ([(b"x-forwarded-host", b"evil.example")], "app.example.com"),
        ([(b"x-forwarded-host", b"evilexample.com")], "app.example.com"),
        ([(b"x-forwarded-host", b"evil/.example.com")], "app.example.com"),
        ([(b"x-forwarded-host", b"a@.example.com")], "app.example.com"),
        ([(b"x-forwarded-host", b"[.example.com")], "app.example.com"),
        ([(b"x-forwarded-host", b".example.com")], "app.example.com"),
        ([(b"x-forwarded-host", b"\xe9.example.com")], "app.example.com"),
        ([(b"x-forwarded-host", b"a.example.com, b.example.com")], "app.example.com"),
        ([], "app.example.com"),
    ],
)
def test_hosts_that_share_the_session_keep_their_names(headers, host):
    """V8, B7: with `session.cookie_domain` a host below it is the browser's own; no other host gets in by a header."""
    inner = seen(Front("https://app.example.com", TRUSTED, "example.com"), *headers)
    assert inner["headers"][0] == (b"host", host.encode())
    assert inner["server"] == (host, 443)


def test_without_a_shared_domain_no_header_chooses_the_host():
    """V8: `public_url` alone says it."""
    inner = seen(Front("https://app.example.com", TRUSTED), (b"x-forwarded-host", b"shop.example.com"))
    assert inner["headers"][0] == (b"host", b"app.example.com")
