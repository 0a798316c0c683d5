#!/usr/bin/env python3
"""Tiles drawn the fast way beside rio-tiler's: one row for each kind of raster, the pixels' differences in levels.

    PYTHONPATH=. python scripts/compare_tiles.py

The rasters are those of the tests, small and made anew. "same" is the share of pixels that are equal, mean and
maximum are over all pixels valid in both, "mask" is the share of pixels valid in one alone. Where a nearest pixel
differs its neighbour was taken: our transform is within an eighth of a source pixel, as is GDAL's. "exact" is the
share of our nearest pixels that are those of the exact inverse transform, and "level" the one that is read, 0 being
the full image. These are windows amid their rasters; `compare_extents.py` looks at whole extents.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import rasterio
from affine import Affine
from pyproj import Transformer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.ground.address import TileAddress
from gateway.ground.grid import Grids
from gateway.ground.placing import best_level
from gateway.tiles.warp import Request, draw, placed
from tests.tiles.rasters import MERCATOR, handle_of, landscape, mercator_tile, utm, write
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


def exact(path: Path, tile: Any, size: int = 256) -> tuple[float, int]:
    """Return the share of our nearest pixels that the exact inverse transform leads to, and the level read."""
    frame = Grids().frame(TileAddress("WebMercatorQuad", tile.z, tile.x, tile.y, size))
    with handle_of(path) as handle:
        drawn = draw(handle, frame, Request(handle.view.bands, handle.view.nodata))
        level = best_level(handle.view, placed(handle, frame.crs).factors(frame), nearest=True)
        transform = handle.view.transforms[level]
    if drawn is None:
        return 0.0, level
    with rasterio.open(path, **({"overview_level": level - 1} if level else {})) as raster:
        pixels, crs = raster.read()[: len(drawn.pixels)], raster.crs
    at = (np.arange(size) + 0.5)[:, None] * frame.pixel
    x, y = np.meshgrid(frame.left + at[:, 0], frame.top - at[:, 1])
    columns, rows = ~transform * Transformer.from_crs(MERCATOR, crs, always_xy=True).transform(x, y)
    columns, rows = (np.floor(each).astype(int) for each in (columns, rows))
    inside = (columns >= 0) & (rows >= 0) & (columns < pixels.shape[2]) & (rows < pixels.shape[1])
    inside &= True if drawn.mask is None else drawn.mask > 0
    ours, true = drawn.pixels[:, inside], pixels[:, rows[inside], columns[inside]]
    return float((ours == true).mean()), level


def main() -> None:
    """Print the table."""
    print("| raster | same | mean | maximum | range of values | mask | exact | level |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for index, (name, made, place, options) in enumerate(rows()):
            path = made(Path(folder) / f"{index}.tif")
            tile = tile_over(path, place) if isinstance(place, int) else place
            truth = None if "kernel" in options else exact(path, tile, **options)
            print_row(name, compared(path, tile, **options), truth)


def print_row(name: str, found: Compared, truth: tuple[float, int] | None) -> None:
    """Print one row; `truth` is what `exact` returned, of nearest pixels alone."""
    cells = f"{found.same:.2%} | {found.mean:.3g} | {found.largest:.4g} | {found.span:.5g} | {found.mask:.3%}"
    last = " | " if truth is None else f"{truth[0]:.2%} | {truth[1]}"
    print(f"| {name} | {cells} | {last} |", flush=True)


if __name__ == "__main__":
    main()
