"""A raster read whole by GDAL: all bands and masks of all levels, as digests."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any

import rasterio
from rasterio.errors import NotGeoreferencedWarning

from gateway.cog.raster import GDAL_ERRORS, STRICT_OPTIONS

# Far more than the writers' files have; an edited width may make a million times as many.
MOST_VALUES = 20_000_000
# Of each level: size, data type, digest of the pixels, digest of the mask. None for a file that GDAL cannot read.
Reading = tuple[tuple[tuple[int, int], str, str, str], ...] | None


def read_whole(path: Path) -> Reading:
    """Return what GDAL reads, or None."""
    try:
        with warnings.catch_warnings(), rasterio.Env(**STRICT_OPTIONS):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path, driver="GTiff", sharing=False) as raster:
                overviews = len(raster.overviews(1))
            levels: list[dict[str, Any]] = [{}, *({"overview_level": number} for number in range(overviews))]
            return tuple(_level(path, options) for options in levels)
    except (*GDAL_ERRORS, MemoryError):
        return None


def _level(path: Path, options: dict[str, Any]) -> tuple[tuple[int, int], str, str, str]:
    with rasterio.open(path, driver="GTiff", sharing=False, **options) as raster:
        if raster.width * raster.height * raster.count > MOST_VALUES:
            return raster.shape, str(raster.dtypes), "too large", ""
        pixels, mask = raster.read(), raster.read_masks()
        digests = (hashlib.sha256(array.tobytes()).hexdigest() for array in (pixels, mask))
        return (raster.shape, str(raster.dtypes), *digests)  # type: ignore[return-value]
