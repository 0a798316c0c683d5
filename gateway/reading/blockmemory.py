"""Memory for decoded blocks that a process shares with those that it forks: the oldest blocks are overwritten.

Nobody waits in it. Who is killed over it leaves room that is not used, and no block that is half written: a block is
found by a token over its key and its place, which is written last, and what was read counts only if it has not been
overwritten meanwhile. Room that is still written to is given to nobody else: who writes slowly spoils no later block.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

# Bytes that were ever given away; then the table of blocks; then the blocks.
GIVEN = struct.Struct("<Q")
PLACE = struct.Struct("<QQ")
TOKEN_BYTES = 16
ENTRY_BYTES = TOKEN_BYTES + PLACE.size
# A block has its place in the table in one of so many rows, one of two.
ROWS, ABREAST = 2048, 2
TABLE = 64
BLOCKS = TABLE + ROWS * ABREAST * ENTRY_BYTES
ALIGNED = 64
MOST_GIVEN = 1 << 62
# One block may take so great a part.
SHARE = 8

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Room:
    """Where a block lies: how many bytes were given away before it, and its own."""

    given: int
    bytes: Bytes


class BlockMemory:
    """Blocks by keys of bytes, at most `size_bytes` in all.

    Of processes that are forked afterwards each finds what another one has put there, where `shared`.
    """

    def __init__(self, size_bytes: int, *, shared: bool = False) -> None:
        self._size = max(ALIGNED, size_bytes // ALIGNED * ALIGNED)
        self._memory = mmap.mmap(-1, BLOCKS + self._size)
        # Locks of POSIX (fcntl(2)), which end with their process: of the first byte while some takes room, then of
        # those that it writes to.
        self._lock = os.memfd_create("cog-blocks") if shared else None
        self._gate = threading.Lock()
        self._written: set[tuple[int, int]] = set()

    @property
    def most_bytes(self) -> int:
        """Return how long a block may be."""
        return self._size // SHARE

    def close(self) -> None:
        """Have no part in it any more."""
        self._memory.close()
        if self._lock is not None:
            os.close(self._lock)

    def find(self, key: bytes) -> Room | None:
        """Return where a block lies; what is read there counts only if `holds` is true of it afterwards."""
        with self._gate:
            for at in self._entries(key):
                given, length = PLACE.unpack_from(self._memory, at + TOKEN_BYTES)
                token = self._memory[at : at + TOKEN_BYTES]
                within = given % self._size + length <= self._size
                if within and token == _token(key, given, length) and self._still(given):
                    return self._room(given, length)
        return None

    def holds(self, room: Room) -> bool:
        """Return whether nothing of it has been given away again."""
        with self._gate:
            return self._still(room.given)

    def take(self, length: int) -> Room | None:
        """Return room for a block, which is written to until `put` or `leave`.

        None for one that is too long, while another process takes some, and where somebody still writes.
        """
        if not 0 < length <= self.most_bytes:
            return None
        with self._gate, self._alone() as alone:
            if not alone:
                return None
            # Beyond that it has been written by who may be in a stranger's hands.
            given = GIVEN.unpack_from(self._memory)[0] % MOST_GIVEN
            if given % self._size + length > self._size:
                given += self._size - given % self._size
            # Also where somebody still writes: what comes next lies behind that.
            GIVEN.pack_into(self._memory, 0, given + -(-length // ALIGNED) * ALIGNED)
            return self._room(given, length) if self._reserve(given % self._size, length) else None

    def leave(self, room: Room) -> None:
        """Write to a room no more; nothing is done where that is so already."""
        with self._gate:
            self._release(room.given % self._size, len(room.bytes))

    def put(self, key: bytes, room: Room) -> None:
        """Let a block be found that has been written whole."""
        length = len(room.bytes)
        with self._gate:
            entries = list(self._entries(key))
            older = min(entries, key=lambda at: PLACE.unpack_from(self._memory, at + TOKEN_BYTES)[0])
            self._memory[older : older + TOKEN_BYTES] = bytes(TOKEN_BYTES)
            PLACE.pack_into(self._memory, older + TOKEN_BYTES, room.given, length)
            self._memory[older : older + TOKEN_BYTES] = _token(key, room.given, length)
            self._release(room.given % self._size, length)

    def _reserve(self, start: int, length: int) -> bool:
        """Return whether these bytes are this process's to write to; no thread and no other process does so now."""
        if any(start < first + count and first < start + length for first, count in self._written):
            return False
        if self._lock is not None:
            try:
                fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB, length, 1 + start)
            except OSError:
                return False
        self._written.add((start, length))
        return True

    def _release(self, start: int, length: int) -> None:
        if (start, length) in self._written:
            self._written.remove((start, length))
            if self._lock is not None:
                fcntl.lockf(self._lock, fcntl.LOCK_UN, length, 1 + start)

    def _entries(self, key: bytes) -> Iterator[int]:
        row = int.from_bytes(key[:4], "little") % ROWS
        for column in range(ABREAST):
            yield TABLE + (row * ABREAST + column) * ENTRY_BYTES

    def _still(self, given: int) -> bool:
        return bool(0 <= GIVEN.unpack_from(self._memory)[0] - given <= self._size)

    def _room(self, given: int, length: int) -> Room:
        return Room(given, np.frombuffer(self._memory, np.uint8, length, BLOCKS + given % self._size))

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Yield whether no other process is here; those that it is shared with never wait for each other."""
        if self._lock is None:
            yield True
            return
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
        except OSError:
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN, 1)


def key_of(*what: Any) -> bytes:
    """Return the key of what texts and numbers name together."""
    return blake2b(repr(what).encode(), digest_size=TOKEN_BYTES).digest()


def _token(key: bytes, given: int, length: int) -> bytes:
    # Two that write to one entry at once leave one that is found by neither key.
    return blake2b(key, digest_size=TOKEN_BYTES, salt=PLACE.pack(given, length)).digest()
