#!/usr/bin/env python3
"""Pixels of layers of several files beside those of `rio_tiler.mosaic` with rio-tiler's readers, as a table.

    python scripts/compare_mosaic.py [--seed 1]

Three files of every kind lie over one tile, in another order in each row; every pixel selection is asked for. Beside
it: how much of the tile is valid on one side only, how many of the valid values are the same, how far the others are
on average. What is left where a file is warped, or interpolated beside holes, is what each single file has
(`compare_tiles.py`).
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from gateway.colour.model import PixelSelection, Style  # noqa: E402
from tests.tiles import test_layers as layers  # noqa: E402
from tests.tiles.rasters import UTM, utm, write  # noqa: E402


def main() -> None:
    """Make the files of every kind, and print a row for each selection."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="the orders in which files lie over each other")
    chance = random.Random(parser.parse_args().seed)  # noqa: S311 - the same each time
    kinds = {**layers.FILES, "two CRS": two_crs, "three types, two CRS": all_kinds}
    warnings.simplefilter("ignore")
    print("| files | selection | kernel | valid | mask | equal | off |\n|---|---|---|---:|---:|---:|---:|")
    for name, make in kinds.items():
        with tempfile.TemporaryDirectory() as folder:
            paths = make(Path(folder))
            for selection in PixelSelection:
                for kernel in ("nearest", "bilinear"):
                    chance.shuffle(paths)
                    print(f"| {name} | {selection} | {kernel} | {compared(paths, selection, kernel)} |", flush=True)


def compared(paths: list[Path], selection: PixelSelection, kernel: str) -> str:
    """Return the cells of a row."""
    style = Style(resampling=kernel, reproject=kernel)
    with layers.layer_of(paths) as layer:
        ours = layer.values(selection, style)
    how: dict[str, Any] = {"resampling_method": kernel, "reproject_method": kernel}
    if selection in (PixelSelection.MEAN, PixelSelection.MEDIAN):
        # In the type of the first file, which rio-tiler keeps, greater values of the others wrap round.
        how["pixel_selection"] = layers.METHODS[selection](enforce_data_type=False)
    theirs = layers.reference(paths, selection, **how)
    valid = [~np.ma.getmaskarray(each).all(axis=0) for each in (ours, theirs)]
    both = ~(np.ma.getmaskarray(ours) | np.ma.getmaskarray(theirs))
    here, there = ours.data[both].astype(float), theirs.data[both].astype(float)
    if np.issubdtype(ours.dtype, np.integer):
        there = np.trunc(there)
    equal = np.isclose(here, there, rtol=1e-4, atol=1e-3)
    off = np.abs(here - there)[~equal]
    cells = (valid[1].mean(), (valid[0] != valid[1]).mean(), equal.mean())
    return " | ".join([*(f"{100 * cell:.2f} %" for cell in cells), f"{off.mean():.1f}" if off.size else "0"])


def two_crs(folder: Path) -> list[Path]:
    """Return files of which one is warped."""
    warped = write(folder / "9.tif", layers.hills(9), utm(324_000, 5_346_000, 100), UTM)
    return [warped, *layers.plain(folder)[:2]]


def all_kinds(folder: Path) -> list[Path]:
    """Return files of other data types, one of them warped and with holes."""
    holes = layers.holed(layers.hills(9, 2, "uint16"), 0, 9)
    warped = write(folder / "9.tif", holes, utm(324_000, 5_346_000, 100), UTM, nodata=0)
    return [warped, *layers.mixed(folder)[::2]]


if __name__ == "__main__":
    main()
