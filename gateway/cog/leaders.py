"""The leaders and trailers that a ghost area promises, compared with the bytes of every tile."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gateway.cog.ghost import LEADER_BYTES, TRAILER_BYTES, Ghost
from gateway.cog.layout import Layout
from gateway.cog.reads import read_words
from gateway.cog.rules import finding
from gateway.model import ByteSource, Finding

# Tiles that are looked at together: their offsets stay in the processor's cache.
BATCH_TILES = 1 << 13


def check_leaders(source: ByteSource, layout: Layout) -> Iterator[Finding]:
    """Yield a finding for the first tile of each IFD with a false leader, and with a false trailer.

    Relies on the room for them between the tiles. Raises StructureError when the source has become shorter, and
    its own OSError.
    """
    ghost = layout.ghost
    if ghost is None or not (ghost.leaders or ghost.trailers):
        return
    told: set[tuple[int, str]] = set()
    for first in range(0, len(layout.tiles.starts), BATCH_TILES):
        for position, what in _first_false(source, layout, ghost, slice(first, first + BATCH_TILES)):
            key = int(layout.tiles.owners[position]), what
            if key not in told:
                told.add(key)
                block, offset = int(layout.tiles.blocks[position]), int(layout.tiles.starts[position])
                text = f"The {what} of tile {block} is not the one of its bytes."
                yield finding(f"ghost-{what}", text, ifd=layout.ifds[key[0]].index, block=block, offset=offset)


def _first_false(source: ByteSource, layout: Layout, ghost: Ghost, batch: slice) -> list[tuple[int, str]]:
    """Return the position and the kind, leader or trailer, of the first of each IFD that is false, ascending."""
    tiles = layout.tiles
    starts, ends, owners = tiles.starts[batch], tiles.ends[batch], tiles.owners[batch]
    columns = [starts - LEADER_BYTES] if ghost.leaders else []
    columns += [ends - TRAILER_BYTES, ends] if ghost.trailers else []
    words = read_words(source, np.stack(columns, axis=1).ravel()).reshape(len(starts), len(columns))
    found: list[tuple[int, str]] = []
    if ghost.leaders:
        found += ((at, "leader") for at in _first_of_each(words[:, 0] != ends - starts, owners))
    if ghost.trailers:
        # A tile of less than four bytes has no four to repeat.
        false = (words[:, -2] != words[:, -1]) & (ends - starts >= TRAILER_BYTES)
        found += ((at, "trailer") for at in _first_of_each(false, owners))
    return sorted((batch.start + at, what) for at, what in found)


def _first_of_each(bad: npt.NDArray[np.bool_], owners: npt.NDArray[np.int16]) -> list[int]:
    """Return the first of the bad positions of each owner."""
    at = np.flatnonzero(bad)
    positions: list[int] = at[np.unique(owners[at], return_index=True)[1]].tolist()
    return positions
