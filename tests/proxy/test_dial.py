"""Addresses, and TLS towards an upstream."""

import ssl

import pytest

from gateway.proxy.dial import parse_address
from gateway.proxy.options import UpstreamOptions, UpstreamTls
from tests.support.certificates import make_authority
from tests.support.wire import OK, answering, get, proxied, scripted


@pytest.mark.parametrize(
    ("text", "host", "port", "tls", "authority"),
    [
        ("http://a.test", "a.test", 80, False, b"a.test"),
        ("https://a.test", "a.test", 443, True, b"a.test"),
        ("http://a.test:8080/", "a.test", 8080, False, b"a.test:8080"),
        ("http://[::1]:1", "::1", 1, False, b"[::1]:1"),
    ],
)
def test_addresses(text, host, port, tls, authority):
    """Scheme, host and port."""
    address = parse_address(text)
    assert (address.host, address.port, address.tls, address.authority) == (host, port, tls, authority)


def test_a_unix_socket_is_a_path():
    """`unix:/run/app.sock`."""
    assert parse_address("unix:/run/app.sock").path == "/run/app.sock"


@pytest.mark.parametrize(
    "text",
    ["a.test", "ftp://a", "http://", "http://a/path", "http://u@a", "http://a?x", "http://a:99999", "http://a#x"],
)
def test_what_is_no_address_is_refused(text):
    """At start, with the address in the message."""
    with pytest.raises(ValueError, match=r".+"):
        parse_address(text)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("tls"))


async def over_tls(authority, tls, *, client_certificate=False):
    """The status that the client sees when the upstream shows the authority's certificate for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    if client_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.ca_file)
    async with scripted(answering(OK), ssl=context) as upstream:
        options = UpstreamOptions(servers=(f"https://127.0.0.1:{upstream.port}",), tls=tls)
        async with proxied(options) as server:
            return (await get(server))[9:12]


@pytest.mark.network
async def test_tls_is_verified_by_default(authority):
    """An unknown authority: 502, and no request was sent."""
    assert await over_tls(authority, UpstreamTls()) == b"502"


@pytest.mark.network
async def test_tls_with_a_known_authority(authority):
    """`ca_file` replaces the system's authorities."""
    assert await over_tls(authority, UpstreamTls(ca_file=str(authority.ca_file))) == b"200"


@pytest.mark.network
@pytest.mark.parametrize(("name", "status"), [("app.test", b"200"), ("other.test", b"502")])
async def test_tls_checks_the_server_name(authority, name, status):
    """`server_name` is asked for and verified."""
    assert await over_tls(authority, UpstreamTls(ca_file=str(authority.ca_file), server_name=name)) == status


@pytest.mark.network
async def test_tls_unverified_on_request(authority):
    """`verify: false` is possible, for a test machine."""
    assert await over_tls(authority, UpstreamTls(verify=False)) == b"200"


@pytest.mark.network
async def test_a_client_certificate_is_shown(authority):
    """Mutual TLS."""
    tls = UpstreamTls(ca_file=str(authority.ca_file), certificate=str(authority.certificate), key=str(authority.key))
    assert await over_tls(authority, tls, client_certificate=True) == b"200"
