"""Counters in a file that the processes of one machine share: a storage for `limits`, in memory and bounded."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from limits.storage import Storage

# The key's hash, when its window ends (seconds of the machine's monotonic clock), and the count.
SLOT = struct.Struct("<16sdd")
SLOTS = 1 << 15
# A key lies in one of so many slots, where they are all taken the one whose window ends first makes room.
NEIGHBOURS = 8
NOBODY = b"\0" * 16


class SharedTable(Storage):
    """Counts of windows by key, in a file of fixed size; any thread and process may count.

    The lock is flock(2): the kernel takes it from a process that dies.
    """

    STORAGE_SCHEME = None

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._gate = threading.Lock()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._descriptor, SLOTS * SLOT.size)
        self._memory = mmap.mmap(self._descriptor, SLOTS * SLOT.size)

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what reading and writing may raise."""
        return OSError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Return the count of the key after `amount` was added; a new window lasts `expiry` seconds."""
        with self._slot(key) as (at, name, ends, count):
            until = self._clock() + expiry if name is NOBODY else ends
            SLOT.pack_into(self._memory, at, _hashed(key), until, count + amount)
            return int(count + amount)

    def get(self, key: str) -> int:
        """Return the count of the key in its window."""
        with self._slot(key) as (_, name, _ends, count):
            return 0 if name is NOBODY else int(count)

    def get_expiry(self, key: str) -> float:
        """Return when the key's window ends, by this table's clock; now where there is none."""
        with self._slot(key) as (_, name, ends, _count):
            return self._clock() if name is NOBODY else ends

    def check(self) -> bool:
        """Return True: memory is always there."""
        return True

    def reset(self) -> int | None:
        """Forget all counts."""
        with self._locked():
            self._memory[:] = bytes(len(self._memory))
        return None

    def clear(self, key: str) -> None:
        """Forget the count of one key."""
        with self._slot(key) as (at, name, _ends, _count):
            if name is not NOBODY:
                SLOT.pack_into(self._memory, at, NOBODY, 0.0, 0.0)

    def close(self) -> None:
        """Close the file."""
        self._memory.close()
        os.close(self._descriptor)

    @contextmanager
    def _slot(self, key: str) -> Iterator[tuple[int, bytes, float, float]]:
        """Yield the offset of the key's slot and what it holds, under the lock; NOBODY where no window is open."""
        wanted, now = _hashed(key), self._clock()
        first = int.from_bytes(wanted[:4], "little")
        with self._locked():
            room, soonest = 0, float("inf")
            for step in range(NEIGHBOURS):
                at = (first + step) % SLOTS * SLOT.size
                name, ends, count = SLOT.unpack_from(self._memory, at)
                if name == wanted and ends > now:
                    yield at, name, ends, count
                    return
                if ends < soonest:
                    room, soonest = at, ends
            yield room, NOBODY, 0.0, 0.0

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # flock(2) belongs to the open file, which all threads share: they have a gate of their own.
        with self._gate:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def _hashed(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
