"""One image of a TIFF file: its directory and the values that the checks look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, prod
from typing import Generic, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt

from gateway.cog.tags import PLANAR_CONTIGUOUS, PLANAR_SEPARATE, STRIP_TAGS, TYPE_BYTES, Tag
from gateway.cog.tiff import Directory, Entry, Format, Values

REDUCED, MASK = 1, 4
NO_BLOCKS = np.empty(0, np.uint32)
Found = TypeVar("Found")
Owner = TypeVar("Owner")


class once(Generic[Owner, Found]):  # noqa: N801 - a decorator like property
    """A property that is worked out once: functools.cached_property without its lock, which costs more than most."""

    def __init__(self, work: Callable[[Owner], Found]) -> None:
        self._work, self._name, self.__doc__ = work, work.__name__, work.__doc__

    def __get__(self, owner: Owner, kind: type) -> Found:
        found = owner.__dict__[self._name] = self._work(owner)
        return found


class TagValues:
    """The values of tags, kept as the bytes that stand in the file until somebody asks for them.

    `raw` holds the field type and the bytes of each tag, of a known type and not empty.
    """

    def __init__(self, form: Format, raw: Mapping[int, tuple[int, bytes]]) -> None:
        self._form, self._raw = form, raw
        self._byte_order: Literal["little", "big"] = "little" if form.order == "<" else "big"

    def __getitem__(self, tag: int) -> Values:
        field_type, raw = self._raw[tag]
        return self._form.values(raw, field_type)

    def __contains__(self, tag: int) -> bool:
        return tag in self._raw

    @overload
    def get(self, tag: int) -> Values | None: ...
    @overload
    def get(self, tag: int, default: Values) -> Values: ...
    def get(self, tag: int, default: Values | None = None) -> Values | None:
        """Return the values of a tag, or `default` where there is none."""
        return self[tag] if tag in self._raw else default

    def first(self, tag: int, default: int) -> int:
        """Return the first value of an unsigned tag, or `default` where there is none."""
        found = self._raw.get(tag)
        return default if found is None else int.from_bytes(found[1][: TYPE_BYTES[found[0]]], self._byte_order)


@dataclass(frozen=True)
class Ifd:
    """One image of the file: its directory and the values of the tags that the check looks at.

    Properties that name a size or a sample assume that the tag checks found nothing.
    """

    directory: Directory
    values: TagValues

    @once
    def index(self) -> int:
        """Return the place in the IFD chain; of a SubIFD, that of the IFD which it hangs from."""
        return self.directory.index

    @once
    def sub(self) -> bool:
        """Return whether this is a SubIFD."""
        return self.directory.sub

    @once
    def tags(self) -> Mapping[int, Entry]:
        """Return the entries by tag."""
        return {entry.tag: entry for entry in self.directory.entries}

    def number(self, tag: int, default: int) -> int:
        """Return the first value of an integer tag, or `default` where there is none."""
        return self.values.first(tag, default)

    def text(self, tag: int) -> str:
        """Return the text of an ASCII tag up to its first NUL, or nothing where there is none."""
        return self.values[tag].tobytes().partition(b"\0")[0].decode("latin-1") if tag in self.values else ""

    @once
    def subfile_type(self) -> int:
        """Return NewSubfileType (254); GDAL does not look at the older SubfileType (255)."""
        return self.number(Tag.NEW_SUBFILE_TYPE, 0)

    @once
    def reduced(self) -> bool:
        """Return whether it is flagged as a reduced version of another image (254, bit 0)."""
        return bool(self.subfile_type & REDUCED)

    @once
    def mask(self) -> bool:
        """Return whether it is flagged as a transparency mask (254, bit 2)."""
        return bool(self.subfile_type & MASK)

    @once
    def size(self) -> tuple[int, int]:
        """Return width and height in pixels."""
        return self.number(Tag.IMAGE_WIDTH, 0), self.number(Tag.IMAGE_LENGTH, 0)

    @once
    def tile(self) -> tuple[int, int]:
        """Return width and height of a tile in pixels."""
        return self.number(Tag.TILE_WIDTH, 0), self.number(Tag.TILE_LENGTH, 0)

    @once
    def grid(self) -> tuple[int, int]:
        """Return the number of tiles across and down."""
        return -(-self.size[0] // self.tile[0]), -(-self.size[1] // self.tile[1])

    @once
    def striped(self) -> bool:
        """Return whether it is stored in strips, or claims to be beside its tiles."""
        return any(tag in self.tags for tag in STRIP_TAGS)

    @once
    def samples(self) -> int:
        """Return SamplesPerPixel (277)."""
        return self.number(Tag.SAMPLES_PER_PIXEL, 1)

    @once
    def planes(self) -> int:
        """Return how many tiles cover one place: the samples when planar-separate (284), else 1."""
        return self.samples if self.planar == PLANAR_SEPARATE else 1

    @once
    def planar(self) -> int:
        """Return PlanarConfiguration (284)."""
        return self.number(Tag.PLANAR_CONFIGURATION, PLANAR_CONTIGUOUS)

    @once
    def compression(self) -> int:
        """Return Compression (259)."""
        return self.number(Tag.COMPRESSION, 1)

    @once
    def bits(self) -> int:
        """Return BitsPerSample (258) of the first sample."""
        return self.number(Tag.BITS_PER_SAMPLE, 1)

    @once
    def sample_format(self) -> int:
        """Return SampleFormat (339) of the first sample; 4 means undefined and is read as 1, unsigned."""
        return {4: 1}.get(form := self.number(Tag.SAMPLE_FORMAT, 1), form)

    @once
    def tile_bytes(self) -> int:
        """Return the bytes of one decoded tile; rows are padded to whole bytes (TIFF 6.0 section 15)."""
        return ceil(self.tile[0] * self.bits * (self.samples // self.planes) / 8) * self.tile[1]

    @once
    def blocks(self) -> int:
        """Return how many tiles the grid has, over all planes."""
        return prod(self.grid) * self.planes

    @once
    def offsets(self) -> Values:
        """Return TileOffsets (324), unsigned; empty where it cannot be read."""
        return self.values.get(Tag.TILE_OFFSETS, NO_BLOCKS)

    @once
    def counts(self) -> Values:
        """Return TileByteCounts (325), unsigned; empty where it cannot be read."""
        return self.values.get(Tag.TILE_BYTE_COUNTS, NO_BLOCKS)

    @once
    def starts(self) -> npt.NDArray[np.int64]:
        """Return TileOffsets as signed numbers; those that no file reaches are negative."""
        return self.offsets.astype(np.int64)

    @once
    def ends(self) -> npt.NDArray[np.int64]:
        """Return where each block ends; only of blocks that are inside the file this may be trusted."""
        ends: npt.NDArray[np.int64] = self.starts + self.counts.astype(np.int64)
        return ends

    def within(self, size_bytes: int) -> npt.NDArray[np.bool_]:
        """Return for each block whether it is stored and wholly inside a file of that length; 64-bit safe."""
        if size_bytes not in self._within:
            self._within[size_bytes] = self._inside(size_bytes)
        return self._within[size_bytes]

    @once
    def _within(self) -> dict[int, npt.NDArray[np.bool_]]:
        return {}

    def _inside(self, size_bytes: int) -> npt.NDArray[np.bool_]:
        # The arrays may be of different lengths, and then nothing is asked of them but this.
        counts = self.counts.astype(np.int64)
        least, most = (1, 1, 1), (size_bytes, size_bytes, size_bytes)
        columns = (self.starts, counts, self.ends)
        if len(counts) and all(
            low <= each.min() and each.max() <= high for low, each, high in zip(least, columns, most, strict=True)
        ):
            return np.ones(len(counts), np.bool_)
        inside = np.ones(len(counts), np.bool_)
        for each in columns:
            # One after the other: a sum of numbers that are too large may have become any.
            inside &= (each > 0) & (each <= size_bytes)
        return inside

    def stored(self, size_bytes: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the numbers, starts and ends of the blocks that are stored inside a file of that length."""
        within = self.within(size_bytes)
        if within.all():
            return np.arange(len(within), dtype=np.int32), self.starts, self.ends
        at = within.nonzero()[0].astype(np.int32)
        return at, self.starts[at], self.ends[at]
