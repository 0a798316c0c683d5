#!/usr/bin/env python3
"""Tiles of whole extents: the share of valid pixels ours, rio-tiler's, and by the exact inverse transform.

    PYTHONPATH=. python scripts/compare_extents.py [--zooms 3]

One row for each raster and zoom level of Web Mercator, and for world rasters in each other tile matrix set. Shares
are of all pixels of all tiles that have data by the exact transform, or are drawn by one of both. "lost" are tiles
that have data and are drawn empty; "other" the pixels where ours differs from the exact transform, in the worst tile.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rio_tiler.errors import RioTilerError
from rio_tiler.io import Reader

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.ground.address import TileAddress
from gateway.ground.grid import Grids
from gateway.tiles.warp import Request, draw
from tests.tiles.extents import EXTENTS, extent_raster, pixels_inside
from tests.tiles.rasters import handle_of

MOST_TILES = 16
WORLDS = ("world", "world, 0..360")
GRIDS = Grids()


@dataclass
class Row:
    """Valid pixels of some tiles, and how many tiles with data are empty."""

    tiles: int = 0
    ours: int = 0
    theirs: int = 0
    exact: int = 0
    ours_lost: int = 0
    theirs_lost: int = 0
    other: int = 0

    def add(self, ours: Any, theirs: Any, exact: Any) -> None:
        """Count one tile by its masks, (rows, cols)."""
        if not (ours.any() or theirs.any() or exact.any()):
            return
        self.tiles += 1
        self.ours += int(ours.sum())
        self.theirs += int(theirs.sum())
        self.exact += int(exact.sum())
        self.ours_lost += int(exact.any() and not ours.any())
        self.theirs_lost += int(exact.any() and not theirs.any())
        self.other = max(self.other, int((ours != exact).sum()))

    def __str__(self) -> str:
        """Return the cells of the table."""
        shares = (f"{pixels / max(1, self.tiles) / 65536:.5f}" for pixels in (self.ours, self.theirs, self.exact))
        return f"{self.tiles} | {' | '.join(shares)} | {self.ours_lost} | {self.theirs_lost} | {self.other}"


def places(tms: str, zoom: int) -> Iterator[tuple[int, int]]:
    """Yield column and row of the tiles of a level, those of a corner where there are many."""
    matrix = morecantile.tms.get(tms).matrix(zoom)
    for x in range(min(matrix.matrixWidth, MOST_TILES)):
        for y in range(min(matrix.matrixHeight, MOST_TILES)):
            yield x, y


def row_of(path: Path, name: str, tms: str, zoom: int) -> Row:
    """Return what the tiles of one level have."""
    found = Row()
    with handle_of(path) as handle, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Reader(str(path), tms=morecantile.tms.get(tms)) as reader:
            for x, y in places(tms, zoom):
                frame = GRIDS.frame(TileAddress(tms, zoom, x, y))
                drawn = draw(handle, frame, Request((1,)))
                ours = np.zeros(frame.shape, bool)
                if drawn is not None:
                    ours[:] = True if drawn.mask is None else drawn.mask > 0
                found.add(ours, theirs_of(reader, x, y, zoom), pixels_inside(name, frame))
    return found


def theirs_of(reader: Any, x: int, y: int, zoom: int) -> Any:
    """Return where rio-tiler's tile is valid, (rows, cols)."""
    try:
        found: Any = reader.tile(x, y, zoom, tilesize=256).mask > 0
    except (RioTilerError, RasterioError, CPLE_BaseError, ValueError, ArithmeticError, RuntimeError):
        found = np.zeros((256, 256), bool)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zooms", type=int, default=3, help="the greatest zoom level")
    last = parser.parse_args().zooms
    print("| raster | grid | zoom | tiles | ours | rio-tiler | exact | ours lost | rio-tiler lost | other |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for index, name in enumerate(EXTENTS):
            path = extent_raster(Path(folder) / f"{index}.tif", name)
            grids = sorted(morecantile.tms.list()) if name in WORLDS else ["WebMercatorQuad"]
            for tms in grids:
                least, most = morecantile.tms.get(tms).minzoom, morecantile.tms.get(tms).maxzoom
                for zoom in range(least, min(last, most) + 1):
                    print(f"| {name} | {tms} | {zoom} | {row_of(path, name, tms, zoom)} |", flush=True)


if __name__ == "__main__":
    main()
