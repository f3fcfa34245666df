"""Those who wait for a connection, and those who stop waiting just as they are served."""

import asyncio
from typing import Any

import pytest

from gateway.errors import UpstreamBusy
from gateway.proxy.queueing import Queue

CONNECTION: Any = object()


async def waiting(queue, seconds=5.0):
    """A task that waits already."""
    task = asyncio.ensure_future(queue.wait(seconds))
    await asyncio.sleep(0)
    return task


async def test_first_come_first_served():
    """The one who waits longest gets what comes free; nobody waiting is told."""
    queue = Queue(lambda _: None)
    first, second = await waiting(queue), await waiting(queue)
    assert queue.serve(CONNECTION)
    assert queue.serve(None)
    assert (await first, await second) == (CONNECTION, None)
    assert not queue.serve(CONNECTION)


async def test_who_stops_waiting_is_passed_over():
    """A cancelled request takes no connection with it."""
    queue = Queue(lambda _: None)
    first, second = await waiting(queue), await waiting(queue)
    first.cancel()
    assert queue.serve(CONNECTION)
    await asyncio.wait([first, second])
    assert second.result() is CONNECTION


async def test_a_connection_given_to_one_who_leaves_is_put_back():
    """Cancelled in the same turn of the loop in which it was served."""
    back: list[Any] = []
    queue = Queue(back.append)
    task = await waiting(queue)
    queue.serve(CONNECTION)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert back == [CONNECTION]


async def test_room_given_to_one_who_leaves_goes_to_the_next():
    """Likewise for leave to open a connection."""
    queue = Queue(lambda _: None)
    first, second = await waiting(queue), await waiting(queue)
    queue.serve(None)
    first.cancel()
    await asyncio.wait([first, second], timeout=5)
    assert second.result() is None


async def test_waiting_takes_bounded_time():
    """Then the caller hears that the upstream is busy."""
    queue = Queue(lambda _: None)
    with pytest.raises(UpstreamBusy, match=r"no connection came free within 0\.01 s"):
        await queue.wait(0.01)
    assert not queue.serve(CONNECTION)
