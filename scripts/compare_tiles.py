#!/usr/bin/env python3
"""Tiles drawn the fast way beside rio-tiler's: one row for each kind of raster, the pixels' differences in levels.

    PYTHONPATH=. python scripts/compare_tiles.py

The rasters are those of the tests, small and made anew. "same" is the share of pixels that are equal, mean and
maximum are over all pixels valid in both, "mask" is the share of pixels valid in one alone. Where a nearest pixel
differs its neighbour was taken: our transform is within an eighth of a source pixel, as is GDAL's. These are windows
amid their rasters; `compare_extents.py` looks at whole extents.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
from affine import Affine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.tiles.rasters import MERCATOR, landscape, mercator_tile, utm, write
from tests.tiles.test_warp import CRSS, Compared, compared, tile_over

Row = tuple[str, Callable[[Path], Path], Any, dict[str, Any]]
TURNED = utm() * Affine.rotation(20)
SOUTH_UP = Affine(30, 0, 500_000, 0, 30, 5_290_000)
EDGE = morecantile.Tile(0, 31, 6)


def holes(dtype: str, nodata: float) -> Any:
    """Return pixels of one band, (1, rows, cols), with a rectangle of a nodata value in them."""
    pixels = landscape(1, 500, 600, dtype)
    pixels[:, 150:250, 200:330] = nodata
    return pixels


def seen(rows: int, cols: int) -> Any:
    """Return a mask, (rows, cols), of 255 with a rectangle of 0 in it."""
    mask = np.full((rows, cols), 255, np.uint8)
    mask[100:180, 120:260] = 0
    return mask


def alpha() -> Any:
    """Return RGB and alpha, (4, rows, cols)."""
    return np.concatenate([landscape(3, 300, 400), seen(300, 400)[None]])


def rows() -> list[Row]:
    """Return name, how the raster is written, the tile or the zoom level, and further options of each row."""
    rgb = landscape(3, 700, 900)
    plain: dict[str, tuple[str, Affine, int]] = {
        **CRSS,
        "Web Mercator on the grid": (MERCATOR, mercator_tile(12, 2200, 1420, 12), 12),
        "south up": ("EPSG:32633", SOUTH_UP, 12),
        "rotated": ("EPSG:32633", TURNED, 12),
    }
    found: list[Row] = []
    for name, (crs, transform, zoom) in plain.items():
        made = _writer(rgb, transform, crs)
        found.append((f"{name}, nearest", made, zoom, {}))
        found.append((f"{name}, bilinear", made, zoom + 1, {"kernel": "bilinear"}))
    dtypes = ("uint8", "uint16", "int16", "float32", "float64")
    found += [(f"{dtype}, nodata", _writer(holes(dtype, 0), utm(), nodata=0), 12, {}) for dtype in dtypes]
    found.append(("float32, NaN", _writer(holes("float32", np.nan), utm(), nodata=np.nan), 12, {}))
    found.append(("mask", _writer(landscape(3, 300, 400), utm(), mask=seen(300, 400)), 12, {}))
    found.append(("alpha", _writer(alpha(), utm(), alpha=True), 12, {}))
    found.append(("overview", _writer(rgb, utm()), 10, {}))
    found.append(("edge of the raster", _writer(landscape(3, 200, 300), utm()), 10, {}))
    east = _writer(landscape(3, 600, 900), utm(300_000, 1_000_000, 1000), "EPSG:32660")
    found += [("antimeridian, west of it", east, morecantile.Tile(63, 31, 6), {}), ("east of it", east, EDGE, {})]
    found.append(("512 px", _writer(rgb, utm()), 12, {"size": 512}))
    return found


def _writer(pixels: Any, transform: Affine, crs: str = "EPSG:32633", **options: Any) -> Callable[[Path], Path]:
    return lambda path: write(path, pixels, transform, crs, **options)


def main() -> None:
    """Print the table."""
    print("| raster | same | mean | maximum | range of values | mask |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for index, (name, made, place, options) in enumerate(rows()):
            path = made(Path(folder) / f"{index}.tif")
            tile = tile_over(path, place) if isinstance(place, int) else place
            print_row(name, compared(path, tile, **options))


def print_row(name: str, found: Compared) -> None:
    """Print one row."""
    cells = f"{found.same:.2%} | {found.mean:.3g} | {found.largest:.4g} | {found.span:.5g} | {found.mask:.3%}"
    print(f"| {name} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
