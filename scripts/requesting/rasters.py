"""Small COGs in odd places and of odd kinds, each true when it is registered; some are harmed after that."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rasterio.shutil import copy

from tests.tiles.extents import EXTENTS, extent_raster
from tests.tiles.rasters import landscape, mercator_tile, utm, write

INTEGERS = ("int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
MOON = "+proj=longlat +R=1737400 +no_defs"
LOCAL = 'LOCAL_CS["a building site",UNIT["metre",1]]'
SIDE = 300


def make(folder: Path) -> list[str]:
    """Write all rasters into a folder; returns the names of their files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        for name in EXTENTS:
            extent_raster(folder / f"{name.replace(', ', ' ').replace(' ', '_')}.tif", name)
        _types(folder)
        _validity(folder)
        _shapes(folder)
        _places(folder)
        _codings(folder)
    return sorted(path.name for path in folder.glob("*.tif"))


def harm(folder: Path) -> None:
    """Cut one file short, as it is after it was registered."""
    path = folder / "truncated.tif"
    path.write_bytes(path.read_bytes()[:-2000])


def _types(folder: Path) -> None:
    for dtype in INTEGERS:
        write(folder / f"{dtype}.tif", (landscape(1, SIDE, SIDE) >> 1).astype(dtype), utm())
    hills = landscape(2, SIDE, SIDE, "float32")
    write(folder / "complex.tif", (hills + 1j * hills[::-1]).astype("complex64"), utm())
    write(folder / "half.tif", hills, utm(), nbits=16)
    write(folder / "huge_values.tif", hills.astype("float64") * 1e300, utm())


def _validity(folder: Path) -> None:
    hills = landscape(1, SIDE, SIDE, "float32")
    hills[:, 40:90, 100:200] = np.nan
    write(folder / "nan.tif", hills, utm())
    write(folder / "nan_nodata.tif", hills, utm(), nodata=math.nan)
    write(folder / "infinite.tif", np.where(np.isnan(hills), np.inf, hills), utm(), nodata=-math.inf)
    write(folder / "all_nodata.tif", np.zeros((1, SIDE, SIDE), "uint8"), utm(), nodata=0)
    bands = landscape(4, SIDE, SIDE)
    write(folder / "alpha_soft.tif", bands, utm(), alpha=True)
    write(folder / "alpha_nodata.tif", bands, utm(), alpha=True, nodata=20)
    write(folder / "alpha_16.tif", landscape(4, SIDE, SIDE, "uint16") * 16, utm(), alpha=True)
    mask = np.where(np.add.outer(np.arange(SIDE), np.arange(SIDE)) % 97 < 50, 255, 0).astype("uint8")
    write(folder / "masked.tif", bands[:3], utm(), mask=mask)
    write(folder / "palette.tif", bands[:1] & 3, utm(), colours={n: (60 * n, 255 - 60 * n, 9, 255) for n in range(4)})
    write(folder / "scaled_down.tif", bands[:2], utm(), scales=(-0.5, 1e-9), offsets=(10.0, 1e9))


def _shapes(folder: Path) -> None:
    write(folder / "one_pixel.tif", landscape(3, 1, 1), utm(pixel=3000))
    write(folder / "thin.tif", landscape(1, 1, 4000), utm())
    write(folder / "tall.tif", landscape(1, 4000, 1), utm())
    write(folder / "huge_block.tif", landscape(3, 3000, 3000), utm(pixel=5), blocksize=4096, compress="LZW")
    sparse = np.zeros((240, 1024, 1024), "uint16")
    write(folder / "sparse_240_bands.tif", sparse, utm(), sparse_ok="TRUE", interleave="BAND", blocksize=512)
    write(folder / "oblong_pixels.tif", landscape(1, SIDE, SIDE), Affine(3000, 0, 400_000, 0, -3, 5_300_000))


def _places(folder: Path) -> None:
    write(folder / "moon.tif", landscape(1, SIDE, SIDE), Affine(0.1, 0, 10, 0, -0.1, 40), MOON)
    write(folder / "local.tif", landscape(1, SIDE, SIDE), utm(), LOCAL)
    write(folder / "tiny_pixels.tif", landscape(1, SIDE, SIDE), Affine(5e-324, 0, 15, 0, -5e-324, 42), "EPSG:4326")
    write(folder / "beyond_poles.tif", landscape(1, SIDE, SIDE), Affine(1, 0, -150, 0, -1, 150), "EPSG:4326")
    write(folder / "far_mercator.tif", landscape(1, SIDE, SIDE), Affine(1e7, 0, 1e10, 0, -1e7, 1e10), "EPSG:3857")
    write(folder / "on_grid.tif", landscape(3, 512, 512), mercator_tile(8, 137, 89, 9), "EPSG:3857", blocksize=256)
    sides = {"points_only": (0, 1000), "points_absurd": (0, 1e-9)}
    for name, (least, most) in sides.items():
        points = [
            GroundControlPoint(row, column, 500_000 + least + column * most, 5_300_000 - row * most)
            for row in (0, SIDE) for column in (0, SIDE)
        ]  # fmt: skip
        _plainly(folder / f"{name}.tif", landscape(1, SIDE, SIDE), gcps=points, crs=CRS.from_epsg(32633))
    _plainly(folder / "no_crs.tif", landscape(1, SIDE, SIDE), transform=utm())
    _plainly(folder / "shifted_no_crs.tif", landscape(3, SIDE, SIDE), transform=Affine(0.1, 0, 10, 0, -0.1, 50))


def _codings(folder: Path) -> None:
    rgb = landscape(3, SIDE, SIDE)
    write(folder / "jpeg.tif", rgb, utm(), compress="JPEG")
    write(folder / "webp.tif", rgb, utm(), compress="WEBP")
    write(folder / "lerc.tif", landscape(1, SIDE, SIDE, "float32"), utm(), compress="LERC")
    write(folder / "five_bands.tif", landscape(5, SIDE, SIDE, "uint16"), utm())
    write(folder / "truncated.tif", rgb, utm())
    for name, compress in (("damaged_deflate", "DEFLATE"), ("damaged_jpeg", "JPEG"), ("damaged_lzw", "LZW")):
        _damage(write(folder / f"{name}.tif", rgb, utm(), compress=compress))


def _damage(path: Path) -> None:
    """Overwrite the middle of the first block, whose length stays: found by decoding alone."""
    with rasterio.open(path) as raster:
        offset, length = (int(raster.get_tag_item(f"BLOCK_{what}_0_0", "TIFF", 1)) for what in ("OFFSET", "SIZE"))
    data = bytearray(path.read_bytes())
    data[offset + length // 3 : offset + length // 2] = bytes(length // 2 - length // 3)
    path.write_bytes(data)


def _plainly(path: Path, pixels: Any, **options: Any) -> None:
    """Write a COG without the CRS or the transform that others have."""
    bands, rows, columns = pixels.shape
    profile = {"driver": "GTiff", "count": bands, "height": rows, "width": columns, "dtype": pixels.dtype}
    with MemoryFile() as memory:
        with memory.open(**profile, **options) as plain:
            plain.write(pixels)
            plain.colorinterp = (ColorInterp.gray,) * bands
        copy(memory.name, path, driver="COG", compress="DEFLATE", blocksize=128)
