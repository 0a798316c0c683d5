"""One image of a TIFF file: its directory and the values that the checks look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import ceil, prod
from typing import Literal, overload

import numpy as np
import numpy.typing as npt

from gateway.cog.tags import PLANAR_CONTIGUOUS, PLANAR_SEPARATE, STRIP_TAGS, TYPE_BYTES, Tag
from gateway.cog.tiff import Directory, Entry, Format, Values

REDUCED, MASK = 1, 4
NO_BLOCKS = np.empty(0, np.uint32)


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

    @cached_property
    def index(self) -> int:
        """Return the place in the IFD chain; of a SubIFD, that of the IFD which it hangs from."""
        return self.directory.index

    @cached_property
    def sub(self) -> bool:
        """Return whether this is a SubIFD."""
        return self.directory.sub

    @cached_property
    def tags(self) -> Mapping[int, Entry]:
        """Return the entries by tag."""
        return {entry.tag: entry for entry in self.directory.entries}

    def number(self, tag: int, default: int) -> int:
        """Return the first value of an integer tag, or `default` where there is none."""
        return self.values.first(tag, default)

    def text(self, tag: int) -> str:
        """Return the text of an ASCII tag up to its first NUL, or nothing where there is none."""
        return self.values[tag].tobytes().partition(b"\0")[0].decode("latin-1") if tag in self.values else ""

    @cached_property
    def subfile_type(self) -> int:
        """Return NewSubfileType (254); GDAL does not look at the older SubfileType (255)."""
        return self.number(Tag.NEW_SUBFILE_TYPE, 0)

    @cached_property
    def reduced(self) -> bool:
        """Return whether it is flagged as a reduced version of another image (254, bit 0)."""
        return bool(self.subfile_type & REDUCED)

    @cached_property
    def mask(self) -> bool:
        """Return whether it is flagged as a transparency mask (254, bit 2)."""
        return bool(self.subfile_type & MASK)

    @cached_property
    def size(self) -> tuple[int, int]:
        """Return width and height in pixels."""
        return self.number(Tag.IMAGE_WIDTH, 0), self.number(Tag.IMAGE_LENGTH, 0)

    @cached_property
    def tile(self) -> tuple[int, int]:
        """Return width and height of a tile in pixels."""
        return self.number(Tag.TILE_WIDTH, 0), self.number(Tag.TILE_LENGTH, 0)

    @cached_property
    def grid(self) -> tuple[int, int]:
        """Return the number of tiles across and down."""
        return -(-self.size[0] // self.tile[0]), -(-self.size[1] // self.tile[1])

    @cached_property
    def striped(self) -> bool:
        """Return whether it is stored in strips, or claims to be beside its tiles."""
        return any(tag in self.tags for tag in STRIP_TAGS)

    @cached_property
    def samples(self) -> int:
        """Return SamplesPerPixel (277)."""
        return self.number(Tag.SAMPLES_PER_PIXEL, 1)

    @cached_property
    def planes(self) -> int:
        """Return how many tiles cover one place: the samples when planar-separate (284), else 1."""
        return self.samples if self.planar == PLANAR_SEPARATE else 1

    @cached_property
    def planar(self) -> int:
        """Return PlanarConfiguration (284)."""
        return self.number(Tag.PLANAR_CONFIGURATION, PLANAR_CONTIGUOUS)

    @cached_property
    def compression(self) -> int:
        """Return Compression (259)."""
        return self.number(Tag.COMPRESSION, 1)

    @cached_property
    def bits(self) -> int:
        """Return BitsPerSample (258) of the first sample."""
        return self.number(Tag.BITS_PER_SAMPLE, 1)

    @cached_property
    def sample_format(self) -> int:
        """Return SampleFormat (339) of the first sample; 4 means undefined and is read as 1, unsigned."""
        return {4: 1}.get(form := self.number(Tag.SAMPLE_FORMAT, 1), form)

    @cached_property
    def tile_bytes(self) -> int:
        """Return the bytes of one decoded tile; rows are padded to whole bytes (TIFF 6.0 section 15)."""
        return ceil(self.tile[0] * self.bits * (self.samples // self.planes) / 8) * self.tile[1]

    @cached_property
    def blocks(self) -> int:
        """Return how many tiles the grid has, over all planes."""
        return prod(self.grid) * self.planes

    @cached_property
    def offsets(self) -> Values:
        """Return TileOffsets (324), unsigned; empty where it cannot be read."""
        return self.values.get(Tag.TILE_OFFSETS, NO_BLOCKS)

    @cached_property
    def counts(self) -> Values:
        """Return TileByteCounts (325), unsigned; empty where it cannot be read."""
        return self.values.get(Tag.TILE_BYTE_COUNTS, NO_BLOCKS)

    def within(self, size_bytes: int) -> npt.NDArray[np.bool_]:
        """Return for each block whether it is stored and wholly inside a file of that length; 64-bit safe."""
        if size_bytes not in self._within:
            self._within[size_bytes] = self._inside(size_bytes)
        return self._within[size_bytes]

    @cached_property
    def _within(self) -> dict[int, npt.NDArray[np.bool_]]:
        return {}

    def _inside(self, size_bytes: int) -> npt.NDArray[np.bool_]:
        size = np.uint64(size_bytes)
        room = size - np.minimum(self.offsets.astype(np.uint64), size)
        inside: npt.NDArray[np.bool_] = (self.offsets != 0) & (self.counts != 0) & (self.counts <= room)
        return inside
