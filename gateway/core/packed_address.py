"""Make return addresses small, and read them back within bounds."""

import zlib
from typing import Final

from gateway.core.returnto import MAX_LENGTH
from gateway.errors import BadData

_RAW: Final = -15
"""Deflate (RFC 1951) without header and checksum: what is sealed needs neither."""


def pack_address(address: str) -> bytes:
    """The address, deflated. Never empty."""
    packer = zlib.compressobj(9, zlib.DEFLATED, _RAW)
    return packer.compress(address.encode()) + packer.flush()


def unpack_address(packed: bytes) -> str:
    """The address. Raises BadData for what is cut off, damaged, or longer than an address can be (C9)."""
    unpacker = zlib.decompressobj(_RAW)
    try:
        address = unpacker.decompress(packed, MAX_LENGTH).decode()
    except (zlib.error, UnicodeDecodeError):
        raise BadData("not a packed address") from None
    if not unpacker.eof or unpacker.unused_data:
        raise BadData("not a whole packed address")
    return address
