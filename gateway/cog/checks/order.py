"""Where things lie: the first IFD in front, every directory before the data, smaller levels before larger."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import name_of
from gateway.model import Finding

LATEST_FIRST_IFD = 300
# Bytes for alignment between the ghost area and the first IFD.
ALIGNMENT_BYTES = 16


def check_first_ifd(layout: Layout) -> Iterator[Finding]:
    """Yield a finding when the first IFD stands neither right after the header nor right after a ghost area."""
    offset, ghost = layout.main.directory.offset, layout.ghost
    if offset in (8, 16) or (ghost is not None and 0 <= offset - ghost.end < ALIGNMENT_BYTES):
        return
    rule = "foreign-bytes-before-ifd" if offset <= LATEST_FIRST_IFD else "first-ifd-too-late"
    if ghost is None or rule == "first-ifd-too-late":
        yield finding(rule, f"The first directory is at byte {offset}.", ifd=0, offset=offset)


def check_directories(layout: Layout) -> Iterator[Finding]:
    """Yield findings on directories and tag values that lie after the first tile, and on levels out of order."""
    for level, following in [*pairwise(layout.levels), *pairwise(layout.sub_levels)]:
        if following.directory.offset < level.directory.offset:
            what = "The directory of a smaller level lies before that of a larger one."
            yield finding("levels-not-ascending", what, ifd=following.index, offset=following.directory.offset)
    if not len(layout.tiles.starts):
        return
    data = int(layout.tiles.starts[0])
    for ifd in layout.ifds:
        if ifd.directory.offset >= data:
            what = "A directory lies after the first tile."
            yield finding("ifd-after-data", what, ifd=ifd.index, offset=ifd.directory.offset)
        else:
            yield from _values_after(ifd, data)


def _values_after(ifd: Ifd, data: int) -> Iterator[Finding]:
    for entry in ifd.directory.entries:
        if not entry.inline and entry.offset >= data:
            what = f"The value of tag {name_of(entry.tag)} lies after the first tile."
            yield finding("value-after-data", what, ifd=ifd.index, offset=entry.offset)


def check_data(layout: Layout) -> Iterator[Finding]:
    """Yield findings on levels whose data begins after that of a larger level, or is mixed with it.

    The region of a level is that of all its stored tiles; levels without any are passed over.
    """
    for levels in (layout.levels, layout.sub_levels):
        if len(levels) == 1:
            continue
        regions = [(ifd, region) for ifd in levels if (region := _region(layout, ifd)) is not None]
        for (_, larger), (ifd, smaller) in pairwise(regions):
            if smaller[0] > larger[0]:
                what = "The tiles of this level begin after those of a larger one."
                yield finding("data-order", what, ifd=ifd.index, offset=smaller[0])
            elif smaller[1] > larger[0]:
                what = "The tiles of this level end after the first ones of a larger level."
                yield finding("levels-interleaved", what, ifd=ifd.index, offset=larger[0])


def _region(layout: Layout, ifd: Ifd) -> tuple[int, int] | None:
    """Return where the stored tiles of an image begin and end, or None when it has none."""
    _, starts, ends = ifd.stored(layout.size_bytes)
    return (int(starts.min()), int(ends.max())) if len(starts) else None
