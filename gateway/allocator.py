"""The allocator of the C library, told to give memory back."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# mallopt(3), malloc.h of glibc.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGE_BYTES = 1 << 20
SPARE_BYTES = 16 << 20


def give_large_blocks_back() -> None:
    """Let large blocks go back to the system as soon as they are free; where there is no glibc do nothing.

    Once a block of up to 32 MiB has been freed, glibc takes further ones of its size from the heap, which it keeps:
    after some large answers a server would hold their memory for good (mallopt(3), M_MMAP_THRESHOLD).
    """
    with suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(M_TRIM_THRESHOLD, SPARE_BYTES)
