"""Pictures of much more ground than a raster covers: only the part where data are is read.

GDAL would lay its warped raster over the whole ground in the file's own resolution, and work through all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.warp import transform_bounds
from rio_tiler.models import ImageData

from gateway.cog.raster import GDAL_ERRORS

Bounds = tuple[float, float, float, float]
# A side of the warped raster from which on the ground is cut: below it GDAL is quick, and rio-tiler is left alone.
LARGE_PIXELS = 8192


@dataclass(frozen=True, slots=True)
class Canvas:
    """A picture's ground: bounds (west, south, east, north) in `crs`, and its size in pixels."""

    bounds: Bounds
    crs: CRS
    width: int
    height: int

    @property
    def pixel(self) -> tuple[float, float]:
        """Return width and height of a pixel in units of the CRS."""
        west, south, east, north = self.bounds
        return (east - west) / self.width, (north - south) / self.height

    def cut(self, window: tuple[int, int, int, int]) -> Canvas:
        """Return the ground of first and last column, first and last row (the last ones excluded)."""
        left, right, top, bottom = window
        (wide, high), (west, _, _, north) = self.pixel, self.bounds
        bounds = west + left * wide, north - bottom * high, west + right * wide, north - top * high
        return Canvas(bounds, self.crs, right - left, bottom - top)


def covered(raster: DatasetReader, canvas: Canvas) -> tuple[int, int, int, int] | None:
    """Return the window of a canvas that has data, where all of it would be too much; None for the whole canvas.

    The window is empty (its last row and column are its first) where no data are.
    """
    try:
        west, south, east, north = transform_bounds(raster.crs, canvas.crs, *raster.bounds)
    except GDAL_ERRORS:
        return None
    wide, high = canvas.pixel
    columns, rows = (east - west) / wide, (north - south) / high
    if not (columns > 0 and rows > 0 and math.isfinite(columns) and math.isfinite(rows)):
        return None
    sides = canvas.width * raster.width / columns, canvas.height * raster.height / rows
    if max(sides) <= LARGE_PIXELS or (columns >= canvas.width and rows >= canvas.height):
        return None
    left, right = _inside((west - canvas.bounds[0]) / wide, (east - canvas.bounds[0]) / wide, canvas.width)
    top, bottom = _inside((canvas.bounds[3] - north) / high, (canvas.bounds[3] - south) / high, canvas.height)
    return left, right, top, bottom


def spread(found: ImageData | None, window: tuple[int, int, int, int], canvas: Canvas, bands: int) -> ImageData:
    """Return the picture of the whole canvas with what was found in its window; the rest is masked."""
    left, right, top, bottom = window
    data: Any = np.zeros((bands, canvas.height, canvas.width), np.uint8 if found is None else found.array.dtype)
    mask = np.ones(data.shape, bool)
    alpha = None
    if found is not None:
        data[:, top:bottom, left:right] = found.array.data
        mask[:, top:bottom, left:right] = np.ma.getmaskarray(found.array)
        if found.alpha_mask is not None:
            alpha = np.zeros(data.shape[1:], found.alpha_mask.dtype)
            alpha[top:bottom, left:right] = found.alpha_mask
    names: Any = {} if found is None else {"band_descriptions": found.band_descriptions}
    whole: Any = np.ma.MaskedArray(data, mask)
    return ImageData(whole, crs=canvas.crs, bounds=canvas.bounds, alpha_mask=alpha, **names)


def _inside(first: float, last: float, size: int) -> tuple[int, int]:
    """Return whole pixels round a stretch, within 0 and `size`."""
    return min(size, max(0, math.floor(first))), max(0, min(size, math.ceil(last)))
