"""The provider's keys at hand: rare answers of the key set's address."""

import httpx
import pytest
import respx

from gateway.errors import ProviderUnavailable
from gateway.provider.keys import Keys
from tests.support.fake_provider import Ticker
from tests.support.tokens import jwks, kid_of

URL = "https://issuer.example/jwks.json"


async def uri() -> str:
    return URL


RARE = {
    "an error": httpx.Response(500),
    "a redirect": httpx.Response(302, headers={"location": "https://evil.example/jwks.json"}),
    "an empty set": httpx.Response(200, json={"keys": []}),
    "HTML": httpx.Response(200, html="<h1>"),
    "half a set": httpx.Response(200, content=jwks("id")[:-5]),
    "10 MB": httpx.Response(200, content=b" " * 10_000_000),
}


@pytest.mark.parametrize("answer", RARE.values(), ids=RARE.keys())
@respx.mock
async def test_old_keys_stay_until_new_ones_are_read(respx_mock, answer):
    """D7: an answer that is no key set, however it fails, takes no key away; an unknown one is then undecided."""
    route = respx_mock.get(URL).respond(content=jwks("id"))
    clock = Ticker()
    async with httpx.AsyncClient(follow_redirects=True) as http:
        keys = Keys(uri, http, clock)
        assert not keys.ready
        held = await keys.having(kid_of("id"))
        route.mock(return_value=answer)
        clock.now += 20
        with pytest.raises(ProviderUnavailable):
            await keys.having("unknown")
        assert await keys.having(kid_of("id")) is held
        assert await keys.some() is held
        assert keys.ready


@respx.mock
async def test_no_keys_at_all(respx_mock):
    """Before the first key set nothing can be judged: unavailable, and the message names the address."""
    respx_mock.get(URL).respond(503)
    async with httpx.AsyncClient() as http:
        with pytest.raises(ProviderUnavailable, match=r"^https://issuer\.example/jwks\.json: answered 503$"):
            await Keys(uri, http, Ticker()).having("any")


@respx.mock
async def test_a_key_that_is_no_longer_published_is_no_longer_used(respx_mock):
    """A newer set replaces the old one whole: a withdrawn key verifies nothing more."""
    route = respx_mock.get(URL).respond(content=jwks("id", "access"))
    clock = Ticker()
    async with httpx.AsyncClient() as http:
        keys = Keys(uri, http, clock)
        assert (await keys.some()).candidates(kid_of("access"))
        route.respond(content=jwks("id", "access-2"))
        clock.now += 20
        assert not (await keys.having(kid_of("access-2"))).candidates(kid_of("access"))
