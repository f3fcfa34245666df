"""A document of the provider: fetched once for all who wait, and held until a newer one has been read."""

import asyncio

import pytest

from gateway.errors import ProviderUnavailable
from gateway.provider.remote import Asker, Remote
from tests.support.fake_provider import Ticker


class Source:
    """Gives 1, 2, 3… when it is let go; fails while `failing`."""

    def __init__(self) -> None:
        self.fetches = 0
        self.failing = False
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> int:
        self.fetches += 1
        number = self.fetches
        await self.open.wait()
        if self.failing:
            raise ProviderUnavailable("away")
        return number


@pytest.fixture
async def source() -> Source:
    return Source()


@pytest.fixture
def clock() -> Ticker:
    return Ticker()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_all_who_wait_share_one_fetch(source, clock):
    """Fifty first requests are one fetch."""
    remote = Remote(source, clock)
    assert await asyncio.gather(*(remote.get() for _ in range(50))) == [1] * 50
    assert source.fetches == 1


async def test_one_who_goes_away_does_not_end_the_fetch(source, clock):
    """F8: a browser that disconnects while it waits takes nothing from the others."""
    remote = Remote(source, clock)
    source.open.clear()
    leaving, staying = asyncio.create_task(remote.get()), asyncio.create_task(remote.get())
    await settle()
    leaving.cancel()
    await settle()
    source.open.set()
    assert await staying == 1
    assert leaving.cancelled()


async def test_an_old_document_is_served_while_a_newer_one_is_fetched(source, clock):
    """After an hour nobody waits: the old one is served, and the new one comes behind it."""
    remote = Remote(source, clock)
    await remote.get()
    clock.now += 3600
    source.open.clear()
    assert [await remote.get(), await remote.get()] == [1, 1]
    source.open.set()
    await settle()
    assert await remote.get() == 2
    assert source.fetches == 2


async def test_a_failed_fetch_takes_nothing_away(source, clock):
    """The old document serves on; the next attempt waits ten seconds, and its success clears the failure."""
    remote = Remote(source, clock)
    await remote.get()
    source.failing = True
    clock.now += 3600
    assert await remote.get() == 1
    await settle()
    assert str(remote.failure) == "away"
    clock.now += 9
    assert await remote.get() == 1
    await settle()
    assert source.fetches == 2
    source.failing = False
    clock.now += 1
    await remote.get()
    await settle()
    assert (remote.held, remote.failure, source.fetches) == (3, None, 3)


async def test_while_nothing_is_held_each_second_tries_once(source, clock):
    """Recovery is looked for each second, and a crowd of requests does not make it more often."""
    remote = Remote(source, clock)
    source.failing = True
    for _ in range(20):
        with pytest.raises(ProviderUnavailable, match="away"):
            await remote.get()
    assert source.fetches == 1
    source.failing = False
    clock.now += 1
    assert await remote.get() == 2


async def test_what_is_looked_for_and_not_there_is_fetched_for(source, clock):
    """Q10: something unknown fetches at most once in ten seconds, and what is held is given all the same."""
    remote = Remote(source, clock)
    await remote.get()
    clock.now += 10
    for _ in range(20):
        assert await remote.get(lambda number: number > 5) == 2
    assert source.fetches == 2


async def test_a_mistake_of_ours_is_not_hidden(clock):
    """What is not the provider's failure reaches whoever asked."""

    async def broken() -> int:
        raise KeyError("a mistake")

    with pytest.raises(KeyError):
        await Remote(broken, clock).get()


async def test_a_clock_cannot_hide_that_nothing_came(source):
    """Nothing held and nothing to be fetched yet has a message of its own."""
    remote = Remote(source, Ticker())
    remote._attempted_at = {Asker.GATEWAY: remote._clock()}
    with pytest.raises(ProviderUnavailable, match="nothing was fetched yet"):
        await remote.get()
