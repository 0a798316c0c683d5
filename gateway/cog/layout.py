"""The facts of a TIFF file, read once into frozen values; the checks judge these and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.cog.ghost import FIRST_LINE_BYTES, LEADER_BYTES, Ghost, parse_ghost
from gateway.cog.ifd import Ifd, TagValues, once
from gateway.cog.rules import finding
from gateway.cog.tags import ARRAY_TAGS, MAX_VALUES, TEXT_TAGS, TYPES, UNREAD_TAGS, Tag, name_of
from gateway.cog.tiff import Directory, Entry, Format, Header, Limits, Walk, read_format
from gateway.model import ByteSource, Finding, Severity

Offsets = npt.NDArray[np.int64]
# A size in a key of 63 bits, beside the number of a tile.
SIZE_BITS = 40
READ_TAGS = frozenset(map(int, TYPES)) - frozenset(map(int, UNREAD_TAGS))
LONG_TAGS = frozenset(map(int, (*ARRAY_TAGS, *TEXT_TAGS)))


@dataclass(frozen=True, slots=True)
class Tiles:
    """All stored tiles of all IFDs that lie inside the file, each extent once, ascending by their start.

    `owners` tells for each extent the position of its IFD in `Layout.ifds`, `blocks` the tile in that IFD.
    `shared` counts the tiles that use the extent of another one.
    """

    starts: Offsets
    ends: Offsets
    owners: npt.NDArray[np.int16]
    blocks: npt.NDArray[np.int32]
    shared: int


@dataclass(frozen=True)
class Layout:
    """The structure of one file. `problems` are what kept parts of it from being read.

    With problems that are errors, `ifds` may be incomplete and the values of their tags missing.
    """

    size_bytes: int
    form: Format
    ifds: tuple[Ifd, ...]
    ghost: Ghost | None
    before_ifd: bytes
    problems: tuple[Finding, ...]

    @once
    def chain(self) -> tuple[Ifd, ...]:
        """Return the IFDs of the chain, SubIFDs left out."""
        return tuple(ifd for ifd in self.ifds if not ifd.sub)

    @once
    def main(self) -> Ifd:
        """Return the full image, the first IFD."""
        return self.ifds[0]

    @once
    def levels(self) -> tuple[Ifd, ...]:
        """Return the full image and the overviews of the chain, in their order."""
        return (self.main, *(ifd for ifd in self.chain[1:] if ifd.reduced and not ifd.mask))

    @once
    def sub_levels(self) -> tuple[Ifd, ...]:
        """Return the full image and the overviews that are SubIFDs, in their order."""
        return (self.main, *(ifd for ifd in self.ifds if ifd.sub and ifd.reduced and not ifd.mask))

    @once
    def masks(self) -> tuple[Ifd, ...]:
        """Return the masks of any level."""
        return tuple(ifd for ifd in self.ifds[1:] if ifd.mask)

    @once
    def header_extents(self) -> tuple[tuple[int, int], ...]:
        """Return the (start, end) extents of header, ghost area, directories and tag values, ascending."""
        extents = [(0, self.form.header_bytes)]
        if self.ghost is not None:
            extents.append((self.ghost.start, min(self.ghost.end, self.main.directory.offset)))
        for ifd in self.ifds:
            extents.append((ifd.directory.offset, ifd.directory.end))
            extents += [(e.offset, e.offset + e.size_bytes) for e in ifd.directory.entries if not e.inline]
        return tuple(sorted(extents))

    @once
    def header_end(self) -> int:
        """Return where the last of the header extents ends."""
        return max(end for _, end in self.header_extents)

    @once
    def header_bytes(self) -> int | None:
        """Return the offset of the first byte that belongs to a block, its leader included; None without blocks."""
        starts = self.tiles.starts
        if not len(starts):
            return None
        leader_bytes = LEADER_BYTES if self.ghost is not None and self.ghost.leaders else 0
        return int(starts[0]) - leader_bytes

    @once
    def tiles(self) -> Tiles:
        """Return the stored tiles of the file, sorted."""
        return sorted_tiles(self.ifds, self.size_bytes)


def sorted_tiles(ifds: tuple[Ifd, ...], size_bytes: int) -> Tiles:
    """Return the tiles of the IFDs that are stored inside a file of that length."""
    kept = [(*ifd.stored(size_bytes), owner) for owner, ifd in enumerate(ifds)]
    # Level by level, as tiles are mostly stored: then nothing is left to sort.
    kept.sort(key=lambda level: level[1].item(0) if len(level[1]) else 0)
    starts, ends = (np.concatenate([level[column] for level in kept]) for column in (1, 2))
    owners = np.array([level[3] for level in kept], np.int16).repeat([len(level[0]) for level in kept])
    blocks = np.concatenate([level[0] for level in kept])
    if (starts[1:] > starts[:-1]).all():
        return Tiles(starts, ends, owners, blocks, 0)
    order = _by_extent(starts, ends)
    starts, ends = starts[order], ends[order]
    first = np.ones(len(starts), np.bool_)
    first[1:] = (starts[1:] != starts[:-1]) | (ends[1:] != ends[:-1])
    if first.all():
        return Tiles(starts, ends, owners[order], blocks[order], 0)
    # Of tiles with the same extent the first one of the first IFD counts.
    ranks = np.minimum.reduceat((owners.astype(np.int64) << 32 | blocks)[order], first.nonzero()[0])
    owners, blocks = (ranks >> 32).astype(np.int16), (ranks & 0xFFFFFFFF).astype(np.int32)
    return Tiles(starts[first], ends[first], owners, blocks, len(first) - len(ranks))


def _by_extent(starts: Offsets, ends: Offsets) -> npt.NDArray[np.int64]:
    """Return the order of extents by start and end; twice a sort of one key takes half the time of two keys."""
    order = np.argsort(starts)
    tied = starts[order[1:]] == starts[order[:-1]]
    if (tied & (ends[order[1:]] < ends[order[:-1]])).any():
        runs = np.concatenate(([0], np.cumsum(~tied)))
        sizes = np.minimum(ends[order] - starts[order], (1 << SIZE_BITS) - 1)
        order = order[np.argsort(runs << SIZE_BITS | sizes)]
    return order


def read_layout(source: ByteSource, limits: Limits | None = None) -> Layout:
    """Return the facts of a file, in two reads for an ordinary COG.

    Raises StructureError when it is no TIFF at all or shrinks meanwhile, and the OSError of the source.
    """
    limits = limits or Limits()
    header = Header(source)
    form = read_format(header)
    walk = Walk(header, form, limits)
    walk.run()
    problems = list(walk.problems)
    before = b""
    if walk.directories:
        start = form.header_bytes
        before = header.at(start, min(max(walk.directories[0].offset - start, 0), FIRST_LINE_BYTES + 999_999))
    wanted = [list(_wanted(directory, problems)) for directory in walk.directories]
    ifds: tuple[Ifd, ...] = ()
    if not any(problem.severity is Severity.ERROR for problem in problems) and _bounded(wanted, limits, problems):
        header.prefetch((e.offset, e.offset + e.size_bytes) for entries in wanted for e in entries if not e.inline)
        ifds = tuple(_ifd(*pair, header, form) for pair in zip(walk.directories, wanted, strict=True))
    ghost = parse_ghost(form.header_bytes, before)
    return Layout(header.size_bytes, form, ifds, ghost, before, tuple(problems))


def _wanted(directory: Directory, problems: list[Finding]) -> Iterator[Entry]:
    """Yield the entries whose values a check looks at."""
    for entry in directory.entries:
        if entry.tag in READ_TAGS:
            if entry.count <= MAX_VALUES or entry.tag in LONG_TAGS:
                yield entry
            else:
                what = f"Tag {name_of(entry.tag)} has {entry.count} values."
                problems.append(finding("wrong-tag-count", what, ifd=directory.index, offset=entry.offset))


def _bounded(wanted: list[list[Entry]], limits: Limits, problems: list[Finding]) -> bool:
    """Return whether the values may be read at all; tells in `problems` when they are too many."""
    entries = [entry for entries in wanted for entry in entries]
    if sum(entry.size_bytes for entry in entries) > limits.header_bytes:
        problems.append(finding("header-too-large", f"The header takes more than {limits.header_bytes} bytes."))
    elif sum(entry.size_bytes for entry in entries if entry.tag in TEXT_TAGS) > limits.text_bytes:
        problems.append(finding("header-too-large", f"The texts take more than {limits.text_bytes} bytes."))
    elif sum(entry.count for entry in entries if entry.tag == Tag.TILE_OFFSETS) > limits.blocks:
        problems.append(finding("too-many-blocks", f"The file has more than {limits.blocks} tiles."))
    else:
        return True
    return False


def _ifd(directory: Directory, wanted: list[Entry], header: Header, form: Format) -> Ifd:
    raw = {
        e.tag: (e.type, e.value[: e.size_bytes] if e.inline else header.at(e.offset, e.size_bytes))
        for e in wanted
        if e.size_bytes
    }
    return Ifd(directory, TagValues(form, raw))
