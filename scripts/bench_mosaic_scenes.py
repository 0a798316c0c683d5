"""The scenes that mosaics are measured on, made the same each time, and the addresses of tiles that lie in them.

RGB in DEFLATE, blocks of 512 px, 10 m a pixel, in rows and columns round 12 E 48 N, where two zones of UTM meet: each
scene is in the zone that its neighbours are not in, and overlaps them by a tenth.
"""

from __future__ import annotations

import math
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import rasterio
from bench_tiles_rasters import HALF, PATCH, Place, imagery
from pyproj import Transformer
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from rasterio.transform import Affine

ZONES = (32632, 32633)
SIDE, METRES, OVERLAP, BLOCK = 1024, 10.0, 0.1, 512
CENTRE = 12.0, 48.0
# Tiles of this zoom are about as fine as the scenes.
NATIVE_ZOOM = 14


def make_scenes(folder: Path, across: int, processes: int = 2) -> list[Path]:
    """Return the files of `across` times `across` scenes, made where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    places = [(row, column) for row in range(across) for column in range(across)]
    paths = [folder / f"scene-{row:02}-{column:02}.tif" for row, column in places]
    missing = [(path, place, across) for path, place in zip(paths, places, strict=True) if not path.exists()]
    if missing:
        with ProcessPoolExecutor(processes) as pool:
            list(pool.map(_make, *zip(*missing, strict=True), chunksize=8))
    return paths


def _make(path: Path, place: tuple[int, int], across: int) -> None:
    row, column = place
    zone = ZONES[(row + column) % 2]
    step = SIDE * METRES * (1 - OVERLAP)
    # All of them stand in rows of one plane, which lies true at the centre.
    plane = f"+proj=laea +lon_0={CENTRE[0]} +lat_0={CENTRE[1]} +ellps=GRS80"
    middle = (column - (across - 1) / 2) * step, ((across - 1) / 2 - row) * step
    x, y = Transformer.from_crs(plane, zone, always_xy=True).transform(*middle)
    half = SIDE * METRES / 2
    transform = Affine(METRES, 0, round(x - half), 0, -METRES, round(y + half))
    chance = random.Random(row * across + column)  # noqa: S311 - the same each time
    left, top = (chance.randrange(PATCH - SIDE) for _ in range(2))
    patch = imagery(chance.randrange(3), 0)[:, top : top + SIDE, left : left + SIDE]
    pixels = np.clip(patch.astype(np.int16) + chance.randrange(-25, 25), 1, 255).astype(np.uint8)
    profile = {
        "driver": "GTiff", "count": 3, "height": SIDE, "width": SIDE, "dtype": "uint8", "transform": transform,
        "crs": CRS.from_epsg(zone),
    }  # fmt: skip
    with MemoryFile() as memory:
        with memory.open(**profile) as raster:
            raster.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
            raster.write(pixels)
        part = path.with_suffix(".part")
        options = {"compress": "DEFLATE", "predictor": "YES", "blocksize": BLOCK, "overview_resampling": "average"}
        copy(memory.name, part, driver="COG", **options)
    part.rename(path)


def tiles_over(paths: list[Path], zoom: int, *, inside: bool) -> list[Place]:
    """Return z, x, y of the tiles of a zoom that scenes lie under, the outer ones left out where `inside`."""
    west, south, east, north = _bounds(paths)
    side = 2 * HALF / 2**zoom
    low, high = (math.ceil, math.floor) if inside else (math.floor, math.ceil)
    columns = range(low((west + HALF) / side), high((east + HALF) / side))
    rows = range(low((HALF - north) / side), high((HALF - south) / side))
    return [(zoom, x, y) for y in rows for x in columns]


def whole_zoom(paths: list[Path]) -> int:
    """Return the zoom at which all scenes lie in about one tile."""
    west, south, east, north = _bounds(paths)
    return math.floor(math.log2(2 * HALF / max(east - west, north - south)))


def _bounds(paths: list[Path]) -> tuple[float, float, float, float]:
    """Return west, south, east, north in Web Mercator that hold the middles of all scenes."""
    xs, ys = [], []
    for path in paths:
        with rasterio.open(path) as raster:
            box = raster.bounds
            back = Transformer.from_crs(raster.crs, 3857, always_xy=True)
        x, y = back.transform((box.left + box.right) / 2, (box.bottom + box.top) / 2)
        xs.append(x)
        ys.append(y)
    return min(xs), min(ys), max(xs), max(ys)
