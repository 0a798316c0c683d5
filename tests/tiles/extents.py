"""Rasters of whole extents in odd places, and which pixels of a tile lie in them by the exact inverse transform."""

from functools import lru_cache

import numpy as np
from affine import Affine
from pyproj import CRS, Transformer

from tests.tiles.rasters import HALF, landscape, write

GEOSTATIONARY = "+proj=geos +h=35786023 +lon_0=-75 +sweep=x +ellps=GRS80 +units=m"
SINUSOIDAL = "+proj=sinu +R=6371007.181 +units=m"
# CRS, transform, width and height.
EXTENTS = {
    "LAEA Europe": ("EPSG:3035", Affine(10_000, 0, 2_500_000, 0, -10_000, 5_500_000), (500, 400)),
    "Albers CONUS": ("EPSG:5070", Affine(10_000, 0, -2_493_045, 0, -10_000, 3_310_005), (480, 313)),
    "geostationary sector": (GEOSTATIONARY, Affine(10_000, 0, -3_627_271, 0, -10_000, 4_589_199), (500, 300)),
    "geostationary disk": (GEOSTATIONARY, Affine(20_000, 0, -5_434_895, 0, -20_000, 5_434_895), (543, 543)),
    "sinusoidal tile": (SINUSOIDAL, Affine(4_000, 0, 1_111_950, 0, -4_000, 5_559_752), (278, 278)),
    "polar": ("EPSG:3413", Affine(15_000, 0, -4_000_000, 0, -15_000, 4_000_000), (533, 533)),
    "Antarctica": ("EPSG:3031", Affine(12_000, 0, -3_000_000, 0, -12_000, 3_000_000), (500, 500)),
    "world": ("EPSG:4326", Affine(0.5, 0, -180, 0, -0.5, 90), (720, 360)),
    "world, 0..360": ("EPSG:4326", Affine(0.5, 0, 0, 0, -0.5, 90), (720, 360)),
    "-190..-170": ("EPSG:4326", Affine(0.04, 0, -190, 0, -0.04, 55), (500, 300)),
    "172..186": ("EPSG:4326", Affine(0.03, 0, 172, 0, -0.03, 50), (466, 300)),
    "UTM over the antimeridian": ("EPSG:32601", Affine(1000, 0, 100_000, 0, -1000, 7_000_000), (500, 400)),
    "New Zealand over the antimeridian": ("EPSG:2193", Affine(4000, 0, 1_000_000, 0, -4000, 6_300_000), (375, 400)),
    "south up": ("EPSG:4326", Affine(0.5, 0, -180, 0, 0.5, -90), (720, 360)),
    "rotated": ("EPSG:32633", Affine(1000, 0, 300_000, 0, -1000, 5_600_000) * Affine.rotation(20), (400, 300)),
    "Web Mercator, all round": ("EPSG:3857", Affine(2 * HALF / 700, 0, -HALF, 0, -2 * HALF / 700, HALF), (700, 700)),
    "Web Mercator beyond 180": ("EPSG:3857", Affine(10_000, 0, 19_000_000, 0, -10_000, 6_000_000), (300, 300)),
}


def extent_raster(path, name):
    """Write one of them as bytes without nodata, all pixels valid; returns the path."""
    crs, transform, (width, height) = EXTENTS[name]
    return write(path, landscape(1, height, width), transform, crs)


def pixels_inside(name, frame):
    """Return where the centres of a tile's pixels lie in a raster, (rows, cols)."""
    (width, height), inside = EXTENTS[name][2], np.zeros(frame.shape, bool)
    with np.errstate(invalid="ignore"):
        for column, row in places_of(name, frame):
            inside |= (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return inside


def places_of(name, frame):
    """Yield column and row, (rows, cols), in which the centres of a tile's pixels lie, for each turn of the globe."""
    crs, transform, _ = EXTENTS[name]
    _, turn = from_grid(frame.crs, crs)
    found_x, found_y = on_ground(frame, crs)
    for turns in (-1, 0, 1) if turn else (0,):
        yield ~transform * (found_x + turns * turn, found_y)


@lru_cache(maxsize=4)
def on_ground(frame, crs):
    """Return x and y in a CRS, (rows, cols), of the centres of a tile's pixels."""
    rows, columns = frame.shape
    x = frame.left + (np.arange(columns) + 0.5) * frame.pixel[0]
    y = frame.top - (np.arange(rows) + 0.5) * frame.pixel[1]
    return from_grid(frame.crs, crs)[0].transform(*np.meshgrid(x, y))


@lru_cache(maxsize=32)
def from_grid(grid, crs):
    """Return the transformer from a grid, and how far in a CRS one turn of the globe is, 0 where it has none."""
    source = CRS.from_user_input(crs)
    turn = 360.0 if source.is_geographic else 2 * HALF if source.to_epsg() == 3857 else 0.0
    return Transformer.from_crs(grid, source, always_xy=True), turn
