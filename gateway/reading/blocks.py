"""Blocks of local rasters, decoded here and kept with their bands together; GDAL reads all others.

GDAL takes blocks apart into bands and puts them together again for each window.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import numpy.typing as npt
from rasterio.windows import Window

from gateway.cog.tags import NO_COMPRESSION, PLANAR_CONTIGUOUS, Tag

if TYPE_CHECKING:
    from gateway.cog.ifd import Ifd
    from gateway.reading.handles import Handle

Pixels = npt.NDArray[Any]
Decode = Callable[..., Any]


def _copied(stored: bytes, *, out: Pixels) -> Pixels:
    """Return `out` with what is stored in it; raises ValueError where that has another length."""
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
# One block may take so great a part of what is kept.
SHARE = 8


class DecodedBlocks:
    """Decoded blocks of several rasters, at most `limit_bytes` in all, the longest unused dropped first."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._gate = threading.Lock()
        self._kept: OrderedDict[tuple[object, Hashable], Pixels] = OrderedDict()
        self._making: dict[tuple[object, Hashable], Future[Pixels | None]] = {}
        self.size_bytes = 0

    def get_or_make(self, owner: object, key: Hashable, make: Callable[[], Pixels | None]) -> Pixels | None:
        """Return the kept block, read-only, or what `make` returns; who asks meanwhile gets the same."""
        with self._gate:
            kept = self._kept.get((owner, key))
            if kept is not None:
                self._kept.move_to_end((owner, key))
                return kept
            made = self._making.get((owner, key))
            if made is None:
                mine = self._making[owner, key] = Future()
        if made is not None:
            return made.result()
        found: Pixels | None = None
        try:
            found = make()
        finally:
            with self._gate:
                del self._making[owner, key]
                self._keep((owner, key), found)
            # Where it failed the others read it in the way that tells why.
            mine.set_result(found)
        return found

    def forget(self, owner: object) -> None:
        """Drop all blocks of a raster."""
        with self._gate:
            for key in [key for key in self._kept if key[0] is owner]:
                self.size_bytes -= self._kept.pop(key).nbytes

    def _keep(self, key: tuple[object, Hashable], found: Pixels | None) -> None:
        if found is None:
            return
        found.flags.writeable = False
        self._kept[key] = found
        self.size_bytes += found.nbytes
        while self.size_bytes > self.limit_bytes:
            self.size_bytes -= self._kept.popitem(last=False)[1].nbytes


@dataclass(frozen=True, slots=True)
class BlockForm:
    """How the blocks of one level are stored: `shape` is (rows, cols, samples) of each, `across` how many abreast."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    decode: Decode
    predictor: int
    across: int

    def decoded(self, stored: bytes) -> Pixels | None:
        """Return the values of a block, or None where it cannot be decoded or is not whole."""
        values: Pixels = np.empty(self.shape, self.dtype)
        flat = values.reshape(-1).view(np.uint8)
        try:
            found = self.decode(stored, out=flat)
            if len(found) != len(flat):
                return None
            if self.predictor == HORIZONTAL:
                imagecodecs.delta_decode(values, axis=1, out=values)
        except (RuntimeError, ValueError):
            return None
        return values


def read_window(handle: Handle, level: int, window: Window, bands: Sequence[int]) -> Pixels | None:
    """Return bands of a window of one level as a new array (bands, rows, cols), or None where GDAL is to read it.

    In memory the bands of a pixel lie together.
    """
    form = handle.once(("blocks", level), lambda: block_form(handle, level))
    places = list(_places(window, form)) if form is not None else []
    if form is None or not 0 < len(places) <= MOST_BLOCKS:
        return None
    whole = len(bands) == form.shape[2] and list(bands) == list(range(1, len(bands) + 1))
    chosen = slice(None) if whole else [band - 1 for band in bands]
    found: Pixels = np.empty((window.height, window.width, len(bands)), form.dtype)
    for row, column in places:
        block = _block(handle, level, form, row * form.across + column)
        if block is None:
            return None
        (to_rows, from_rows), (to_columns, from_columns) = (
            _overlap(window.row_off, window.height, row * form.shape[0], form.shape[0]),
            _overlap(window.col_off, window.width, column * form.shape[1], form.shape[1]),
        )
        found[to_rows, to_columns] = block[from_rows, from_columns][..., chosen]
    return found.transpose(2, 0, 1)


def block_form(handle: Handle, level: int) -> BlockForm | None:
    """Return how the blocks of a level are stored, or None where GDAL is to read them."""
    view, layout = handle.view, handle.layout
    ifd = layout.levels[level]
    decode = DECODERS.get(ifd.compression)
    if handle.source.remote or view.mixed or decode is None or layout.form.order != "<" or not _plain(ifd):
        return None
    dtype = np.dtype(f"{KINDS[ifd.sample_format]}{ifd.bits // 8}")
    predictor = ifd.number(Tag.PREDICTOR, NO_PREDICTOR)
    if predictor != NO_PREDICTOR and (predictor != HORIZONTAL or dtype.kind == "f"):
        return None
    shape = ifd.tile[1], ifd.tile[0], ifd.samples
    fits = dtype == view.numbers and ifd.samples == len(view.descriptions) and ifd.size == view.levels[level]
    if not fits or int(np.prod(shape)) * dtype.itemsize > handle.blocks.limit_bytes // SHARE:
        return None
    return BlockForm(shape, dtype, decode, predictor, ifd.grid[0])


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


def _places(window: Window, form: BlockForm) -> Iterator[tuple[int, int]]:
    """Yield row and column of the blocks that a window reaches into."""
    for row in range(window.row_off // form.shape[0], -(-(window.row_off + window.height) // form.shape[0])):
        for column in range(window.col_off // form.shape[1], -(-(window.col_off + window.width) // form.shape[1])):
            yield row, column


def _overlap(start: int, length: int, block_start: int, block_length: int) -> tuple[slice, slice]:
    """Return where a side of a block lies in that of a window, and which part of the block that is."""
    first, last = max(start, block_start), min(start + length, block_start + block_length)
    return slice(first - start, last - start), slice(first - block_start, last - block_start)


def _block(handle: Handle, level: int, form: BlockForm, index: int) -> Pixels | None:
    """Return a block, or None where it is not stored or cannot be decoded."""

    def made() -> Pixels | None:
        ifd = handle.layout.levels[level]
        if index >= min(len(ifd.offsets), len(ifd.counts)):
            return None
        offset, count = int(ifd.offsets[index]), int(ifd.counts[index])
        # More than it can take even where nothing could be compressed is read in pieces, and by GDAL.
        if not offset or not 0 < count <= 2 * int(np.prod(form.shape)) * form.dtype.itemsize:
            return None
        stored = handle.source.read_at(offset, count)
        return form.decoded(stored) if len(stored) == count else None

    return handle.blocks.get_or_make(handle, (level, index), made)
