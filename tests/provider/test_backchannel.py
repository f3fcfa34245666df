"""One call of the back channel: bounded in bytes and in time, without redirects and without cookies."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.core.exchange import Answer, Call
from gateway.errors import ProviderUnavailable
from gateway.provider import backchannel
from gateway.provider.backchannel import MAX_BODY, back_channel, carry
from gateway.server import running
from tests.support.certificates import make_authority
from tests.support.raw_http import Recorder

URL = "https://login.example/oauth2/token"
CALL = Call("POST", URL, {"authorization": "Basic hush"}, b"code=hush")


def answering(response: httpx.Response) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: response), follow_redirects=True)


class Drip(httpx.AsyncByteStream):
    """A body that comes in pieces, for ever if need be; counts how many were taken."""

    def __init__(self, piece: bytes, pause: float = 0) -> None:
        self.piece, self.pause, self.taken = piece, pause, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 1
            await asyncio.sleep(self.pause)
            yield self.piece


async def test_what_is_sent_and_what_comes_back():
    """Method, headers and body go out as given; status and body come back. Compression is not asked for."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(418, content=b"tea")

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    assert await carry(http, CALL) == Answer(418, b"tea")
    assert (seen[0].method, seen[0].content, seen[0].headers["authorization"]) == ("POST", b"code=hush", "Basic hush")
    assert seen[0].headers["accept-encoding"] == "identity"
    await carry(http, Call("GET", URL))
    assert "content-length" not in seen[1].headers


@pytest.mark.parametrize("trust_env", [True, False])
async def test_the_systems_authorities_are_trusted(trust_env, monkeypatch, tmp_path):
    """A company's own authority is in the system's store, which OpenSSL reads (SSL_CERT_FILE names it here), and not in
    certifi's list; without it, the same server is not believed, and the reason is said."""
    authority = make_authority(tmp_path)
    pair = (str(authority.certificate), str(authority.key))
    async with running(Recorder(), certificate=pair) as server:
        call = Call("GET", f"https://localhost:{server.port}/")
        async with back_channel(trust_env=trust_env) as http:
            with pytest.raises(ProviderUnavailable, match="certificate verify failed"):
                await carry(http, call)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
        async with back_channel(trust_env=trust_env) as http:
            assert (await carry(http, call)).status == 200


def test_no_other_list_of_authorities_is_used(monkeypatch):
    """certifi's bundle is never opened."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setattr("certifi.where", lambda: pytest.fail("certifi was asked"))
    back_channel()


async def test_the_first_cause_of_a_failed_connection_is_said():
    """Nobody listens there: the system's own words, not those of a library on top."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with back_channel(trust_env=False) as http:
        with pytest.raises(
            ProviderUnavailable, match=r"^ConnectError \(.*([Rr]efused|Connect call failed).*\) at http://"
        ):
            await carry(http, Call("GET", f"http://127.0.0.1:{port}/"))


async def test_a_body_of_the_largest_size():
    """The bound itself is still good."""
    assert len((await carry(answering(httpx.Response(200, content=b"x" * MAX_BODY)), CALL)).body) == MAX_BODY


async def test_an_endless_body_is_left():
    """D8 (Traefik CVE-2026-26998): no more is read than the bound and one piece."""
    body = Drip(b"x" * 65_536)
    with pytest.raises(ProviderUnavailable, match="more than 262144 bytes"):
        await carry(answering(httpx.Response(200, stream=body)), CALL)
    assert body.taken == 5


async def test_a_slow_body_is_left(monkeypatch):
    """A byte now and then keeps every single read in time, and is ended by the time in all."""
    monkeypatch.setattr(backchannel, "TOTAL_SECONDS", 0.05)
    with pytest.raises(ProviderUnavailable, match="TimeoutError"):
        await carry(answering(httpx.Response(200, stream=Drip(b"x", pause=0.01))), CALL)


async def test_a_compressed_body_is_left():
    """C9: what was not asked for is not unpacked, so a bound on bytes is one on memory."""
    bomb = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Drip(gzip.compress(b"x" * 1000)))
    with pytest.raises(ProviderUnavailable, match="compressed"):
        await carry(answering(bomb), CALL)


async def test_no_redirect_is_followed():
    """D8: a redirect is an answer like any other, even for a client that would follow."""
    answer = await carry(answering(httpx.Response(302, headers={"location": "https://evil.example/"})), CALL)
    assert answer.status == 302


@pytest.mark.parametrize("url", ["https://[bad", "nowhere", "ftp://x.example/", "https:///x", "https://x:99999/"])
async def test_an_address_that_cannot_be_used(url):
    """An address of the operator's that leads nowhere is a provider that is not there, and no crash."""
    async with back_channel(trust_env=False) as http:
        with pytest.raises(ProviderUnavailable):
            await carry(http, Call("GET", url))


async def test_the_message_names_the_address_and_nothing_secret():
    """H4: neither the body, nor a header, nor the query of an address gets into the message or the repr of a call."""
    http = answering(httpx.Response(200, headers={"content-encoding": "br"}))
    with pytest.raises(ProviderUnavailable) as failure:
        await carry(http, Call("GET", f"{URL}?token=hush", {"authorization": "Bearer hush"}))
    assert str(failure.value).endswith(" https://login.example/oauth2/token")
    assert "hush" not in str(failure.value) + repr(CALL)


async def test_the_client_keeps_no_cookies():
    """What the provider sets in one user's exchange does not travel in another's."""
    async with back_channel(trust_env=False) as http:
        http._transport = httpx.MockTransport(
            lambda request: httpx.Response(200, headers={"set-cookie": "who=ada; Path=/"}, json=dict(request.headers))
        )
        await carry(http, CALL)
        assert b"who=ada" not in (await carry(http, CALL)).body
        assert not list(http.cookies.jar)


def test_the_calls_are_bounded():
    """cognito-reference §7: two seconds to connect, five to read, ten in all."""
    assert (backchannel.TIMEOUT.connect, backchannel.TIMEOUT.read, backchannel.TOTAL_SECONDS) == (2, 5, 10)
