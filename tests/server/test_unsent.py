"""Whether the other end of a connection takes what was written to it."""

import asyncio

import pytest

from gateway.server.unsent import Unsent, bytes_taken, bytes_waiting
from tests.support.wire import scripted

pytestmark = pytest.mark.network


@pytest.fixture
async def written():
    """A connection with more on its way than its other end takes."""

    async def play(peer):
        peer.writer.transport.pause_reading()
        await peer.writer.wait_closed()

    async with scripted(play) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        yield writer
        writer.transport.abort()


async def test_what_the_other_end_does_not_take_is_stuck_after_its_time(written):
    """Not before; and a limit of 0 means never."""
    written.write(b"x" * 2**25)
    unsent, never = Unsent(written.transport, 6), Unsent(written.transport, 0)
    assert not unsent.is_stuck(1)  # whatever was taken until now
    assert any(unsent.is_stuck(second) for second in range(20, 60, 2))
    assert not never.is_stuck(1000)


async def test_an_idle_connection_is_never_stuck(written):
    """Nothing waits."""
    unsent = Unsent(written.transport, 6)
    assert not any(unsent.is_stuck(second) for second in range(0, 100, 5))


class Bare(asyncio.Transport):
    """A transport of which the system tells nothing."""

    def get_extra_info(self, name, default=None):
        return None

    def get_write_buffer_size(self):
        return 7


def test_without_the_kernels_word_the_transports_buffer_counts():
    """On a system other than Linux, and on unix sockets."""
    assert (bytes_taken(Bare()), bytes_waiting(Bare())) == (7, 7)


class Closed(Bare):
    """A transport of uvloop between its end and the word of it: its socket has no descriptor any more."""

    def get_extra_info(self, name, default=None):
        return self

    def fileno(self):
        return -1

    def getsockopt(self, *_):
        raise ValueError("negative file descriptor")


def test_a_connection_that_has_just_ended_can_be_asked():
    """An error would take the deadlines of all other connections of that tick with it."""
    assert (bytes_taken(Closed()), bytes_waiting(Closed())) == (7, 7)
