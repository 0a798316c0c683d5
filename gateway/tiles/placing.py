"""How a raster lies on the ground of the tiles: its footprint, its resolution, the level to read, the way back."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import calculate_default_transform, transform_bounds

from gateway.tiles.grid import Frame
from gateway.tiles.mapping import Floats, NotApplicable, Part, ToSource
from gateway.tiles.view import View

# For nearest neighbour GDAL takes an overview that is by so much too coarse (GDALBandGetBestOverviewLevel2).
NEAREST_SLACK, ANY_SLACK, EPSILON = 1.2, 1.0, 0.1
# Web Mercator ends there; GDAL's estimate of a resolution goes wrong with what lies beyond.
MERCATOR_LATITUDE = 85.06
Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Placing:
    """A raster on the ground of one CRS of tiles.

    `same` tells that it lies in that CRS. `footprint` are its bounds there, or None where they cannot be told;
    `pixel` is the width and height that its full image has there. `to_crs` takes x and y of the tiles' CRS to the
    raster's.
    """

    same: bool
    footprint: Bounds | None
    pixel: tuple[float, float]
    to_crs: Callable[[Floats, Floats], tuple[Floats, Floats]]

    def factors(self, frame: Frame) -> tuple[float, float]:
        """Return how many pixels of the full image make one of the tile, across and down."""
        width, height = frame.pixel
        return width / self.pixel[0], height / self.pixel[1]

    def part(self, frame: Frame) -> Part | None:
        """Return the pixels of a tile that the raster may cover, or None when it covers none."""
        if self.footprint is None:
            return Part(0, 0, frame.size, frame.size)
        width, height = frame.pixel
        west, south, east, north = self.footprint
        # The footprint of a warped raster is an estimate from points along its sides.
        margin = 1e-6 if self.same else 2.0
        left, right = ((side - frame.left) / width for side in (west, east))
        top, bottom = ((frame.top - side) / height for side in (north, south))
        low_x, low_y = (max(math.floor(side - margin), 0) for side in (left, top))
        high_x, high_y = (min(math.ceil(side + margin), frame.size) for side in (right, bottom))
        return Part(low_x, low_y, high_x, high_y) if low_x < high_x and low_y < high_y else None


def placing_of(view: View, crs: str) -> Placing:
    """Return how a raster lies in a CRS (WKT) of tiles; raises NotApplicable for one that lies nowhere."""
    if not view.crs or view.placed_by_points or view.transform.is_degenerate:
        raise NotApplicable("the raster has no transform")
    bounds = _bounds(view.transform, view.size)
    with rasterio.Env():
        target = CRS.from_wkt(crs)
        if target == view.crs:
            return Placing(True, bounds, view.pixel, lambda x, y: (x, y))
        transformer = Transformer.from_crs(crs, view.crs.to_wkt(), always_xy=True)
        return Placing(
            False,
            _footprint(view.crs, target, bounds),
            _resolution(view, target, bounds),
            _with_turns(transformer, bounds) if view.crs.is_geographic else transformer.transform,
        )


def best_level(view: View, factors: tuple[float, float], *, nearest: bool) -> int:
    """Return the level that GDAL reads when so many pixels of the full image make one."""
    wanted = min(factors)
    slack = NEAREST_SLACK if nearest else ANY_SLACK
    best, best_factor = 0, 1.0
    for level, (width, height) in enumerate(view.levels):
        factor = min(view.size[0] / width, view.size[1] / height)
        if best_factor < factor < wanted * slack + EPSILON and wanted > 1:
            best, best_factor = level, factor
    return best


def to_source(view: View, placing: Placing, frame: Frame, level: int) -> ToSource:
    """Return the transform from pixels of a tile to pixels of one level."""
    width, height = frame.pixel
    back = view.inverses[level]

    def transform(columns: Floats, rows: Floats) -> tuple[Floats, Floats]:
        x, y = placing.to_crs(frame.left + columns * width, frame.top - rows * height)
        with np.errstate(invalid="ignore"):
            return back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f

    return transform


def _bounds(transform: Affine, size: tuple[int, int]) -> Bounds:
    width, height = size
    corners = [transform * corner for corner in ((0, 0), (width, 0), (0, height), (width, height))]
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _footprint(crs: CRS, target: CRS, bounds: Bounds) -> Bounds | None:
    try:
        west, south, east, north = transform_bounds(crs, target, *bounds, densify_pts=21)
    except (RasterioError, CPLE_BaseError):
        return None
    found = float(west), float(south), float(east), float(north)
    # A footprint over the antimeridian begins in the east.
    return found if all(map(math.isfinite, found)) and west < east and south < north else None


def _resolution(view: View, target: CRS, bounds: Bounds) -> tuple[float, float]:
    """Return the pixel size that GDAL would give the raster in another CRS."""
    (width, height), (west, south, east, north) = view.size, bounds
    if view.crs and view.crs.to_epsg() == 4326 and target.to_epsg() == 3857:
        rows = height / (north - south)
        south, north = max(south, -MERCATOR_LATITUDE), min(north, MERCATOR_LATITUDE)
        height = round(rows * (north - south))
        if height <= 0:
            raise NotApplicable("the raster lies beyond the grid")
    try:
        found, _, _ = calculate_default_transform(view.crs, target, width, height, west, south, east, north)
    except (RasterioError, CPLE_BaseError) as error:
        raise NotApplicable("the raster cannot be placed on the grid") from error
    return abs(found.a), abs(found.e)


def _with_turns(transformer: Transformer, bounds: Bounds) -> ToSource:
    """Return the transform to a geographic CRS, a whole tile turned round the globe to where the raster lies."""
    west, _, east, _ = bounds
    middle = (west + east) / 2

    def transform(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        longitude, latitude = transformer.transform(x, y)
        centre = longitude[longitude.shape[0] // 2, longitude.shape[1] // 2]
        if not np.isfinite(centre):
            return longitude, latitude
        longitude = longitude - 360 * round((centre - middle) / 360 * (1 - 1e-9))
        for turn in (-360, 360):
            with np.errstate(invalid="ignore"):
                other = longitude + turn
                if np.any((other > west + 1e-9) & (other < east - 1e-9)):
                    raise NotApplicable("the raster lies at both ends of the tile")
        return longitude, latitude

    return transform
