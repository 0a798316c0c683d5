"""How a raster lies on the ground of the tiles: its extent, its resolution, the level to read, the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import calculate_default_transform

from gateway.ground.extent import extent, net
from gateway.ground.georeference import Georeference
from gateway.ground.grid import Frame
from gateway.ground.mapping import Part, ToSource
from gateway.ground.systems import Bounds, Floats, Transform, circle, transform_of

# For nearest neighbour GDAL takes an overview that is by so much too coarse (GDALBandGetBestOverviewLevel2).
NEAREST_SLACK, ANY_SLACK, EPSILON = 1.2, 1.0, 0.1
# Web Mercator ends there; GDAL's estimate of a resolution goes wrong with what lies beyond.
MERCATOR_LATITUDE = 85.06
# Metres: of a raster that nobody can size, the full image is read.
WORLD = 4e7
# Of pixels of a picture, round an extent that is exact.
MARGIN = 1e-3
# Pixels along one side of a raster that are measured; and how far beyond them GDAL's estimate is taken for true.
SPREAD, OFF = 9, 1.5


class Leveled(Protocol):
    """A raster as far as placing asks: how it is placed, and (width, height) of the full image and its overviews."""

    @property
    def placed(self) -> Georeference:
        """Return how it is placed; raises NoPlace."""

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height of the full image."""

    @property
    def levels(self) -> tuple[tuple[int, int], ...]:
        """Return (width, height) of the full image and its overviews, from fine to coarse."""


@dataclass(frozen=True)
class Placing:
    """A raster on the ground of one CRS of tiles.

    `same` tells that it lies in that CRS, and on the turn of its tiles, which ends at `half` either way. `extent` are
    bounds there that hold all of it, or None where they cannot be told; `pixel` is the width and height that its full
    image has there. `to_crs` takes x and y of the tiles' CRS to the raster's.
    """

    same: bool
    extent: Bounds | None
    pixel: tuple[float, float]
    to_crs: Transform
    half: float = math.inf

    @property
    def size(self) -> tuple[int, int] | None:
        """Return width and height in such pixels, or None where the extent cannot be told."""
        if self.extent is None:
            return None
        west, south, east, north = self.extent
        return max(1, round((east - west) / self.pixel[0])), max(1, round((north - south) / self.pixel[1]))

    @property
    def in_crs(self) -> bool:
        """Return whether the raster lies in the CRS of the tiles, on whichever turn, and is not warped."""
        return self.to_crs is _same

    def straight(self, frame: Frame) -> bool:
        """Return whether the pixels of a tile are those of the raster but for a scale and an offset."""
        return self.same and not self._beyond(frame)

    def factors(self, frame: Frame) -> tuple[float, float]:
        """Return how many pixels of the full image make one of the tile, across and down."""
        width, height = frame.pixel
        return width / self.pixel[0], height / self.pixel[1]

    def part(self, frame: Frame) -> Part | None:
        """Return the pixels of a tile that the raster may cover, or None when it covers none."""
        rows, columns = frame.shape
        if self.extent is None or self._beyond(frame):
            return Part(0, 0, columns, rows)
        width, height = frame.pixel
        west, south, east, north = self.extent
        left, right = ((side - frame.left) / width for side in (west, east))
        top, bottom = ((frame.top - side) / height for side in (north, south))
        low_x, low_y = (max(math.floor(side - MARGIN), 0) for side in (left, top))
        high_x, high_y = (
            min(math.ceil(side + MARGIN), length) for side, length in ((right, columns), (bottom, rows))
        )
        return Part(low_x, low_y, high_x, high_y) if low_x < high_x and low_y < high_y else None

    def _beyond(self, frame: Frame) -> bool:
        """Return whether ground comes round again in a picture."""
        slack = 1e-9 * self.half if math.isfinite(self.half) else 0.0
        return frame.left < -self.half - slack or frame.right > self.half + slack


