"""How data of more than eight bits becomes visible without being told: from its 2nd to its 98th percentile."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.windows import Window

from gateway.cog.layout import read_layout
from gateway.cog.raster import GDAL_ERRORS, open_dataset, strict_options
from gateway.model import ByteSource, Inspection

Ranges = tuple[tuple[float, float], ...]
Size = tuple[int, int]
PERCENTILES = (2, 98)
# The longest side of what is looked at.
SAMPLE_PIXELS = 1024
# Of a level that is larger than this, having no overview, only pieces are read: so many in a row and column.
WHOLE_PIXELS = 4096
PIECES = 4


def with_stretch(source: ByteSource, found: Inspection) -> Inspection:
    """Return the inspection of a true COG on a disk with its default range of values; any other as it is.

    What lies far away is left for the first tile: the overview would be a download of its own.
    """
    if found.raster is None or source.remote or not ordered(found.raster.dtype):
        return found
    try:
        with warnings.catch_warnings(), rasterio.Env(**strict_options(source.gdal_path)):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            ranges = ranges_of([ifd.size for ifd in read_layout(source).levels], lambda level: _level(source, level))
    except GDAL_ERRORS:
        return found
    return replace(found, raster=replace(found.raster, stretch=ranges))


def ordered(dtype: str) -> bool:
    """Return whether values of a type have to be stretched: bytes need it not, and what has no order cannot be."""
    return dtype != "uint8" and not dtype.startswith("complex")


def ranges_of(levels: Sequence[Size], opened: Callable[[int], DatasetReader]) -> Ranges:
    """Return one (low, high) for each band.

    `levels` are (width, height) of the full image and its overviews, from fine to coarse; `opened` returns the
    dataset of one of them.
    """
    small = [level for level, size in enumerate(levels) if max(size) <= SAMPLE_PIXELS]
    level = small[0] if small else len(levels) - 1
    raster = opened(level)
    # One band at a time: there may be hundreds.
    return tuple(_range(_sample(raster, band, levels[level])) for band in raster.indexes)


def _sample(raster: DatasetReader, band: int, size: Size) -> npt.NDArray[Any]:
    """Return masked pixels of one band of a level: all of it, reduced, or pieces spread over it."""
    columns, rows = size
    if max(size) > WHOLE_PIXELS:
        side = SAMPLE_PIXELS // PIECES
        steps = [(index + 0.5) / PIECES for index in range(PIECES)]
        windows = [Window(int(columns * x), int(rows * y), side, side) for y in steps for x in steps]
        pieces: Any = [raster.read(band, window=window, masked=True).ravel() for window in windows]
        return _joined(pieces)
    factor = max(1.0, max(size) / SAMPLE_PIXELS)
    shape = max(1, round(rows / factor)), max(1, round(columns / factor))
    found: npt.NDArray[Any] = raster.read(band, masked=True, out_shape=shape)
    return found


def _joined(pieces: Any) -> npt.NDArray[Any]:
    parts = (np.ma.getdata, np.ma.getmaskarray)
    data, mask = (np.concatenate([part(piece) for piece in pieces]) for part in parts)
    return np.ma.MaskedArray(data, mask)


def _range(band: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the percentiles of the valid pixels of a masked band; never an empty range."""
    valid = np.ma.compressed(band)
    valid = valid[np.isfinite(valid)]
    if not len(valid):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(valid, PERCENTILES))
    return (low, high) if low < high else (low, math.nextafter(low, math.inf) + 1)


def _level(source: ByteSource, level: int) -> DatasetReader:
    return open_dataset(source, **({"overview_level": level - 1} if level else {}))
