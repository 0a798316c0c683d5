"""Pictures by the resamplings of GDAL: its warped raster, laid over the part of the ground that has data.

First the raster is warped near its own resolution, then that is reduced: rio-tiler's two steps.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from affine import Affine
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.transform import from_bounds
from rasterio.vrt import WarpedVRT
from rio_tiler import reader
from rio_tiler.models import ImageData

from gateway.errors import BadParameter
from gateway.ground.georeference import Georeference
from gateway.ground.grid import Frame
from gateway.ground.placing import Placing
from gateway.ground.systems import circle
from gateway.reading.foreign import forget_errors
from gateway.reading.handles import Handle
from gateway.reading.source import Drawn, kept_nodata
from gateway.tiles.warp import Request, coverage, placed, reached

# Pixels times bands of a warped raster, all of which GDAL works through.
MAX_WARPED_VALUES = 1 << 28


def resampled(handle: Handle, frame: Frame, request: Request) -> Drawn | None:
    """Return the pixels of a picture, or None when the raster does not reach it.

    Raises BadParameter for what needs too many pixels, NoPlace, and the errors of rasterio where GDAL cannot warp.
    """
    part = reached(handle, frame)
    if part is None:
        return None
    ground = frame.cut(part.left, part.top, part.right, part.bottom)
    _check_cost(handle, ground)
    seen = coverage(handle, ground, request)
    if seen is None:
        return None
    pixels: Any = None
    mask = np.zeros(ground.shape, np.uint8)
    for turn in _turns(handle, frame):
        found, valid = _turned(handle, ground, request, turn)
        here = (seen > 0) & valid & (mask == 0)
        if pixels is None:
            pixels = np.full(found.shape, kept_nodata(request.nodata, found.dtype), found.dtype)
        pixels[:, here] = found[:, here]
        mask[here] = seen[here]
    whole = np.full((len(pixels), *frame.shape), kept_nodata(request.nodata, pixels.dtype), pixels.dtype)
    outer = np.zeros(frame.shape, np.uint8)
    rows, columns = slice(part.top, part.bottom), slice(part.left, part.right)
    whole[:, rows, columns], outer[rows, columns] = pixels, mask
    return Drawn(whole, None if outer.min() == 255 else outer)


def _check_cost(handle: Handle, ground: Frame) -> None:
    across, down = placed(handle, ground.crs).factors(ground)
    # GDAL's warped raster has every band of the file, whichever are read of it.
    bands = len(handle.view.descriptions)
    needed = max(1.0, across) * ground.size * max(1.0, down) * ground.shape[0] * bands
    # Not true of NaN either.
    if not needed <= MAX_WARPED_VALUES:
        raise BadParameter(
            f"resampling, reproject: that needs {needed:.0f} values of the raster; the limit is {MAX_WARPED_VALUES}."
        )


def _turns(handle: Handle, frame: Frame) -> list[float]:
    """Return by how much the raster has to be moved along its x axis to lie under the picture, for each turn."""
    place = handle.view.placed
    axis, own = circle(place.crs), circle(frame.crs)
    if axis is None:
        return [0.0]
    west, east = -axis.half, axis.half
    if own is not None:
        west, east = frame.left * axis.turn / own.turn, frame.right * axis.turn / own.turn
    slack = 1e-9 * axis.turn
    moved = (axis.turn * count for count in (0, 1, -1, 2, -2))
    found = [by for by in moved if place.bounds[0] + by < east - slack and place.bounds[2] + by > west + slack]
    return found or [0.0]


def _turned(handle: Handle, ground: Frame, request: Request, turn: float) -> tuple[Any, Any]:
    """Return pixels, (bands, rows, cols), and where any of them is valid."""
    size = _near_own(placed(handle, ground.crs), ground)
    return handle.lend(lambda raster: _warped(raster, handle.view.placed, ground, request, (turn, size)))


def _near_own(placing: Placing, ground: Frame) -> tuple[int, int]:
    """Return width and height of a ground in pixels about as large as the raster's, none larger than a picture's."""
    across, down = (max(1.0, factor) for factor in placing.factors(ground))
    return math.ceil(across * ground.size), math.ceil(down * ground.shape[0])


def _warped(
    raster: DatasetReader, place: Georeference, ground: Frame, request: Request, how: tuple[float, tuple[int, int]]
) -> tuple[Any, Any]:
    """Return pixels and where they are valid; `how` is the turn, and the size to warp to where GDAL finds none."""
    (turn, size), crs = how, CRS.from_wkt(ground.crs)
    # Of a rotated raster in the CRS of the picture rio-tiler reads a window as if it were upright.
    rotated = not place.upright and crs == CRS.from_wkt(place.crs)
    wanted: dict[str, Any] = {
        "indexes": list(request.bands),
        "height": ground.shape[0],
        "width": ground.size,
        "nodata": request.nodata,
        "resampling_method": request.resampling,
        "reproject_method": request.resampling if rotated else request.reproject,
    }
    with _moved(raster, place, turn) as moved, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = (
                _sized(moved, ground, size, wanted)
                if rotated
                else reader.part(moved, ground.bounds, dst_crs=crs, **wanted)
            )
        except CPLE_BaseError:
            # GDAL sizes the whole raster first, which over the far pole of a polar map has no end.
            forget_errors()
            image = _sized(moved, ground, size, wanted)
    pixels = np.ascontiguousarray(image.array.data)
    # Of alpha rio-tiler masks all that is not opaque.
    valid = ~np.ma.getmaskarray(image.array) if image.alpha_mask is None else image.alpha_mask[None] > 0
    numbers = ~np.isnan(pixels) if pixels.dtype.kind == "f" else True
    return pixels, np.any(valid & numbers, axis=0)


def _sized(raster: DatasetReader, ground: Frame, size: tuple[int, int], wanted: dict[str, Any]) -> ImageData:
    """Return a ground of a raster that is warped to so many pixels (width, height) there first."""
    width, height = size
    target = {
        "crs": CRS.from_wkt(ground.crs), "width": width, "height": height, "dtype": raster.dtypes[0],
        "transform": from_bounds(*ground.bounds, width, height),
    }  # fmt: skip
    return reader.read(raster, vrt_options=target, **wanted)


@contextmanager
def _moved(raster: DatasetReader, place: Georeference, turn: float) -> Iterator[DatasetReader]:
    """Yield the raster, north up, moved along its x axis and with a transform where it has points alone."""
    south_up = place.upright and place.transform.e > 0
    if not turn and raster.transform == place.transform and not south_up:
        yield raster
        return
    moved, crs = Affine.translation(turn, 0) * place.transform, CRS.from_wkt(place.crs)
    # rio-tiler reads no window of a raster that is stored upside down.
    upright = moved * Affine(1, 0, 0, 0, -1, place.size[1]) if south_up else moved
    options: dict[str, Any] = {"src_crs": crs, "src_transform": moved, "crs": crs, "transform": upright}
    with WarpedVRT(raster, width=place.size[0], height=place.size[1], **options) as found:
        yield found