def placing_of(view: Leveled, crs: str) -> Placing:
    """Return how a raster lies in a CRS (WKT) of tiles; raises NoPlace for one that no way leads to."""
    place, axis = view.placed, circle(crs)
    half = axis.half if axis else math.inf
    with rasterio.Env():
        source, target = CRS.from_wkt(place.crs), CRS.from_wkt(crs)
        if source == target:
            found = None if place.turned else place.bounds
            return Placing(not place.turned, found, place.pixel, _same, half)
        found = None if place.turned else extent(transform_of(place.crs, crs), place.bounds)
        return Placing(False, found, _resolution(view, place, source, target), transform_of(crs, place.crs), half)


def _same(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    return x, y


def best_level(view: Leveled, factors: tuple[float, float], *, nearest: bool) -> int:
    """Return the level that GDAL reads when so many pixels of the full image make one."""
    wanted = min(factors)
    slack = NEAREST_SLACK if nearest else ANY_SLACK
    best, best_factor = 0, 1.0
    for level, (width, height) in enumerate(view.levels):
        factor = min(view.size[0] / width, view.size[1] / height)
        if best_factor < factor < wanted * slack + EPSILON and wanted > 1:
            best, best_factor = level, factor
    return best


def to_source(view: Leveled, placing: Placing, frame: Frame, level: int) -> ToSource:
    """Return the transform from pixels of a tile to pixels of one level."""
    width, height = frame.pixel
    across, down = (view.levels[level][side] / view.size[side] for side in (0, 1))
    # Where the whole picture lies on the raster's turn, its sides are not brought to another one: 180 is not -180.
    pixels = view.placed.own_pixels if placing.straight(frame) else view.placed.pixels

    def transform(columns: Floats, rows: Floats) -> tuple[Floats, Floats]:
        x, y = pixels(*placing.to_crs(frame.left + columns * width, frame.top - rows * height))
        return x * across, y * down

    return transform


def _resolution(view: Leveled, place: Georeference, source: CRS, target: CRS) -> tuple[float, float]:
    """Return the pixel size that GDAL would give the raster in another CRS, else the median of its pixels there."""
    (width, height), (west, south, east, north) = view.size, place.bounds
    if source.to_epsg() == 4326 and target.to_epsg() == 3857:
        rows = height / (north - south)
        south, north = max(south, -MERCATOR_LATITUDE), min(north, MERCATOR_LATITUDE)
        height = max(1, round(rows * (north - south)))
    each = _pixels(place, target)
    try:
        found, _, _ = calculate_default_transform(source, target, width, height, west, south, east, north)
    except (RasterioError, CPLE_BaseError, CRSError):
        found = None
    sizes = [side for side in each if side.size]
    if found is not None and all(_plausible(abs(side), sizes) for side in (found.a, found.e)):
        return abs(found.a), abs(found.e)
    across, down = (float(np.median(side)) if side.size else WORLD for side in each)
    return across, down


def _plausible(side: float, sizes: list[Floats]) -> bool:
    """Return whether some pixel of a raster is about so large; GDAL's estimate over a seam of the map is not."""
    if not sizes:
        return True
    least, most = min(each.min() for each in sizes), max(each.max() for each in sizes)
    return bool(least / OFF <= side <= most * OFF)


def _pixels(place: Georeference, target: CRS) -> tuple[Floats, Floats]:
    """Return the widths and the heights that pixels all over the raster have in another CRS, where they have any."""
    axis, way = circle(target.to_wkt()), transform_of(place.crs, target.to_wkt())
    columns, rows = net((0.5, 0.5, max(place.size[0] - 1.5, 0.5), max(place.size[1] - 1.5, 0.5)), SPREAD)
    x, y = way(*place.at(columns, rows))
    found = []
    for right, lower in ((1, 0), (0, 1)):
        beside_x, beside_y = way(*place.at(columns + right, rows + lower))
        with np.errstate(invalid="ignore"):
            step = beside_x - x
            side = np.hypot(step if axis is None else step - axis.turn * np.round(step / axis.turn), beside_y - y)
        found.append(side[np.isfinite(side) & (side > 0)])
    return found[0], found[1]
