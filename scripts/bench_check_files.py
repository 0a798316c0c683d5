"""The files that the benchmark of the check reads: many small COGs, a large one, and two of many blocks."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from rasterio.transform import from_origin
from rasterio.windows import Window

Pixels = NDArray[Any]
ROWS = 512

DTYPES = ("uint8", "uint16", "int16", "float32")
CODECS = ("DEFLATE", "LZW", "ZSTD", "NONE")
SIZES = ((300, 400), (700, 600), (1100, 1300))
BANDS = (1, 3)
MASKS = (False, True)


def georeferenced(width: int, height: int, count: int, dtype: str) -> dict[str, Any]:
    """Return the profile of a GeoTIFF that is no COG yet."""
    return {
        "driver": "GTiff", "width": width, "height": height, "count": count, "dtype": dtype,
        "crs": CRS.from_epsg(32633), "transform": from_origin(500_000, 5_300_000, 10, 10),
    }  # fmt: skip


def small_files(folder: Path, count: int) -> list[Path]:
    """Return `count` COGs: all variants of size, bands, data type, codec and mask, over and over."""
    variants = list(itertools.product(SIZES, BANDS, DTYPES, CODECS, MASKS))
    made = [_small(folder / f"variant_{number}.tif", *variant) for number, variant in enumerate(variants[:count])]
    files = list(made)
    for number in range(len(made), count):
        again = folder / f"again_{number}.tif"
        again.write_bytes(made[number % len(made)].read_bytes())
        files.append(again)
    return files


def _small(path: Path, size: tuple[int, int], count: int, dtype: str, codec: str, mask: bool) -> Path:
    height, width = size
    row, col = np.indices(size)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), MemoryFile() as memory:
        with memory.open(**georeferenced(width, height, count, dtype)) as raster:
            for band in range(1, count + 1):
                raster.write((row // 7 * 3 + col // 5 + band).astype(dtype), band)
            if mask:
                raster.write_mask((row > col).astype("uint8") * 255)
        copy(memory.name, path, driver="COG", compress=codec, blocksize=256, overview_resampling="nearest")
    return path


def large_file(path: Path, side: int) -> Path:
    """Return an uncompressed uint16 COG of `side` x `side` pixels in tiles of 512."""
    random = np.random.default_rng(1)
    return _cog(path, side, "uint16", lambda rows: random.integers(0, 60_000, (rows, side)), blocksize=512)


def plain_blocks(path: Path, side: int) -> Path:
    """Return an uncompressed uint8 COG in tiles of 128, 16 KiB each."""
    random = np.random.default_rng(2)
    return _cog(path, side, "uint8", lambda rows: random.integers(0, 255, (rows, side)), blocksize=128)


def class_blocks(path: Path, side: int) -> Path:
    """Return a DEFLATE uint8 COG of a few classes in large patches, in tiles of 128: some hundred bytes each."""
    random = np.random.default_rng(3)

    def rows_of(rows: int) -> Pixels:
        patches = random.integers(0, 9, (1, side // 64 + 1))
        return np.repeat(np.repeat(patches, rows, axis=0), 64, axis=1)[:, :side]

    return _cog(path, side, "uint8", rows_of, blocksize=128, compress="DEFLATE", level=1)


def _cog(path: Path, side: int, dtype: str, rows_of: Callable[[int], Pixels], **options: Any) -> Path:
    """Write a COG with leaders and trailers, as the COG driver makes it, a strip of rows at a time."""
    plain = path.with_suffix(".plain")
    tiled = {"tiled": True, "blockxsize": ROWS, "blockysize": ROWS}
    with rasterio.open(plain, "w", **georeferenced(side, side, 1, dtype), **tiled) as raster:
        for row in range(0, side, ROWS):
            rows = min(ROWS, side - row)
            raster.write(rows_of(rows).astype(dtype), 1, window=Window(0, row, side, rows))
    settings = {"compress": "NONE", "overview_resampling": "nearest", "bigtiff": "IF_SAFER", **options}
    copy(plain, path, driver="COG", **settings)
    plain.unlink()
    return path
