"""Boundaries between WebSocket frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.frames import FrameBoundaries, close_frame


def frame(size: int, *, masked: bool) -> bytes:
    """A frame with a payload of `size` bytes, as RFC 6455 §5.2 encodes its length."""
    mask = 0x80 if masked else 0
    if size < 126:
        length = bytes([mask | size])
    elif size < 65536:
        length = bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([mask | 127]) + size.to_bytes(8, "big")
    return b"\x82" + length + (b"\xff\x00\xfe\x7f" if masked else b"") + b"\x81" * size


sizes = st.one_of(st.integers(0, 130), st.sampled_from([125, 126, 127, 65535, 65536]))
streams = st.lists(st.builds(frame, sizes, masked=st.booleans()), min_size=1, max_size=5)


@pytest.mark.property
@given(streams, st.data())
def test_boundaries_are_found_however_the_bytes_are_cut(frames, data):
    """Law: after any prefix of the stream, `at_boundary` says whether it ends between two frames."""
    stream = b"".join(frames)
    ends = {0}
    for each in frames:
        ends.add(max(ends) + len(each))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    follower, at = FrameBoundaries(), 0
    for cut in [*cuts, len(stream)]:
        assert follower.feed(stream[at:cut]) == cut - at
        assert follower.at_boundary is (cut in ends)
        at = cut


@pytest.mark.property
@given(streams, st.data())
def test_the_first_boundary_is_where_a_frame_can_be_put_in(frames, data):
    """Law: from any place, `until_boundary` follows exactly to the end of the frame in transit."""
    stream = b"".join(frames)
    cut = data.draw(st.integers(0, len(stream)))
    follower = FrameBoundaries()
    follower.feed(stream[:cut])
    ends, end = [0], 0
    for each in frames:
        end += len(each)
        ends.append(end)
    expected = next(end for end in ends if end >= cut)
    assert follower.feed(stream[cut:], until_boundary=True) == expected - cut
    assert follower.at_boundary


@pytest.mark.parametrize("sizes", [(0,), (1, 200), (70_000,)])
def test_byte_by_byte_is_the_same(sizes):
    """A header may come one byte at a time."""
    stream = b"".join(frame(size, masked=False) for size in sizes)
    follower = FrameBoundaries()
    places = [follower.at_boundary for byte in stream if follower.feed(bytes([byte])) == 1]
    assert places.count(True) == len(sizes)
    assert places[-1]


def test_a_close_frame_is_unmasked_and_fits():
    """RFC 6455 §5.5: at most 125 bytes, and a reason is whole characters."""
    assert close_frame(4401, "session ended") == b"\x88\x0f\x11\x31session ended"
    long = close_frame(1001, "\u00e4" * 100)
    assert (len(long), long[1]) == (126, 124)
    assert long[4:].decode() == "\u00e4" * 61


def test_an_empty_frame_that_was_cut_ends_at_its_header():
    """The first boundary after half the header of a frame without a payload is that header's end."""
    boundaries = FrameBoundaries()
    empty, next_one = frame(0, masked=False), frame(3, masked=False)
    boundaries.feed(empty[:1])

    taken = boundaries.feed(empty[1:] + next_one, until_boundary=True)

    assert taken == len(empty) - 1
    assert boundaries.at_boundary
