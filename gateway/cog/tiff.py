"""A bounded walk through the directories of a TIFF or BigTIFF, in few and large reads."""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gateway.cog.rules import finding
from gateway.cog.tags import NUMPY_CODES, TYPE_BYTES, TYPES, Tag, name_of
from gateway.model import ByteSource, Finding

Values = npt.NDArray[Any]
Order = Literal["<", ">"]

# Of a remote source, where each read takes a round trip: the directories of an ordinary COG lie in the first
# read, and what lies within a gap is read in one go. A read of a file costs so little that none goes further.
REMOTE_READ_BYTES, REMOTE_GAP_BYTES = 32 * 1024, 64 * 1024
GAP_BYTES = 64

# How values of a field type stand in the file, and what they are read into.
DTYPES = {
    (order, field_type): (np.dtype(code).newbyteorder(order), np.dtype(code))
    for field_type, code in NUMPY_CODES.items()
    for order in ("<", ">")
}


class StructureError(Exception):
    """A structure that cannot be read any further; carries the finding that says why."""

    def __init__(self, what: Finding) -> None:
        super().__init__(what.rule)
        self.finding = what


@dataclass(frozen=True, slots=True)
class Limits:
    """What the walk takes before it refuses; a header of 41 MB is legal, so most is bounded by bytes."""

    ifds: int = 256
    entries: int = 1024
    header_bytes: int = 256 << 20
    blocks: int = 5_500_000
    text_bytes: int = 32 << 20


