"""Authentication that belongs to a connection never reaches another user's request."""

import pytest

from tests.support.wire import OK, answering, get, proxied, scripted

pytestmark = pytest.mark.network

BINDING = [
    b"NTLM TlRMTVNTUAAB",
    b"ntlm x",
    b"NTLM\tx",
    b"NTLM",
    b"NTLMx",
    b"NTLM,x",
    b"Negotiate YII=",
    b"nEGOTIATE YII=",
    b"Kerberos YII=",
    b"CredSSP TlRM",
    b"Nego2 x",
    b"X-Own-Scheme x",
    b"Basic eDp5, NTLM x",
]
PER_REQUEST = [
    b"Basic eDp5",
    b"bearer abc",
    b'Digest username="a", realm="b"',
    b"DPoP abc",
    b"AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=c",
    b"Token abc",
    b"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
]
CHALLENGES = [
    b"WWW-Authenticate: NTLM",
    b"WWW-Authenticate: NTLM TlRMTVNTUAAC",
    b"WWW-Authenticate: Negotiate",
    b"www-authenticate: Basic realm=x, Negotiate",
    b"WWW-Authenticate: Basic realm=x\r\nWWW-Authenticate: ntlm",
    b"WWW-Authenticate: Kerberos",
    b"Proxy-Authenticate: NTLM",
    b"Proxy-Authentication-Info: Negotiate oYG=",
    b"Persistent-Auth: true",
    b"Proxy-Support: Session-Based-Authentication",
]
HARMLESS = [b'WWW-Authenticate: Basic realm="x"', b"WWW-Authenticate: Bearer", b"X-Note: NTLM", b"Server: Negotiate"]
FRAMINGS = {
    "length": b"Content-Length: 2\r\n\r\nok",
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
}


async def connections(lines: bytes, *answers: bytes) -> int:
    """How many connections a request with these header lines and a stranger's after it take."""
    async with scripted(answering(*answers)) as upstream, proxied(upstream) as server:
        assert (await get(server, lines=lines)).startswith(b"HTTP/1.1 ")
        assert b"ok" in await get(server)
        return len(upstream.peers)


@pytest.mark.parametrize("value", BINDING)
async def test_what_a_request_proves_for_its_connection_holds_for_nobody_else(value):
    """S2: after credentials that may bind to the connection, the next user's request has a connection of its own."""
    assert await connections(b"Authorization: %b\r\n" % value, OK) == 2


async def test_each_authorization_header_is_judged():
    """S2: a harmless one does not hide another."""
    assert await connections(b"Authorization: Basic eDp5\r\nAuthorization: NTLM x\r\n", OK) == 2


@pytest.mark.parametrize("value", PER_REQUEST)
async def test_credentials_of_one_request_leave_the_connection_to_the_next(value):
    """Basic, Bearer and other schemes that are sent with each request cost no new connection."""
    assert await connections(b"Authorization: %b\r\n" % value, OK) == 1


@pytest.mark.parametrize("status", [200, 401, 407])
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("line", CHALLENGES)
async def test_a_connection_that_is_being_authenticated_is_not_reused(line, framing, status):
    """S2: a response that names such a scheme, in any of its challenges, is the last one on its connection."""
    answer = b"HTTP/1.1 %d X\r\n%b\r\n%b" % (status, line, FRAMINGS[framing])
    assert await connections(b"", answer, OK) == 2


@pytest.mark.parametrize("line", HARMLESS)
async def test_ordinary_challenges_leave_the_connection_to_the_next(line):
    """A challenge that is met by each request anew costs no new connection, and reaches the client."""
    assert await connections(b"", b"HTTP/1.1 401 X\r\n%b\r\nContent-Length: 2\r\n\r\nok" % line, OK) == 1


async def test_a_challenge_reaches_the_client():
    """The headers that end a connection's reuse are passed on like any other."""
    answer = b"HTTP/1.1 401 X\r\nWWW-Authenticate: NTLM\r\nPersistent-Auth: true\r\nContent-Length: 0\r\n\r\n"
    async with scripted(answering(answer)) as upstream, proxied(upstream) as server:
        response = await get(server)
    assert b"\r\nwww-authenticate: NTLM\r\npersistent-auth: true\r\n" in response
