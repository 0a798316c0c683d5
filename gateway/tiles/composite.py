"""Pixels of several rasters put together on one ground, one raster after the other, as `rio_tiler.mosaic` does it.

Arrays are (bands, rows, cols). What is valid is a mask of booleans, (1, rows, cols) for all bands alike or (bands,
rows, cols), or None where all of it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.colour.model import PixelSelection
from gateway.errors import BadParameter
from gateway.ground.mapping import Part
from gateway.reading.source import OPAQUE, Drawn, Pixels, held_by_band

Valid = npt.NDArray[np.bool_]
# What a selection that needs all values of a pixel at once holds of them.
MAX_STACK_BYTES = 192 << 20
# Rows of which the values are brought into order at once.
STRIP_ROWS = 32
MOST_COUNTED_IN_BYTES = 255


@dataclass(frozen=True)
class Contribution:
    """What one raster has for a part of the ground: values, and which of them are valid."""

    pixels: Pixels
    valid: Valid | None
    at: Part

    @property
    def known(self) -> Valid:
        """Return what is valid, as an array."""
        return np.ones((1, *self.pixels.shape[1:]), bool) if self.valid is None else self.valid

    @property
    def place(self) -> tuple[slice, slice, slice]:
        """Return the part as an index of an array."""
        return slice(None), slice(self.at.top, self.at.bottom), slice(self.at.left, self.at.right)


def contribution(drawn: Drawn, nodata: float | None, part: Part) -> Contribution:
    """Return pixels as one dataset's share: what is not opaque is missing, as in `rio_tiler`."""
    each = held_by_band(drawn.pixels, nodata)
    if each is not None and len(each) > 1 and bool((each == each[:1]).all()):
        each = each[:1]
    valid: Valid | None = each
    if drawn.mask is not None:
        seen = (drawn.mask == OPAQUE)[None]
        valid = seen if each is None else each & seen
    return Contribution(drawn.pixels, None if valid is None or valid.all() else valid, part)


class Canvas:
    """The pixels of a ground of `shape` (rows, cols), of one raster for each; `fill` is the value of the others."""

    def __init__(self, shape: tuple[int, int], fill: float = 0) -> None:
        self.shape, self.fill = shape, fill
        self.pixels: Pixels | None = None
        self.valid: Valid = np.zeros((1, *shape), bool)

    @property
    def full(self) -> bool:
        """Return whether nothing that is added would change anything."""
        return False

    @property
    def lacking(self) -> Valid:
        """Return which pixels of the ground lack a value in some band, (rows, cols)."""
        return np.asarray(~self.valid.all(axis=0))

    @property
    def missing(self) -> Part | None:
        """Return the part of the ground that something added might change, or None: all of it."""
        return None

    def add(self, more: Contribution) -> Valid:
        """Return which valid pixels of the part were taken from what is added, (1 or bands, rows, cols)."""
        if self.pixels is None:
            self.pixels = np.full((len(more.pixels), *self.shape), self.fill, more.pixels.dtype)
        elif self.pixels.dtype != more.pixels.dtype:
            self.pixels = self.pixels.astype(np.result_type(self.pixels, more.pixels))
        self._widen(more)
        pixels, valid = self.pixels[more.place], self.valid[more.place]
        taken: Valid = self.taken(more, pixels, valid)
        np.copyto(pixels, more.pixels, where=taken, casting="unsafe")
        if more.valid is not None:
            taken = taken & more.valid
        np.logical_or(valid, taken, out=valid)
        return taken

    def taken(self, more: Contribution, _: Pixels, valid: Valid) -> Valid:
        """Return which pixels are taken from what is added, valid or not, where `valid` are there already."""
        return ~valid if more.valid is None else more.valid & ~valid

    def drawn(self) -> Drawn | None:
        """Return all pixels, or None where nothing was added."""
        return None if self.pixels is None else _drawn(self.pixels, self.valid)

    def _widen(self, more: Contribution) -> None:
        """Keep for each band what is valid, where what is added does."""
        if more.valid is not None and len(more.valid) > len(self.valid):
            self.valid = np.repeat(self.valid, len(more.valid), axis=0)


