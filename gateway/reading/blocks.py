"""Blocks of local rasters, decoded here and kept with their bands together; GDAL reads all others.

GDAL takes blocks apart into bands and puts them together again for each window.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import imagecodecs
import numpy as np
import numpy.typing as npt
from rasterio.windows import Window

from gateway.cog.tags import NO_COMPRESSION, PLANAR_CONTIGUOUS, Tag
from gateway.reading.blockmemory import BlockMemory

if TYPE_CHECKING:
    from gateway.cog.ifd import Ifd
    from gateway.reading.handles import Handle

T = TypeVar("T")

Pixels = npt.NDArray[Any]
Decode = Callable[..., Any]


def _copied(stored: bytes, *, out: Pixels) -> Pixels:
    """Return `out` with what is stored in it; raises ValueError where that has another length."""
    # numpy would take one byte for all.
    if len(stored) != len(out):
        raise ValueError(f"{len(stored)} bytes of {len(out)}")
    out[:] = np.frombuffer(stored, np.uint8)
    return out


# Compression (259) as libtiff numbers it: LZW, Deflate by both of its numbers, Zstandard.
DECODERS: Mapping[int, Decode] = {
    NO_COMPRESSION: _copied,
    5: imagecodecs.lzw_decode,
    8: imagecodecs.deflate_decode,
    32946: imagecodecs.deflate_decode,
    50000: imagecodecs.zstd_decode,
}
# SampleFormat (339): unsigned, signed, floating-point.
KINDS: Mapping[int, str] = {1: "u", 2: "i", 3: "f"}
BITS = (8, 16, 32)
NO_PREDICTOR, HORIZONTAL = 1, 2
# Of values that are those of the bands: white is zero, black is zero, RGB, palette.
PLAIN_COLOURS = (0, 1, 2, 3)
# A window of more blocks is read by GDAL, which keeps none but one row of them.
MOST_BLOCKS = 24
Overlap = tuple[tuple[slice, slice], tuple[slice, slice]]


@dataclass(frozen=True, slots=True)
class Form:
    """What a decoded block is: `shape` as (rows, cols, samples), and the type of its values."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        """Return how long it is."""
        return math.prod(self.shape) * self.dtype.itemsize

    def array(self, found: Pixels) -> Pixels:
        """Return bytes as a block."""
        return found.view(self.dtype).reshape(self.shape)


class DecodedBlocks:
    """Blocks of rasters, each decoded once by the threads of this process that want it at once."""

    def __init__(self, memory: BlockMemory) -> None:
        self._memory = memory
        self._gate = threading.Lock()
        self._making: dict[bytes, Future[None]] = {}

    @property
    def most_bytes(self) -> int:
        """Return how long a block may be that is kept."""
        return self._memory.most_bytes

    def read(self, key: bytes, form: Form, make: Callable[[Pixels], bool], copy: Callable[[Pixels], T]) -> T | None:
        """Return what `copy` makes of a block, or None where there is none.

        `make` writes the block into an array of that shape and type and returns whether it could. `copy` keeps
        nothing of the array, which is overwritten later, and may be called twice.
        """
        while True:
            if (found := self._kept(key, form, copy)) is not None:
                return found
            with self._gate:
                made = self._making.get(key)
                if made is None:
                    mine = self._making[key] = Future()
            if made is None:
                break
            # It may be that nothing was kept, or that it failed: then each tries for itself.
            made.result()
        try:
            return self._made(key, form, make, copy)
        finally:
            with self._gate:
                del self._making[key]
            mine.set_result(None)

    def _kept(self, key: bytes, form: Form, copy: Callable[[Pixels], T]) -> T | None:
        room = self._memory.find(key)
        if room is None or len(room.bytes) != form.bytes:
            return None
        found = copy(form.array(room.bytes))
        return found if self._memory.holds(room) else None

    def _made(self, key: bytes, form: Form, make: Callable[[Pixels], bool], copy: Callable[[Pixels], T]) -> T | None:
        room = self._memory.take(form.bytes)
        if room is not None:
            try:
                if not make(form.array(room.bytes)):
                    return None
                self._memory.put(key, room)
            finally:
                self._memory.leave(room)
            found = copy(form.array(room.bytes))
            if self._memory.holds(room):
                return found
        own = form.array(np.empty(form.bytes, np.uint8))
        return copy(own) if make(own) else None


@dataclass(frozen=True, slots=True)
class Stored:
    """How the blocks of one level are stored, and `across` how many lie abreast."""

    form: Form
    decode: Decode
    predictor: int
    across: int

    def decoded(self, stored: bytes, block: Pixels) -> bool:
        """Return whether a block could be decoded, as a whole, into `block`."""
        flat = block.reshape(-1).view(np.uint8)
        try:
            found = self.decode(stored, out=flat)
            if len(found) != len(flat):
                return False
            if self.predictor == HORIZONTAL:
                imagecodecs.delta_decode(block, axis=1, out=block)
        except (RuntimeError, ValueError):
            return False
        return True


def read_window(handle: Handle, level: int, window: Window, bands: Sequence[int]) -> Pixels | None:
    """Return bands of a window of one level as a new array (bands, rows, cols), or None where GDAL is to read it.

    In memory the bands of a pixel lie together.
    """
    stored = handle.once(("blocks", level), lambda: stored_blocks(handle, level))
    places = list(_places(window, stored.form)) if stored is not None else []
    if stored is None or not 0 < len(places) <= MOST_BLOCKS:
        return None
    whole = list(bands) == list(range(1, stored.form.shape[2] + 1))
    chosen = slice(None) if whole else [band - 1 for band in bands]
    found: Pixels = np.empty((window.height, window.width, len(bands)), stored.form.dtype)
    for row, column in places:
        there = _overlap(window, row, column, stored.form)

        def copy(block: Pixels, there: Overlap = there) -> bool:
            (rows, columns), (from_rows, from_columns) = there
            found[rows, columns] = block[from_rows, from_columns][..., chosen]
            return True

        if not _read(handle, level, stored, row * stored.across + column, copy):
            return None
    return found.transpose(2, 0, 1)


def stored_blocks(handle: Handle, level: int) -> Stored | None:
    """Return how the blocks of a level are stored, or None where GDAL is to read them."""
    view, layout = handle.view, handle.layout
    ifd = layout.levels[level]
    decode = DECODERS.get(ifd.compression)
    if handle.source.remote or view.mixed or decode is None or layout.form.order != "<" or not _plain(ifd):
        return None
    form = Form((ifd.tile[1], ifd.tile[0], ifd.samples), np.dtype(f"{KINDS[ifd.sample_format]}{ifd.bits // 8}"))
    predictor = ifd.number(Tag.PREDICTOR, NO_PREDICTOR)
    differences = predictor == HORIZONTAL and form.dtype.kind != "f" and ifd.compression != NO_COMPRESSION
    if predictor != NO_PREDICTOR and not differences:
        return None
    fits = form.dtype == view.numbers and ifd.samples == len(view.descriptions) and ifd.size == view.levels[level]
    return Stored(form, decode, predictor, ifd.grid[0]) if fits and form.bytes <= handle.blocks.most_bytes else None


def _plain(ifd: Ifd) -> bool:
    """Return whether the bytes of a block are values of the bands as GDAL has them."""
    forms = set(ifd.values[Tag.SAMPLE_FORMAT].tolist()) if Tag.SAMPLE_FORMAT in ifd.values else {1}
    return (
        ifd.planar == PLANAR_CONTIGUOUS
        and ifd.bits in BITS
        and ifd.sample_format in KINDS
        and len(forms) == 1
        and not (ifd.sample_format == 3 and ifd.bits != 32)
        and ifd.number(Tag.PHOTOMETRIC, 1) in PLAIN_COLOURS
        and ifd.number(Tag.FILL_ORDER, 1) == 1
        and not ifd.striped
    )


def _places(window: Window, form: Form) -> Iterator[tuple[int, int]]:
    """Yield row and column of the blocks that a window reaches into."""
    for row in range(window.row_off // form.shape[0], -(-(window.row_off + window.height) // form.shape[0])):
        for column in range(window.col_off // form.shape[1], -(-(window.col_off + window.width) // form.shape[1])):
            yield row, column


def _overlap(window: Window, row: int, column: int, form: Form) -> Overlap:
    """Return rows and columns of a window that lie in a block, and which of the block those are."""
    sides = (
        (window.row_off, window.height, row * form.shape[0], form.shape[0]),
        (window.col_off, window.width, column * form.shape[1], form.shape[1]),
    )
    ends = [(max(at, block), min(at + length, block + side)) for at, length, block, side in sides]
    within, of_block = (
        [slice(first - side[start], last - side[start]) for (first, last), side in zip(ends, sides, strict=True)]
        for start in (0, 2)
    )
    return (within[0], within[1]), (of_block[0], of_block[1])


def _read(handle: Handle, level: int, stored: Stored, index: int, copy: Callable[[Pixels], bool]) -> bool:
    """Return whether `copy` got a block; not one that is not stored or cannot be decoded."""

    def make(block: Pixels) -> bool:
        ifd = handle.layout.levels[level]
        if index >= min(len(ifd.offsets), len(ifd.counts)):
            return False
        offset, count = int(ifd.offsets[index]), int(ifd.counts[index])
        # More than it can take even where nothing could be compressed is read in pieces, and by GDAL.
        if not offset or not 0 < count <= 2 * stored.form.bytes:
            return False
        found = handle.source.read_at(offset, count)
        # Kept for longer than this raster: nothing of another version.
        return len(found) == count and handle.source.unchanged() and stored.decoded(found, block)

    return bool(handle.blocks.read(handle.key_of(level, index), stored.form, make, copy))
