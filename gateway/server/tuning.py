"""Set up a process that does nothing but serve: its allocator and its garbage collector."""

import ctypes
import gc
import sys
from contextlib import suppress
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3

_MMAP_BYTES: Final = 1024 * 1024
"""uvloop reads up to 250 KB at a time. glibc gives blocks from 128 KiB pages of their own and takes them back, so that
each read of a large body would pay for page faults."""
_TRIM_BYTES: Final = 8 * 1024 * 1024
"""Free memory at the top of the heap that is kept for the next read."""

_OBJECTS: Final = 10_000
"""New containers between two looks for cycles. A request makes none that outlive it."""


def tune() -> None:
    """Call once per process, when all that lives as long as the process is loaded."""
    keep_freed_memory()
    gc.collect()
    gc.freeze()  # what is loaded is never garbage, and need not be looked at again
    gc.set_threshold(_OBJECTS, 20, 50)


def keep_freed_memory() -> None:
    """Keep buffers of the size of a read in the heap (mallopt(3)); glibc only, elsewhere nothing happens."""
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):  # musl has no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