class First(Canvas):
    """The first valid value."""

    @property
    def full(self) -> bool:
        """Return whether every pixel has a value in every band."""
        return self.pixels is not None and bool(self.valid.all())

    @property
    def missing(self) -> Part | None:
        """Return the part in which the pixels lie that have no value yet."""
        lacking = self.lacking
        rows, columns = np.flatnonzero(lacking.any(axis=1)), np.flatnonzero(lacking.any(axis=0))
        if not rows.size:
            return Part(0, 0, 0, 0)
        return Part(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)

    def add(self, more: Contribution) -> Valid:
        """Return which pixels were taken; what covers all of an empty ground is kept as it is."""
        if self.pixels is not None or more.valid is not None or more.pixels.shape[1:] != self.shape:
            return super().add(more)
        self.pixels = more.pixels
        self.valid = np.ones((1, *self.shape), bool)
        return self.valid


class Compared(Canvas):
    """The value, or all bands of the raster, that is beyond the others; `beyond` compares new with old."""

    def __init__(self, shape: tuple[int, int], fill: float, beyond: Callable[..., Any], *, by_last: bool) -> None:
        super().__init__(shape, fill)
        self._beyond, self._by_last = beyond, by_last

    def taken(self, more: Contribution, pixels: Pixels, valid: Valid) -> Valid:
        """Return where a value is beyond that which is there, or none is there; of the last band for all of them."""
        chosen = slice(-1, None) if self._by_last else slice(None)
        wanted = self._beyond(more.pixels[chosen], pixels[chosen])
        if more.valid is not None:
            wanted = wanted & more.valid
        # As in rio-tiler what is not valid takes the place of what is not either, and is compared with what follows.
        found: Valid = wanted | ~valid
        return found

    def _widen(self, more: Contribution) -> None:
        if not self._by_last and len(self.valid) < len(more.pixels):
            self.valid = np.repeat(self.valid, len(more.pixels), axis=0)
        super()._widen(more)

    def drawn(self) -> Drawn | None:
        """Return all pixels, without the band that decides."""
        found = super().drawn()
        if found is None or not self._by_last:
            return found
        return Drawn(found.pixels[:-1], found.mask, None if found.lacking is None else found.lacking[:-1])


class Summed(Canvas):
    """The mean of all values, or their standard deviation, worked out as they come (Welford 1962)."""

    def __init__(self, shape: tuple[int, int], *, spread: bool) -> None:
        super().__init__(shape)
        self._spread = spread
        self._squares: Pixels = np.zeros(0)
        self._means: Pixels = np.zeros(0)
        self._counts: Pixels = np.zeros(0)
        self._dtype: np.dtype[Any] = np.dtype(np.uint8)

    def add(self, more: Contribution) -> Valid:
        """Return where there was a value."""
        bands = len(more.pixels)
        if self.pixels is None:
            self._dtype = more.pixels.dtype
            self.pixels = self._means = np.zeros((bands, *self.shape))
            self._squares = np.zeros_like(self._means if self._spread else np.zeros(0))
            self._counts = np.zeros((bands, *self.shape), np.uint16)
        self._dtype = np.result_type(self._dtype, more.pixels.dtype)
        known = np.broadcast_to(more.known, more.pixels.shape)
        means, counts = self._means[more.place], self._counts[more.place]
        counts += known
        if not self._spread:
            np.add(means, more.pixels, out=means, where=known, casting="unsafe")  # Sums of whole numbers are exact.
            return known
        off = np.where(known, more.pixels - means, 0.0)
        means += off / np.maximum(counts, 1)
        self._squares[more.place] += off * np.where(known, more.pixels - means, 0.0)
        return known

    def drawn(self) -> Drawn | None:
        """Return the means in the type of the values, or the standard deviations as floating-point numbers."""
        if self.pixels is None:
            return None
        counts = np.maximum(self._counts, 1)
        if self._spread:
            exact = self._dtype if self._dtype.kind == "f" else np.dtype(np.float64)
            return _drawn(np.sqrt(self._squares / counts).astype(exact), self._counts > 0)
        return _drawn((self._means / counts).astype(self._dtype), self._counts > 0)


class Counted(Canvas):
    """How many rasters have a value, one band; where none has one, that is 0 and as valid."""

    def add(self, more: Contribution) -> Valid:
        """Return where there was a value."""
        if self.pixels is None:
            self.pixels = np.zeros((1, *self.shape), np.uint16)
        known = more.known[:1]
        self.pixels[more.place] += known
        return known

    def drawn(self) -> Drawn | None:
        """Return the numbers, as bytes where these hold them."""
        if self.pixels is None:
            return None
        return Drawn(self.pixels.astype(np.uint8 if self.pixels.max() <= MOST_COUNTED_IN_BYTES else np.uint16), None)