class Header:
    """The bytes of a source that were read so far; reads more where they do not reach.

    Raises StructureError when the source has become shorter than it was, and its own OSError.
    """

    def __init__(self, source: ByteSource) -> None:
        self.source = source
        self.size_bytes = source.size_bytes
        self._least, self._gap = (REMOTE_READ_BYTES, REMOTE_GAP_BYTES) if source.remote else (1, GAP_BYTES)
        self._starts: list[int] = []
        self._chunks: list[bytes] = []

    def at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`; the caller has made sure that they are inside the file."""
        at = bisect_right(self._starts, offset) - 1
        if at < 0 or offset + length > self._starts[at] + len(self._chunks[at]):
            at = self._read(offset, max(length, self._least))
            if offset + length > self._starts[at] + len(self._chunks[at]):
                raise StructureError(finding("changed-while-read", "The file ends before its own length."))
        skip = offset - self._starts[at]
        return self._chunks[at][skip : skip + length]

    def prefetch(self, extents: Iterable[tuple[int, int]]) -> None:
        """Read the (start, end) extents that are not read yet, near ones together."""
        runs: list[list[int]] = []
        for start, end in sorted(extents):
            at = bisect_right(self._starts, start) - 1
            if at >= 0 and end <= self._starts[at] + len(self._chunks[at]):
                continue
            if runs and start <= runs[-1][1] + self._gap:
                runs[-1][1] = max(runs[-1][1], end)
            else:
                runs.append([start, end])
        for start, end in runs:
            self._read(start, end - start)

    def _read(self, offset: int, length: int) -> int:
        chunk = self.source.read_at(offset, min(length, self.size_bytes - offset))
        at = bisect_left(self._starts, offset)
        # What the new chunk covers is dropped: a search looks only at the last chunk before an offset.
        last = at
        while last < len(self._starts) and self._starts[last] + len(self._chunks[last]) <= offset + len(chunk):
            last += 1
        self._starts[at:last], self._chunks[at:last] = [offset], [chunk]
        return at


class Entry(NamedTuple):
    """One entry of a directory. `offset` is where its values lie in the file, inline or not.

    `value` is its last field as it stands, the values or their offset. `size_bytes` is 0 for a field type that TIFF
    does not know.
    """

    tag: int
    type: int
    count: int  # type: ignore[assignment]
    offset: int
    size_bytes: int
    inline: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Directory:
    """One IFD as it stands in the file.

    `index` counts the chain from 0; a SubIFD has the index of the chain IFD that it hangs from, and `sub` set.
    """

    index: int
    offset: int
    end: int
    entries: tuple[Entry, ...]
    sub: bool


@dataclass(frozen=True, slots=True)
class Format:
    """The byte order (a struct prefix) and the flavour of a TIFF, and where its first IFD is."""

    order: Order
    big: bool
    first_ifd: int

    @property
    def header_bytes(self) -> int:
        """Return the length of the file header: 8 bytes, 16 for BigTIFF."""
        return 16 if self.big else 8

    def values(self, raw: bytes, field_type: int) -> Values:
        """Return the values of a known field type, in native byte order."""
        stored, native = DTYPES[self.order, field_type]
        values = np.frombuffer(raw, stored)
        return values if stored.isnative else values.astype(native)


def read_format(header: Header) -> Format:
    """Return what the first 8 or 16 bytes say (TIFF 6.0 section 2; BigTIFF). Raises StructureError."""
    if not header.size_bytes:
        raise StructureError(finding("empty-file", "The file is empty."))
    start = header.at(0, min(16, header.size_bytes))
    order: Order = "<" if start[:2] == b"II" else ">"
    known = len(start) >= 8 and start[:2] in (b"II", b"MM")
    version = struct.unpack(f"{order}H", start[2:4])[0] if known else 0
    if version == 42:
        return Format(order, False, struct.unpack(f"{order}I", start[4:8])[0])
    if version != 43:
        raise StructureError(finding("not-a-tiff", "The file does not begin like a TIFF.", offset=0))
    if len(start) < 16 or struct.unpack(f"{order}HH", start[4:8]) != (8, 0):
        raise StructureError(finding("bad-bigtiff-header", "The header of this BigTIFF is damaged.", offset=4))
    return Format(order, True, struct.unpack(f"{order}Q", start[8:16])[0])


class Walk:
    """A walk over all directories, SubIFDs included; `directories` and `problems` grow as it goes."""

    def __init__(self, header: Header, form: Format, limits: Limits) -> None:
        self.header, self.form, self.limits = header, form, limits
        self.directories: list[Directory] = []
        self.problems: list[Finding] = []
        # Where each directory that was read leads to.
        self._next: dict[int, list[int]] = {}

    def run(self) -> None:
        """Walk the chain and the SubIFDs below it until the end or the first directory that cannot be read.

        A directory that several others lead to is read once: some writers name a SubIFD in its parent and in its
        sibling too.
        """
        pending, again = deque([(0, self.form.first_ifd, False)]), False
        while pending:
            index, offset, sub = pending.popleft()
            if offset in self._next:
                again = True
                continue
            try:
                directory, following = self._read(index, offset, sub)
            except StructureError as error:
                self.problems.append(error.finding)
                return
            self.directories.append(directory)
            below = self._sub_ifds(directory)
            self._next[offset] = [*below, following] if following else below
            if following:
                pending.append((index + (not sub), following, sub))
            pending.extend((index, offset, True) for offset in below)
        if again:
            self.problems.extend(self._cycles())

    def _cycles(self) -> Iterator[Finding]:
        """Yield a finding when a directory leads back to itself."""
        try:
            TopologicalSorter(self._next).prepare()
        except CycleError as error:
            first = next(each for each in self.directories if each.offset in error.args[1])
            what = "The chain of directories leads back to an earlier one."
            yield finding("ifd-cycle", what, ifd=first.index, offset=first.offset)

    def _read(self, index: int, offset: int, sub: bool) -> tuple[Directory, int]:
        count_code, entry_code, next_code = ("Q", "HHQ8s", "Q") if self.form.big else ("H", "HHI4s", "I")
        head, width, tail = (struct.calcsize(f"={code}") for code in (count_code, entry_code, next_code))
        room = self.header.size_bytes - offset
        if len(self.directories) >= self.limits.ifds:
            raise self._error("too-many-ifds", f"There are more than {self.limits.ifds} directories.", index, offset)
        if offset < self.form.header_bytes or room < head:
            raise self._error("ifd-outside-file", "A directory does not lie in the file.", index, offset)
        (count,) = struct.unpack(self.form.order + count_code, self.header.at(offset, head))
        if not 0 < count <= self.limits.entries:
            raise self._error("ifd-entry-count", f"A directory claims {count} entries.", index, offset)
        if room < head + count * width + tail:
            raise self._error("ifd-outside-file", "A directory reaches beyond the end of the file.", index, offset)
        raw = self.header.at(offset, head + count * width + tail)
        entries = self._entries(self.form.order + entry_code, raw[head:-tail], offset + head)
        (following,) = struct.unpack(self.form.order + next_code, raw[-tail:])
        directory = Directory(index, offset, offset + len(raw), entries, sub)
        self.problems.extend(self._judge(directory))
        return directory, following

    def _entries(self, code: str, raw: bytes, start: int) -> tuple[Entry, ...]:
        """Return the entries of a directory, of which the first one stands at `start` in the file."""
        byte_order: Literal["little", "big"] = "little" if self.form.order == "<" else "big"
        room = 8 if self.form.big else 4
        at, width = start + 4 + room, struct.calcsize(code)
        entries: list[Entry] = []
        # Past the constructor of a named tuple, which takes half of the time.
        new = tuple.__new__
        for tag, field_type, count, value in struct.iter_unpack(code, raw):
            size = TYPE_BYTES.get(field_type, 0) * count
            offset = at if size <= room else int.from_bytes(value, byte_order)
            entries.append(new(Entry, (tag, field_type, count, offset, size, size <= room, value)))
            at += width
        return tuple(entries)

    def _judge(self, directory: Directory) -> Iterator[Finding]:
        """Yield what is wrong with the entries of one directory, taken by themselves."""
        ifd = directory.index
        tags = [entry.tag for entry in directory.entries]
        ascending = sorted(tags)
        if len(set(tags)) < len(tags):
            for tag in sorted({first for first, second in pairwise(ascending) if first == second}):
                yield finding("duplicate-tag", f"Tag {name_of(tag)} stands twice.", ifd=ifd, offset=directory.offset)
        if tags != ascending:
            yield finding("unsorted-tags", "The tags are not in order.", ifd=ifd, offset=directory.offset)
        for entry in directory.entries:
            if entry.tag in TYPES and entry.type not in TYPES[entry.tag]:
                what = f"Tag {name_of(entry.tag)} has field type {entry.type}."
                yield finding("wrong-tag-type", what, ifd=ifd, offset=directory.offset)
            elif not (entry.inline or self._inside(entry)):
                what = f"The value of tag {name_of(entry.tag)} does not lie in the file, behind its header."
                yield finding("value-outside-file", what, ifd=ifd, offset=entry.offset)

    def _inside(self, entry: Entry) -> bool:
        """Return whether a value lies between the file header and the end of the file."""
        return self.form.header_bytes <= entry.offset <= self.header.size_bytes - entry.size_bytes

    def _sub_ifds(self, directory: Directory) -> list[int]:
        """Return where the SubIFDs begin; more than the limit are cut, the walk refuses them by then."""
        for entry in directory.entries:
            if entry.tag != Tag.SUB_IFDS or entry.type not in TYPES[Tag.SUB_IFDS]:
                continue
            if entry.offset + entry.size_bytes <= self.header.size_bytes:
                size = min(entry.size_bytes, (self.limits.ifds + 1) * TYPE_BYTES[entry.type])
                return list(map(int, self.form.values(self.header.at(entry.offset, size), entry.type)))
        return []

    @staticmethod
    def _error(name: str, what: str, index: int, offset: int) -> StructureError:
        return StructureError(finding(name, what, ifd=index, offset=offset))
