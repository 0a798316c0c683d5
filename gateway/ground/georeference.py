"""How a raster is placed by its file: CRS and transform, its ground control points standing in for them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.transform import from_gcps

from gateway.errors import NoPlace
from gateway.ground.bounds import MAX_COORDINATE
from gateway.ground.systems import Bounds, Floats, circle, horizontal, wrapped

# A pixel of less than so many steps between neighbouring floats has no place of its own.
FLOAT_STEPS = 16


@dataclass(frozen=True)
class Georeference:
    """`crs` (WKT) and the transform from pixels to it, of a raster of `size` (width, height) in pixels."""

    crs: str
    transform: Affine
    size: tuple[int, int]

    @cached_property
    def bounds(self) -> Bounds:
        """Return the least and greatest x and y in the CRS; south-up and rotated rasters included."""
        width, height = self.size
        corners = [self.transform * corner for corner in ((0, 0), (width, 0), (0, height), (width, height))]
        xs, ys = zip(*corners, strict=True)
        return min(xs), min(ys), max(xs), max(ys)

    @cached_property
    def pixel(self) -> tuple[float, float]:
        """Return width and height of one pixel in units of the CRS."""
        transform = self.transform
        return math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e)

    @property
    def upright(self) -> bool:
        """Return whether rows and columns run along the axes."""
        return not (self.transform.b or self.transform.d)

    @cached_property
    def turned(self) -> bool:
        """Return whether it reaches beyond where the x axis of its CRS ends: 0..360 degrees, say."""
        found = circle(self.crs)
        slack = 1e-6 * self.pixel[0]
        return found is not None and (self.bounds[0] < -found.half - slack or self.bounds[2] > found.half + slack)

    def at(self, columns: Floats, rows: Floats) -> tuple[Floats, Floats]:
        """Return x and y in the CRS of positions in pixels."""
        found = self.transform
        return found.a * columns + found.b * rows + found.c, found.d * columns + found.e * rows + found.f

    def pixels(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return positions in pixels of x and y in the CRS, on the turn where the raster lies."""
        found = circle(self.crs)
        if found is None:
            return self.own_pixels(x, y)
        return self.own_pixels(*wrapped(lambda x, y: (x, y), found.turn, sum(self.bounds[::2]) / 2)(x, y))

    def own_pixels(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Return positions in pixels of x and y in the CRS as they are, on no other turn."""
        back = ~self.transform
        with np.errstate(invalid="ignore"):
            return back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f


def georeference(raster: DatasetReader) -> Georeference:
    """Return how an open raster is placed; raises NoPlace for one without a CRS, or with an absurd transform."""
    crs, transform = raster.crs, raster.transform
    points, of_points = raster.gcps
    if points and (transform.is_identity or not crs):
        try:
            crs, transform = of_points, from_gcps(points)
        except (RasterioError, ValueError):
            raise NoPlace from None
    if not crs or transform.is_identity:
        raise NoPlace
    return _sane(Georeference(_wkt(crs), transform, (raster.width, raster.height)))


def _wkt(crs: CRS) -> str:
    try:
        return str(crs.to_wkt())
    except RasterioError:
        raise NoPlace from None


def _sane(found: Georeference) -> Georeference:
    """Return it where its numbers are those of a place; raises NoPlace."""
    transform = found.transform
    if not horizontal(found.crs):
        raise NoPlace
    if not all(map(math.isfinite, transform[:6])) or not math.isfinite(
        1 / transform.determinant if transform.determinant else math.inf
    ):
        raise NoPlace
    furthest = max(map(abs, found.bounds))
    if not furthest <= MAX_COORDINATE or min(found.pixel) < FLOAT_STEPS * math.ulp(furthest):
        raise NoPlace
    axis = circle(found.crs)
    if axis is not None and max(abs(found.bounds[0]), abs(found.bounds[2])) > 2 * axis.turn:
        raise NoPlace
    if (
        axis is not None
        and axis.latitudes
        and (found.bounds[1] >= axis.turn / 4 or found.bounds[3] <= -axis.turn / 4)
    ):
        raise NoPlace
    return found
