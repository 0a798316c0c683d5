"""The rasters that tiles are measured on, made the same each time, and the addresses of tiles that lie in them.

a = Web Mercator, JPEG, blocks of 256 px that are tiles; b = the same as WebP; c = RGB in UTM, DEFLATE, blocks of
512 px; d = uint16 elevation in UTM, ZSTD.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.shutil import copy
from rasterio.transform import Affine
from rasterio.windows import Window

HALF = 20_037_508.342789244
ZOOM, TILE, PATCH = 14, 256, 2048
# So many patches across and down are different.
PATCHES = 3
# The upper left corner: 15 E, 48 N, on the grid of zoom 8, so that several overviews lie on the grid too.
COLUMN, ROW = 138 << (ZOOM - 8), 88 << (ZOOM - 8)
UTM = "EPSG:32633"
# About what a pixel of a tile is on the ground there.
METRES = 6.0
VIEWPORT = (5, 4)
Place = tuple[int, int, int]
Field = Callable[[int, int], NDArray[Any]]


def make_rasters(folder: Path, side: int) -> dict[str, Path]:
    """Return the files by their letters, made where they are missing; each is `side` pixels wide and high."""
    step = 2 * HALF / 2**ZOOM
    mercator = Affine(step / TILE, 0, -HALF + COLUMN * step, 0, -step / TILE, HALF - ROW * step)
    west, north = Transformer.from_crs(3857, UTM, always_xy=True).transform(mercator.c, mercator.f)
    utm = Affine(METRES, 0, round(west), 0, -METRES, round(north))
    aligned = {"blocksize": TILE, "overview_resampling": "average", "num_threads": 2}
    kinds: dict[str, tuple[Affine, int, Field, dict[str, Any]]] = {
        "a": (mercator, 3857, imagery, {"compress": "JPEG", "quality": 85, **aligned}),
        "b": (mercator, 3857, imagery, {"compress": "WEBP", "quality": 75, **aligned}),
        "c": (utm, 32633, imagery, {"compress": "DEFLATE", "predictor": "YES", **aligned, "blocksize": 512}),
        "d": (utm, 32633, elevation, {"compress": "ZSTD", "predictor": "YES", **aligned, "blocksize": 512}),
    }
    for letter, (transform, epsg, field, options) in kinds.items():
        if not (path := folder / f"{letter}.tif").exists():
            _write(path, side, transform, epsg, field, options)
    return {letter: folder / f"{letter}.tif" for letter in kinds}


def _write(path: Path, side: int, transform: Affine, epsg: int, field: Field, options: dict[str, Any]) -> None:
    first, plain = field(0, 0), path.with_suffix(".plain")
    profile = {
        "driver": "GTiff", "count": len(first), "height": side, "width": side, "dtype": first.dtype, "tiled": True,
        "transform": transform, "crs": CRS.from_epsg(epsg),
    }  # fmt: skip
    with rasterio.open(plain, "w", **profile) as raster:
        if len(first) == 3:
            raster.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        for row in range(0, side, PATCH):
            for column in range(0, side, PATCH):
                width, height = min(PATCH, side - column), min(PATCH, side - row)
                pixels = field(column // PATCH % PATCHES, row // PATCH % PATCHES)[:, :height, :width]
                raster.write(pixels, window=Window(column, row, width, height))
    copy(plain, path, driver="COG", **options)
    plain.unlink()


@lru_cache(maxsize=PATCHES**2)
def imagery(column: int, row: int) -> NDArray[np.uint8]:
    """Return a patch of something like land from above, (3, rows, cols): slopes, fields with edges, grain."""
    seed = 1000 * row + column
    shade, fields, tint = (_fractal(seed + kind, power) for kind, power in ((1, 1.9), (2, 2.6), (3, 2.2)))
    plots = np.floor(3 * fields) * 22
    grain = np.random.default_rng(seed).normal(0, 3, shade.shape)
    bands = [base + 26 * shade + plots * part + 14 * tint * turn + grain for base, part, turn in
             ((112, 0.8, 1.0), (118, 1.0, -0.4), (88, 0.6, -1.0))]  # fmt: skip
    return np.clip(np.stack(bands), 1, 255).astype(np.uint8)


@lru_cache(maxsize=PATCHES**2)
def elevation(column: int, row: int) -> NDArray[np.uint16]:
    """Return a patch of heights in metres, (1, rows, cols)."""
    heights = 1200 + 420 * _fractal(9 + 1000 * row + column, 3.4)
    return np.clip(heights, 0, 3000).astype(np.uint16)[None]


def _fractal(seed: int, power: float) -> NDArray[np.float64]:
    """Return noise whose power falls with the frequency to `power`, mean 0 and deviation 1, PATCH pixels a side."""
    white = np.fft.rfft2(np.random.default_rng(seed).normal(size=(PATCH, PATCH)))
    frequency = np.hypot(np.fft.fftfreq(PATCH)[:, None], np.fft.rfftfreq(PATCH)[None])
    frequency[0, 0] = math.inf
    noise = np.fft.irfft2(white * frequency ** (-power / 2), (PATCH, PATCH))
    return (noise - noise.mean()) / noise.std()


def aligned_tiles(side: int) -> list[Place]:
    """Return z, x, y of all tiles that are blocks of a and b at their own resolution."""
    count = side // TILE
    return [(ZOOM, COLUMN + x, ROW + y) for y in range(count) for x in range(count)]


def warped_tiles(path: Path) -> list[Place]:
    """Return z, x, y of all tiles that lie in a raster in UTM as a whole."""
    with rasterio.open(path) as raster:
        bounds = raster.bounds
    back = Transformer.from_crs(UTM, 3857, always_xy=True)
    west, north = max(_lines(back, bounds.left, bounds)[0]), min(_lines(back, bounds.top, bounds, flat=True)[1])
    east, south = min(_lines(back, bounds.right, bounds)[0]), max(_lines(back, bounds.bottom, bounds, flat=True)[1])
    step = 2 * HALF / 2**ZOOM
    columns = range(math.ceil((west + HALF) / step), math.floor((east + HALF) / step))
    rows = range(math.ceil((HALF - north) / step), math.floor((HALF - south) / step))
    return [(ZOOM, x, y) for y in rows for x in columns]


def _lines(back: Transformer, at: float, bounds: Any, *, flat: bool = False) -> Any:
    """Return x and y in Web Mercator along one side of the bounds."""
    low, high = (bounds.left, bounds.right) if flat else (bounds.bottom, bounds.top)
    along, fixed = np.linspace(low, high, 21), np.full(21, at)
    return back.transform(along, fixed) if flat else back.transform(fixed, along)


def shuffled(places: list[Place]) -> list[Place]:
    """Return the tiles in an order that has none, the same each time."""
    return random.Random(7).sample(places, len(places))  # noqa: S311 - the same each time


def as_viewports(places: list[Place]) -> list[Place]:
    """Return the tiles as maps ask for them: some neighbours at a time, one place after the other anywhere."""
    groups: dict[tuple[int, int], list[Place]] = {}
    for z, x, y in places:
        groups.setdefault((x // VIEWPORT[0], y // VIEWPORT[1]), []).append((z, x, y))
    chosen = random.Random(7).sample(list(groups.values()), len(groups))  # noqa: S311 - the same each time
    return list(_joined(chosen))


def _joined(groups: list[list[Place]]) -> Iterator[Place]:
    for group in groups:
        yield from group
