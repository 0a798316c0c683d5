"""Pictures of few pixels of a whole raster, taken when it is judged: far zooms of many are painted from them.

Packed is a head (HEAD: type of the values as numpy names it, bands, rows, cols, cells, whether there is a mask,
whether there is a nodata value, and that, how many bands are no alpha band, and the digest of its colours or zeros),
a net of longitudes and latitudes of (cells + 1, cells + 1) points from corner to corner, the values (bands, rows,
cols), and the mask (rows, cols). The largest one is compressed.
"""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from gateway.cog.raster import GDAL_ERRORS, open_dataset, strict_options
from gateway.errors import NoPlace
from gateway.ground.georeference import Georeference, georeference
from gateway.ground.systems import transform_of
from gateway.model import ByteSource, Inspection, RasterFacts, SmallPictures

Size = tuple[int, int]
# Of their longer sides in pixels. Where a tile has more files than it may touch, few are as long as the first in it.
SIDES = (64, 16, 4)
HEAD = struct.Struct("<8sHHHH??dH8s")
# Of the values of one picture: of 256 bands of bytes, say. A raster with more has none.
MOST_BYTES = 1 << 20
# Of a level that is larger than this, having no overview, no picture is taken.
WHOLE_PIXELS = 4096
# A line of so many degrees bows by about degrees * degrees / 8 of the Earth's radius on a map: times the pixels of a
# side, that is less than a twentieth of a pixel in each of sqrt(degrees * side * BEND) cells.
BEND = 0.05
CACHE_BYTES = 16 << 20


def with_small_pictures(source: ByteSource, found: Inspection, levels: Sequence[Size]) -> Inspection:
    """Return the inspection of a true COG with pictures of few pixels; any other as it is.

    `levels` are (width, height) of the full image and its overviews, from fine to coarse.
    """
    if found.raster is None or found.raster.bounds is None:
        return found
    options = {**strict_options(source.gdal_path), "GDAL_CACHEMAX": CACHE_BYTES}
    try:
        with warnings.catch_warnings(), rasterio.Env(**options):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            small = _pictures(source, levels, found.raster)
    except (*GDAL_ERRORS, NoPlace):
        return found
    return replace(found, raster=replace(found.raster, small=small))


@dataclass(frozen=True, slots=True)
class _Told:
    """What is the same in all pictures of one raster."""

    nodata: float | None
    bands: int
    colours: bytes


def unpacked(body: bytes) -> bytes:
    """Return a picture as it is without compression."""
    return body if body[:1] in b"<>|" else zlib.decompress(body)


def level_of(levels: Sequence[Size]) -> int:
    """Return the number of the level that the pictures are taken of: the least that has as many pixels."""
    return max((number for number, size in enumerate(levels) if max(size) >= SIDES[0]), default=0)


def _pictures(source: ByteSource, levels: Sequence[Size], facts: RasterFacts) -> SmallPictures | None:
    level = level_of(levels)
    with open_dataset(source) as full:
        place = georeference(full)
        dtype = np.dtype(full.dtypes[0]) if len(set(full.dtypes)) == 1 and full.dtypes[0] != "complex_int16" else None
        if dtype is None or dtype.kind not in "uif" or full.count * dtype.itemsize * SIDES[0] ** 2 > MOST_BYTES:
            return None
        if max(levels[level]) > WHOLE_PIXELS or (net := _net(place, SIDES[0])) is None:
            return None
    with open_dataset(source, **({"overview_level": level - 1} if level else {})) as raster:
        values, mask = _read(raster, SIDES[0])
        told = _Told(raster.nodata, facts.bands or raster.count, bytes.fromhex(facts.colours or ""))
    longitudes, latitudes = net[..., 0], net[..., 1]
    extent = max(float(np.ptp(longitudes)), float(np.ptp(latitudes)))
    packed = tuple((side, _packed(place, values, mask, told, side)) for side in SIDES)
    return SmallPictures(extent, packed)


def _read(raster: DatasetReader, side: int) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.uint8] | None]:
    """Return the values of a raster in at most so many pixels a side, the nearest ones, and its mask."""
    rows, columns = _shape((raster.height, raster.width), side)
    values = raster.read(out_shape=(raster.count, rows, columns))
    kinds = raster.colorinterp
    if ColorInterp.alpha in kinds:
        return values, (values[kinds.index(ColorInterp.alpha)] > 0).astype(np.uint8)
    if MaskFlags.per_dataset in raster.mask_flag_enums[0]:
        return values, (raster.read_masks(1, out_shape=(rows, columns)) > 0).astype(np.uint8)
    return values, None


def _shape(size: tuple[int, int], side: int) -> tuple[int, int]:
    longest = max(size)
    if longest <= side:
        return size
    rows, columns = (max(1, round(length * side / longest)) for length in size)
    return rows, columns


def _packed(
    place: Georeference,
    values: npt.NDArray[np.generic],
    mask: npt.NDArray[np.uint8] | None,
    told: _Told,
    side: int,
) -> bytes:
    """Return a picture of at most so many pixels a side, taken from a larger one."""
    rows, columns = _shape((values.shape[1], values.shape[2]), side)
    down, across = _middles(rows, values.shape[1]), _middles(columns, values.shape[2])
    thin = np.ascontiguousarray(values[:, down][:, :, across])
    net = _net(place, side)
    cells = 0 if net is None else len(net) - 1
    head = HEAD.pack(
        *(thin.dtype.str.encode(), len(thin), rows, columns, cells),
        *(mask is not None, told.nodata is not None, told.nodata or 0.0, told.bands, told.colours),
    )
    parts = [
        head,
        b"" if net is None else net.tobytes(),
        thin.tobytes(),
        b"" if mask is None else mask[down][:, across].tobytes(),
    ]
    body = b"".join(parts)
    return zlib.compress(body, 1) if side == SIDES[0] else body


def _middles(count: int, whole: int) -> npt.NDArray[np.intp]:
    return ((np.arange(count) + 0.5) * whole / count).astype(np.intp)


def _net(place: Georeference, side: int) -> npt.NDArray[np.float64] | None:
    """Return longitudes and latitudes from corner to corner for a picture of a side; None where there is none.

    They are (rows, cols, 2), on one turn. Round a pole there is none.
    """
    corners = _degrees(place, 4)
    if corners is None:
        return None
    extent = max(float(np.ptp(corners[..., 0])), float(np.ptp(corners[..., 1])))
    return _degrees(place, min(side, max(1, math.ceil(math.sqrt(extent * side * BEND)))))


def _degrees(place: Georeference, cells: int) -> npt.NDArray[np.float64] | None:
    columns, rows = (np.linspace(0, length, cells + 1) for length in place.size)
    x, y = place.at(*np.meshgrid(columns, rows))
    longitudes, latitudes = transform_of(place.crs, "EPSG:4326")(x, y)
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all()):
        return None
    longitudes = np.unwrap(np.unwrap(longitudes, axis=1, period=360), axis=0, period=360)
    around = [*longitudes[0], *longitudes[:, -1], *longitudes[-1, ::-1], *longitudes[::-1, 0]]
    steps = np.abs(np.diff(np.asarray(around)))
    turned = abs(float(np.unwrap(np.asarray(around), period=360)[-1]) - float(longitudes[0, 0])) > 1
    if turned or steps.max() > 180:
        return None
    longitudes -= 360 * np.round(longitudes.mean() / 360)
    return np.stack([longitudes, latitudes], axis=-1)