class Stacked(Canvas):
    """The median of all values, which are kept until the last one is there."""

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__(shape)
        self._stack: list[Contribution] = []
        self._bytes = 0

    def add(self, more: Contribution) -> Valid:
        """Return where there was a value; raises BadParameter for more than are held at once."""
        self._bytes += more.pixels.nbytes + (0 if more.valid is None else more.valid.nbytes)
        if self._bytes > MAX_STACK_BYTES:
            raise BadParameter(
                "pixel_selection, limit_assets: the median of so many files takes more memory than a picture has."
            )
        self._stack.append(more)
        return more.known

    def drawn(self) -> Drawn | None:
        """Return the medians in the type of the values, cut off as rio-tiler does it."""
        if not self._stack:
            return None
        dtype = np.result_type(*(more.pixels.dtype for more in self._stack))
        bands = len(self._stack[0].pixels)
        pixels, valid = np.zeros((bands, *self.shape), dtype), np.zeros((bands, *self.shape), bool)
        for top in range(0, self.shape[0], STRIP_ROWS):
            rows = slice(top, min(top + STRIP_ROWS, self.shape[0]))
            found, counts = self._medians(rows, bands)
            pixels[:, rows], valid[:, rows] = found.astype(dtype), counts > 0
        return _drawn(pixels, valid)

    def _medians(self, rows: slice, bands: int) -> tuple[Pixels, Pixels]:
        """Return the medians of some rows, and of how many values they are; 0 where there is none."""
        here = [more for more in self._stack if more.at.top < rows.stop and more.at.bottom > rows.start]
        # What is no number comes last.
        values = np.full((max(1, len(here)), bands, rows.stop - rows.start, self.shape[1]), np.nan)
        for plane, more in zip(values, here, strict=False):
            top, bottom = max(more.at.top, rows.start), min(more.at.bottom, rows.stop)
            inside = slice(top - more.at.top, bottom - more.at.top)
            into = plane[:, top - rows.start : bottom - rows.start, more.at.left : more.at.right]
            np.copyto(into, more.pixels[:, inside], where=more.known[:, inside], casting="unsafe")
        values.sort(axis=0)
        counts = np.count_nonzero(~np.isnan(values), axis=0)
        low, high = (np.take_along_axis(values, np.maximum(counts - less, 0)[None] // 2, 0)[0] for less in (1, 0))
        return np.where(counts > 0, (low + high) / 2, 0.0), counts


def canvas_of(selection: PixelSelection, shape: tuple[int, int], fill: float) -> Canvas:
    """Return an empty canvas for the pixels of a selection."""
    return CANVASES[selection](shape, fill)


CANVASES: Mapping[PixelSelection, Callable[[tuple[int, int], float], Canvas]] = {
    PixelSelection.FIRST: First,
    PixelSelection.HIGHEST: lambda shape, fill: Compared(shape, fill, np.greater, by_last=False),
    PixelSelection.LOWEST: lambda shape, fill: Compared(shape, fill, np.less, by_last=False),
    PixelSelection.MEAN: lambda shape, _: Summed(shape, spread=False),
    PixelSelection.MEDIAN: lambda shape, _: Stacked(shape),
    PixelSelection.STDEV: lambda shape, _: Summed(shape, spread=True),
    PixelSelection.LASTBANDLOW: lambda shape, fill: Compared(shape, fill, np.less, by_last=True),
    PixelSelection.LASTBANDHIGH: lambda shape, fill: Compared(shape, fill, np.greater, by_last=True),
    PixelSelection.COUNT: lambda shape, _: Counted(shape),
}


def _drawn(pixels: Pixels, valid: Valid) -> Drawn:
    """Return pixels with what is valid as a mask, and what single bands lack beside it."""
    if valid.all():
        return Drawn(pixels, None)
    some = valid.any(axis=0)
    mask = np.where(some, OPAQUE, 0).astype(np.uint8)
    alike = len(valid) == 1 or bool((valid == some).all())
    return Drawn(pixels, None if some.all() else mask, None if alike else ~valid)
