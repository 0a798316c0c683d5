"""Counters in a file that the processes of one machine share: a storage for `limits`, in memory and bounded."""

from __future__ import annotations

import fcntl
import logging
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

log = logging.getLogger("gateway")
# The key's hash, when its window ends (seconds of the machine's monotonic clock), and the count.
SLOT = struct.Struct("<16sdd")
SLOTS = 1 << 15
# A key lies in one of so many slots, where they are all taken the one whose window ends first makes room.
NEIGHBOURS = 8
NOBODY = b"\0" * 16
# The lock is held for microseconds. Who does not get it in this time counts alone for a while: the event loop, which
# waits here, must not stop because another process was stopped with the lock in its hands.
LOCK_TRIES, LOCK_PAUSE_SECONDS = 20, 0.0001
ALONE_SECONDS = 1.0


class SharedTable(Storage):
    """Counts of windows by key, in a file of fixed size; any thread and process may count.

    The lock is flock(2): the kernel takes it from a process that dies. While another process does not give it back,
    and where there is no room for the file, this process counts alone.
    """

    STORAGE_SCHEME = None

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._gate = threading.Lock()
        self._alone_until = 0.0
        self._own = mmap.mmap(-1, SLOTS * SLOT.size)
        self._shared = self._own
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Every page of it now: one that cannot be had later kills the process that touches it.
            os.posix_fallocate(self._descriptor, 0, SLOTS * SLOT.size)
            self._shared = mmap.mmap(self._descriptor, SLOTS * SLOT.size)
        except OSError as error:
            log.warning("limits are counted by this process alone: no room for %s (%s)", path, error.strerror)

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what reading and writing may raise."""
        return OSError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Return the count of the key after `amount` was added; a new window lasts `expiry` seconds."""
        with self._slot(key) as (memory, at, name, ends, count):
            until = self._clock() + expiry if name is NOBODY else ends
            SLOT.pack_into(memory, at, _hashed(key), until, count + amount)
            return int(count + amount)

    def get(self, key: str) -> int:
        """Return the count of the key in its window."""
        with self._slot(key) as (_memory, _, name, _ends, count):
            return 0 if name is NOBODY else int(count)

    def get_expiry(self, key: str) -> float:
        """Return when the key's window ends, by this table's clock; now where there is none."""
        with self._slot(key) as (_memory, _, name, ends, _count):
            return self._clock() if name is NOBODY else ends

    def check(self) -> bool:
        """Return True: memory is always there."""
        return True

    def reset(self) -> int | None:
        """Forget all counts."""
        with self._locked() as memory:
            memory[:] = bytes(len(memory))
        return None

    def clear(self, key: str) -> None:
        """Forget the count of one key."""
        with self._slot(key) as (memory, at, name, _ends, _count):
            if name is not NOBODY:
                SLOT.pack_into(memory, at, NOBODY, 0.0, 0.0)

    def close(self) -> None:
        """Close the file."""
        self._shared.close()
        self._own.close()
        os.close(self._descriptor)

    @contextmanager
    def _slot(self, key: str) -> Iterator[tuple[mmap.mmap, int, bytes, float, float]]:
        """Yield a table, the offset of the key's slot in it, and what it holds; NOBODY where no window is open."""
        wanted, now = _hashed(key), self._clock()
        first = int.from_bytes(wanted[:4], "little")
        with self._locked() as memory:
            room, soonest = 0, float("inf")
            for step in range(NEIGHBOURS):
                at = (first + step) % SLOTS * SLOT.size
                name, ends, count = SLOT.unpack_from(memory, at)
                if name == wanted and ends > now:
                    yield memory, at, name, ends, count
                    return
                if ends < soonest:
                    room, soonest = at, ends
            yield memory, room, NOBODY, 0.0, 0.0

    @contextmanager
    def _locked(self) -> Iterator[mmap.mmap]:
        """Yield the table of all processes under its lock, or this process's own."""
        # flock(2) belongs to the open file, which all threads share: they have a gate of their own.
        with self._gate:
            if not self._take():
                yield self._own
                return
            try:
                yield self._shared
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _take(self) -> bool:
        if time.monotonic() < self._alone_until:
            return False
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(LOCK_PAUSE_SECONDS)
            else:
                return True
        self._alone_until = time.monotonic() + ALONE_SECONDS
        return False


def _hashed(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
