"""Return addresses are packed and come back; nothing else does."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.packed_address import pack_address, unpack_address
from gateway.core.returnto import MAX_LENGTH
from gateway.errors import BadData


@pytest.mark.property
@given(st.text(st.characters(codec="utf-8"), max_size=400))
def test_an_address_comes_back(address):
    """Whatever the text, packing loses nothing."""
    assert unpack_address(pack_address(address)) == address


def test_the_longest_address_comes_back():
    """As long as a request line may be."""
    assert unpack_address(pack_address("/" + "a" * (MAX_LENGTH - 1))) == "/" + "a" * (MAX_LENGTH - 1)


def test_a_filter_of_a_dashboard_takes_a_fraction():
    """What such addresses repeat is said once."""
    address = "/app/discover#/?" + "&".join(
        f"filters[{n}][field]=host.name&filters[{n}][value]=web-{n}" for n in range(60)
    )
    assert len(address) > 2900
    assert len(pack_address(address)) < 640


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xff",
        pack_address("/reports?year=2026")[:-1],
        pack_address("/a") + b"x",
        deflated(b"\xff\xfe"),
        deflated(b"/" + b"a" * MAX_LENGTH),
        deflated(b"\0" * 50_000_000),
    ],
)
def test_what_is_cut_off_damaged_or_endless_is_refused(data):
    """C9: a rest that is gone, bytes that are no address, and a bomb of 50 MB: BadData, without unpacking it."""
    with pytest.raises(BadData):
        unpack_address(data)
