"""Small rasters that tests make: true COGs and one that is none."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.transform import from_origin


def write_cog(path: Path, *, rows: int = 700, cols: int = 900, seed: int = 1) -> Path:
    """Write a valid DEFLATE COG of one uint16 band in UTM, with overviews, large enough for long ranges."""
    return write_cog_of(path, np.random.default_rng(seed).integers(0, 60_000, (1, rows, cols), dtype="uint16"))


def write_cog_of(path: Path, pixels: np.ndarray, **profile: object) -> Path:
    """Write a valid DEFLATE COG of `pixels`, (bands, rows, cols); `profile` changes CRS and transform."""
    plain = path.with_name(f"{path.name}.plain")
    write_striped(plain, pixels, **profile)
    copy(plain, path, driver="COG", compress="DEFLATE", blocksize=256, overview_resampling="nearest")
    plain.unlink()
    return path


def write_striped(path: Path, pixels: np.ndarray | None = None, **changes: object) -> Path:
    """Write a plain striped GeoTIFF, which is no COG; `pixels` are (bands, rows, cols)."""
    if pixels is None:
        pixels = np.arange(700 * 900, dtype="uint16").reshape(1, 700, 900)
    bands, rows, cols = pixels.shape
    profile = {
        "driver": "GTiff",
        "count": bands,
        "height": rows,
        "width": cols,
        "dtype": pixels.dtype,
        "crs": CRS.from_epsg(32633),
        "transform": from_origin(500_000, 5_300_000, 30, 30),
        **changes,
    }
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(pixels)
    return path
