"""The leaders and trailers that a ghost area promises, compared with the bytes of every tile."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cog.checks.blocks import LEADER_BYTES, TRAILER_BYTES
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tiff import StructureError
from gateway.model import ByteSource, Finding


def check_leaders(source: ByteSource, layout: Layout) -> Iterator[Finding]:
    """Yield a finding for the first tile of each IFD with a false leader, and with a false trailer.

    Raises StructureError when the source has become shorter, and its own OSError.
    """
    ghost = layout.ghost
    if ghost is None or not (ghost.leaders or ghost.trailers):
        return
    told: set[tuple[int, str]] = set()
    for position, what in _false(source, layout):
        key = int(layout.tiles.owners[position]), what
        if key not in told:
            told.add(key)
            block, offset = int(layout.tiles.blocks[position]), int(layout.tiles.starts[position])
            text = f"The {what} of tile {block} is not the one of its bytes."
            yield finding(f"ghost-{what}", text, ifd=layout.ifds[key[0]].index, block=block, offset=offset)


def _false(source: ByteSource, layout: Layout) -> Iterator[tuple[int, str]]:
    """Yield the position and the kind, leader or trailer, of each that is false, in the order of the file."""
    ghost, tiles = layout.ghost, layout.tiles
    reader = _Reader(source)
    pairs = zip(tiles.starts.tolist(), tiles.ends.tolist(), strict=True)
    for position, (start, end) in enumerate(pairs):
        if ghost is not None and ghost.leaders:
            # Little-endian in files of either byte order.
            leader = int.from_bytes(reader.at(start - LEADER_BYTES, LEADER_BYTES), "little")
            if leader != end - start:
                yield position, "leader"
        # A tile of less than four bytes has no four to repeat.
        if ghost is not None and ghost.trailers and end - start >= TRAILER_BYTES:
            tail = reader.at(end - TRAILER_BYTES, 2 * TRAILER_BYTES)
            if tail[:TRAILER_BYTES] != tail[TRAILER_BYTES:]:
                yield position, "trailer"


class _Reader:
    """Small reads that look a little ahead: the end of one tile and the leader of the next adjoin."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._start = 0
        self._bytes = b""

    def at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes; those of the read before are not read again."""
        skip = offset - self._start
        if skip < 0 or skip + length > len(self._bytes):
            self._start, skip = offset, 0
            room = self._source.size_bytes - offset
            self._bytes = self._source.read_at(offset, min(length + LEADER_BYTES, room))
        piece = self._bytes[skip : skip + length]
        if len(piece) < length:
            raise StructureError(finding("changed-while-read", "The file ends before its own length."))
        return piece
