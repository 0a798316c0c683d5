"""Small COGs of every kind that tiles are drawn from, and the engine and the reference over them."""

from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.io import MemoryFile
from rasterio.shutil import copy

from gateway.dates import DatedBy, Dates
from gateway.model import Dataset, Report, Scale
from gateway.storage import open_storage

UTM = "EPSG:32633"
MERCATOR = "EPSG:3857"
HALF = 20037508.342789244
# The bytes of the last rasters that were written, by what `write` was told.
WRITTEN: dict[str, bytes] = {}
MOST_WRITTEN = 40


def landscape(bands, rows, cols, dtype="uint8", seed=1):
    """Return smooth hills with some noise, (bands, rows, cols), over most of the range of the type."""
    return _landscape(bands, rows, cols, dtype, seed).copy()


@lru_cache(16)
def _landscape(bands, rows, cols, dtype, seed):
    y, x = np.mgrid[0:rows, 0:cols]
    noise = np.random.default_rng(seed).normal(0, 0.02, (bands, rows, cols))
    waves = [np.sin(x / (17 + 5 * b)) * np.cos(y / (23 + 3 * b)) for b in range(bands)]
    unit = np.clip(0.5 + 0.4 * np.stack(waves) + noise, 0, 1)
    if np.dtype(dtype).kind == "f":
        return (unit * 3000 - 500).astype(dtype)
    top = min(np.iinfo(dtype).max, 4000)
    return (unit * (top - 2) + 1).astype(dtype)


def write(path: Path, pixels, transform, crs=UTM, *, mask=None, **told):
    """Write a COG of `pixels`, (bands, rows, cols), and its `mask`, (rows, cols), as `compress` is told.

    The same one is compressed once in a process.
    """
    arrays = [
        (each.shape, each.dtype.str, sha256(each.tobytes()).digest()) for each in (pixels, mask) if each is not None
    ]
    key = repr((arrays, transform, crs, sorted(told.items())))
    if key not in WRITTEN:
        compress(path, pixels, transform, crs, mask=mask, **told)
        WRITTEN[key] = path.read_bytes()
        if len(WRITTEN) > MOST_WRITTEN:
            del WRITTEN[next(iter(WRITTEN))]
    path.write_bytes(WRITTEN[key])
    return path


def compress(
    path: Path,
    pixels,
    transform,
    crs,
    *,
    nodata=None,
    mask=None,
    alpha=False,
    colours=None,
    scales=None,
    offsets=None,
    **options,
):
    """Write a COG; the last band is alpha when told, `options` are those of GDAL's COG driver."""
    bands, rows, cols = pixels.shape
    profile = {"driver": "GTiff", "count": bands, "height": rows, "width": cols, "dtype": pixels.dtype}
    with MemoryFile() as memory, rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        with memory.open(**profile, crs=CRS.from_string(crs), transform=transform, nodata=nodata) as plain:
            plain.write(pixels)
            if alpha:
                plain.colorinterp = (*plain.colorinterp[: bands - 1], ColorInterp.alpha)
            if colours:
                plain.write_colormap(1, colours)
            if scales:
                plain.scales, plain.offsets = scales, offsets
            if mask is not None:
                plain.write_mask(mask)
        creation = {"compress": "DEFLATE", "blocksize": 128, "overview_resampling": "nearest"} | options
        copy(memory.name, path, driver="COG", **creation)


def utm(west=500_000, north=5_300_000, pixel=30):
    """Return a north-up transform in metres."""
    return Affine(pixel, 0, west, 0, -pixel, north)


def mercator_tile(z, x, y, pixel_of_zoom):
    """Return the transform of a raster on the grid of Web Mercator whose corner is that of a tile."""
    side = 2 * HALF / 2**z
    pixel = 2 * HALF / 256 / 2**pixel_of_zoom
    return Affine(pixel, 0, -HALF + x * side, 0, -pixel, HALF - y * side)


def dataset(folder: Path, name: str) -> tuple[dict, Dataset]:
    """Return the storages and the record of a file in a folder."""
    storage = open_storage("data", f"file:{folder}")
    stat = storage.stat(name)
    now = datetime.now(UTC)
    identity = "00000000-0000-4000-8000-000000000001"
    record = Dataset(
        identity,
        "data",
        name,
        name,
        None,
        Scale.PUBLIC,
        Scale.PUBLIC,
        stat.version,
        stat.size_bytes,
        Report("blocks"),
        None,
        now,
        now,
        collection="data",
        dates=Dates(now, now, DatedBy.MODIFIED),
    )
    return {"data": storage}, record


def opener(storages):
    """Return what opens the objects of these storages."""
    return lambda version: storages[version.root].open(version.key)


def stretch_in(engine, record):
    """Return the default range of values of each band, as the tiles of an engine have it."""
    from gateway.tiles.engine import _stretch

    with engine._pool.use(record) as handle:
        return _stretch(record, handle)


@contextmanager
def handle_of(path: Path):
    """Yield a handle of a file."""
    from gateway.reading.handles import HandlePool

    storages, record = dataset(path.parent, path.name)
    pool = HandlePool(opener(storages), 4)
    try:
        with pool.use(record) as handle:
            yield handle
    finally:
        pool.close()


@contextmanager
def engine_of(path: Path, handles=4, **options):
    """Yield an engine over the folder of a file, and the record of that file."""
    from gateway.tiles.engine import TileEngine

    storages, record = dataset(path.parent, path.name)
    engine = TileEngine(opener(storages), handles=handles, **options)
    try:
        yield engine, record
    finally:
        engine.close()
