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
from dataclasses import dataclass
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
# The lock is held for microseconds. Who does not get it in this time counts alone: the event loop, which waits here,
# must not stop because another process was stopped with the lock in its hands. For a while nobody waits then, but
# each takes the lock where it is free.
LOCK_TRIES, LOCK_PAUSE_SECONDS = 20, 0.0001
ALONE_SECONDS = 1.0


class SharedTable(Storage):
    """Counts of windows by key, in a file of fixed size; any thread and process may count.

    The lock is flock(2): the kernel takes it from a process that dies. While another process does not give it back,
    this process adds what it counts to what the file says and keeps it for later; where there is no room for the
    file, it counts for itself.
    """

    STORAGE_SCHEME = None

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._gate = threading.Lock()
        self._alone_until = 0.0
        # What was counted without the lock and is not in the shared table yet.
        self._pending = mmap.mmap(-1, SLOTS * SLOT.size)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Every page of it now: one that cannot be had later kills the process that touches it.
            os.posix_fallocate(self._descriptor, 0, SLOTS * SLOT.size)
            self._shared = mmap.mmap(self._descriptor, SLOTS * SLOT.size)
        except OSError as error:
            self._shared = mmap.mmap(-1, SLOTS * SLOT.size)
            log.warning("limits are counted by this process alone: no room for %s (%s)", path, error.strerror)

    @property
    def base_exceptions(self) -> type[Exception]:
        """Return what reading and writing may raise."""
        return OSError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Return the count of the key after `amount` was added; a new window lasts `expiry` seconds."""
        wanted, now = _hashed(key), self._clock()
        with self._locked() as locked:
            shared, pending = self._slots(wanted, now)
            ends = shared.ends or pending.ends or now + expiry
            if locked:
                shared.write(wanted, ends, shared.count + pending.count + amount)
                pending.clear()
            else:
                pending.write(wanted, ends, pending.count + amount)
        return int(shared.count + pending.count + amount)

    def get(self, key: str) -> int:
        """Return the count of the key in its window."""
        with self._locked():
            return int(sum(slot.count for slot in self._slots(_hashed(key), self._clock())))

    def get_expiry(self, key: str) -> float:
        """Return when the key's window ends, by this table's clock; now where there is none."""
        now = self._clock()
        with self._locked():
            shared, pending = self._slots(_hashed(key), now)
            return shared.ends or pending.ends or now

    def check(self) -> bool:
        """Return True: memory is always there."""
        return True

    def reset(self) -> int | None:
        """Forget all counts."""
        with self._locked():
            for memory in (self._shared, self._pending):
                memory[:] = bytes(len(memory))
        return None

    def clear(self, key: str) -> None:
        """Forget the count of one key."""
        with self._locked():
            for slot in self._slots(_hashed(key), self._clock()):
                slot.clear()

    def close(self) -> None:
        """Close the file."""
        self._shared.close()
        self._pending.close()
        os.close(self._descriptor)

    def _slots(self, wanted: bytes, now: float) -> tuple[_Slot, _Slot]:
        """Return the slots of a key in the shared table and in that of what is pending.

        Without the lock the shared one is as exact as it was a moment ago.
        """
        return _slot(self._shared, wanted, now), _slot(self._pending, wanted, now)

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Yield whether this process has the lock of all; its own threads are kept apart in any case."""
        # flock(2) belongs to the open file, which all threads share: they have a gate of their own.
        with self._gate:
            if not self._take():
                yield False
                return
            try:
                yield True
            finally:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _take(self) -> bool:
        if self._taken():
            return True
        if time.monotonic() < self._alone_until:
            return False
        for _ in range(LOCK_TRIES):
            time.sleep(LOCK_PAUSE_SECONDS)
            if self._taken():
                return True
        self._alone_until = time.monotonic() + ALONE_SECONDS
        return False

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@dataclass(slots=True)
class _Slot:
    """Where a key is counted in a table; `ends` and `count` are 0 where no window of it is open."""

    memory: mmap.mmap
    at: int
    ends: float = 0.0
    count: float = 0.0

    def write(self, name: bytes, ends: float, count: float) -> None:
        """Put a window in this place."""
        SLOT.pack_into(self.memory, self.at, name, ends, count)

    def clear(self) -> None:
        """Leave the place free, if it holds the key's window."""
        if self.ends:
            self.write(NOBODY, 0.0, 0.0)


def _slot(memory: mmap.mmap, wanted: bytes, now: float) -> _Slot:
    """Return the slot of a key, or that of its places which is free or becomes free first."""
    first, room, soonest = int.from_bytes(wanted[:4], "little"), 0, float("inf")
    for step in range(NEIGHBOURS):
        at = (first + step) % SLOTS * SLOT.size
        name, ends, count = SLOT.unpack_from(memory, at)
        if name == wanted and ends > now:
            return _Slot(memory, at, ends, count)
        if ends < soonest:
            room, soonest = at, ends
    return _Slot(memory, room)


def _hashed(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()
