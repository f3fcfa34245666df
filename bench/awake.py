"""Keep the processor's cores awake while figures are taken.

An idle core sleeps, and on a virtual machine that is an exit to the hypervisor: waking its process costs the one that
wakes it several microseconds, on its own account. A program that keeps the load generator busy never has to, a slower
one pays for each answer. Awake, all pay alike.
"""

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path

_DEVICE = Path("/dev/cpu_dma_latency")


@contextlib.contextmanager
def awake() -> Iterator[bool]:
    """Ask the kernel for a wake-up latency of 0 µs for as long as the context lasts (its PM QoS interface); whether it
    could be asked, which needs Linux and the rights of root."""
    try:
        device = _DEVICE.open("wb", buffering=0)
    except OSError:
        yield False
        return
    with device:
        device.write(struct.pack("=i", 0))
        yield True
