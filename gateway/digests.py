"""Which names were seen already, a million of them in some twenty megabytes."""

from __future__ import annotations

from hashlib import blake2b

# Digests that begin alike lie together, so many of them that each heap of a million is short.
FIRST_BYTES = 2


class Digests:
    """A set of texts that only their digests are kept of, `size_bytes` of each.

    With 16 bytes no two of any number of texts are taken for one; with 8 bytes of a million texts two are with a
    probability of one to 37 million.
    """

    def __init__(self, size_bytes: int = 16) -> None:
        self._size_bytes = size_bytes
        self._tails: dict[bytes, bytes] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, text: str) -> bool:
        first, tail = self._split(text)
        return self._holds(self._tails.get(first, b""), tail)

    def add(self, text: str) -> bool:
        """Return whether the text is new, after it is in the set."""
        first, tail = self._split(text)
        tails = self._tails.get(first, b"")
        if self._holds(tails, tail):
            return False
        self._tails[first] = tails + tail
        self._count += 1
        return True

    def _split(self, text: str) -> tuple[bytes, bytes]:
        # A byte of a file name that is no UTF-8 is a lone surrogate.
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=self._size_bytes).digest()
        return digest[:FIRST_BYTES], digest[FIRST_BYTES:]

    def _holds(self, tails: bytes, tail: bytes) -> bool:
        place = tails.find(tail)
        while place % len(tail) and place >= 0:
            place = tails.find(tail, place + 1)
        return place >= 0
