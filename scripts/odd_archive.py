#!/usr/bin/env python3
"""Write an archive of 196 files as people have them: COGs, strips, cut and empty ones, links, sidecars, odd names.

    scripts/odd_archive.py FOLDER

`cog-gateway check FOLDER`, `ingest`, `ingest --convert` and `datasets recheck` can then be looked at.
"""

from __future__ import annotations

import argparse
import warnings
from itertools import cycle, product
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

FOLDERS = tuple(f"{year}/{place}" for year, place in product((2021, 2022, 2023), ("north", "south", "east")))
COGS, STRIPS, CUT, EMPTY = 126, 44, 9, 2
SIDE = 300
ODD = ("with blanks (1).tif", "Übersicht_漢字.tif", "-rf.tif", "it's.tif", "new\nline.tif", "[1].tif", "UPPER.TIFF")


def main() -> None:
    """Write the archive into the folder that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    names = (f"{part}/scene_{number // len(FOLDERS):03}.tif" for number, part in enumerate(cycle(FOLDERS)))
    for seed in range(COGS + STRIPS + CUT + EMPTY):
        path = folder / next(names)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if seed >= COGS + STRIPS + CUT else raster(seed, cog=not COGS <= seed < COGS + STRIPS))
        if COGS + STRIPS <= seed < COGS + STRIPS + CUT:
            path.write_bytes(path.read_bytes()[:-2000])
    for seed, name in enumerate(ODD):
        (folder / name).write_bytes(raster(1000 + seed, cog=True))
    (folder / "notes.tif").write_text("no raster")
    (folder / ".hidden.tif").write_bytes(raster(2000, cog=True))
    (folder / "gone.tif").symlink_to("nowhere.tif")
    (folder / "latest.tif").symlink_to("2023/north/scene_000.tif")
    for suffix in (".ovr", ".aux.xml"):
        Path(f"{folder / FOLDERS[0] / 'scene_000.tif'}{suffix}").write_bytes(b"<PAMDataset/>")
    (folder / "no-crs.tif").write_bytes(raster(3000, cog=True, crs=None))
    (folder / "readme.txt").write_text("An archive.\n")


def raster(seed: int, *, cog: bool, crs: str | None = "EPSG:32633") -> bytes:
    """Return a GeoTIFF of one band: a COG, or one in strips."""
    values = np.random.default_rng(seed).integers(0, 1000, (SIDE, SIDE), np.uint16)
    shape = {"width": SIDE, "height": SIDE, "count": 1, "dtype": "uint16"}
    place = {"crs": crs, "transform": from_origin(500_000, 5_000_000 + 10 * seed, 10, 10)}
    form = {"driver": "COG", "blocksize": 256} if cog else {"driver": "GTiff"}
    with MemoryFile() as memory:
        with memory.open(**form, **shape, **place) as target:
            target.write(values, 1)
        return bytes(memory.read())


if __name__ == "__main__":
    with rasterio.Env():
        main()
