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

from gateway.cog.raster import GDAL_ERRORS, open_dataset, strict_options
from gateway.model import ByteSource, Inspection, ordered

Ranges = tuple[tuple[float, float], ...]
Size = tuple[int, int]
PERCENTILES = (2, 98)
# The longest side of what is looked at; of many bands less, so that all of them together are so many values.
SAMPLE_PIXELS = 1024
SAMPLE_VALUES = 1 << 23
# Of a level that is larger than this, having no overview, only pieces are read: so many in a row and column.
WHOLE_PIXELS = 4096
PIECES = 4
# Blocks times bands.
MAX_READS = 1 << 14
# GDAL would keep a twentieth of the machine's memory full of blocks, each of which is needed once.
CACHE_BYTES = 16 << 20


def with_stretch(source: ByteSource, found: Inspection, levels: Sequence[Size], finest: int = 0) -> Inspection:
    """Return the inspection of a true COG with its default range of values; any other as it is.

    `levels` are as in `ranges_of`; what is finer than the level number `finest` is not looked at.
    """
    if found.raster is None or not ordered(found.raster.dtype):
        return found
    options = {**strict_options(source.gdal_path), "GDAL_CACHEMAX": CACHE_BYTES}
    try:
        with warnings.catch_warnings(), rasterio.Env(**options):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            ranges = ranges_of(levels, lambda level: _level(source, level), finest)
    except GDAL_ERRORS:
        return found
    return replace(found, raster=replace(found.raster, stretch=ranges))


def level_of(levels: Sequence[Size], bands: int, finest: int = 0) -> int:
    """Return the number of the level that is looked at, which is not finer than that of the number `finest`."""
    side = _side(bands)
    small = [level for level, size in enumerate(levels) if level >= finest and max(size) <= side]
    return small[0] if small else len(levels) - 1


def _side(bands: int) -> int:
    return min(SAMPLE_PIXELS, max(1, math.isqrt(SAMPLE_VALUES // bands)))


def ranges_of(levels: Sequence[Size], opened: Callable[[int], DatasetReader], finest: int = 0) -> Ranges:
    """Return one (low, high) for each band.

    `levels` are (width, height) of the full image and its overviews, from fine to coarse; `opened` returns the
    dataset of one of them. `finest` is as in `level_of`.
    """
    bands = opened(0).count
    side, level = _side(bands), level_of(levels, bands, finest)
    raster, longest = opened(level), max(levels[level])
    # Pieces are read as they are.
    factor = max(1.0, longest / side) if longest <= WHOLE_PIXELS else 1.0
    pieces: list[list[npt.NDArray[Any]]] = [[] for _ in raster.indexes]
    for window in _windows(raster, levels[level], side):
        shape = max(1, round(window.height / factor)), max(1, round(window.width / factor))
        # A block of pixels with hundreds of bands is decoded once, and the facts of all bands are gone through once.
        bands = raster.read(window=window, masked=True, out_shape=(raster.count, *shape))
        for band, found in zip(bands, pieces, strict=True):
            found.append(_valid(band))
    return tuple(_range(np.concatenate(found)) for found in pieces)


def _windows(raster: DatasetReader, size: Size, side: int) -> list[Window]:
    """Return windows of one block each: all blocks of a level, or the middle ones of so many parts of it."""
    (high, wide), (columns, rows) = raster.block_shapes[0], size
    if max(size) <= WHOLE_PIXELS:
        corners = [(x, y) for y in range(0, rows, high) for x in range(0, columns, wide)]
    else:
        side, parts = max(1, side // PIECES), [(index + 0.5) / PIECES for index in range(PIECES)]
        corners = [(int(columns * x) // wide * wide, int(rows * y) // high * high) for y in parts for x in parts]
        high, wide = min(high, side), min(wide, side)
    corners = sorted(set(corners))[:: math.ceil(len(corners) * raster.count / MAX_READS)]
    return [Window(x, y, min(wide, columns - x), min(high, rows - y)) for x, y in corners]


def _valid(band: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the valid pixels of a masked band, one after the other."""
    valid: npt.NDArray[Any] = np.ma.compressed(band)
    finite: npt.NDArray[Any] = valid[np.isfinite(valid)]
    return finite


def _range(valid: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the percentiles of valid pixels; never an empty range."""
    if not len(valid):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(valid, PERCENTILES))
    return (low, high) if low < high else (low, math.nextafter(low, math.inf) + 1)


def _level(source: ByteSource, level: int) -> DatasetReader:
    return open_dataset(source, **({"overview_level": level - 1} if level else {}))
