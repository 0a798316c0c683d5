"""Pixels of a picture taken from one level of a raster: read the exact window, take each pixel from where it lies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from rasterio.windows import Window

from gateway.errors import BadParameter
from gateway.ground.grid import Frame, block_of
from gateway.ground.mapping import ControlGrid, Part, control_grid
from gateway.ground.placing import Placing, best_level, placing_of, to_source
from gateway.reading.handles import Handle
from gateway.reading.source import Drawn, Mask, Pixels, Source, held_by_band, kept_nodata, read_source
from gateway.reading.view import View

# What OpenCV takes as it is.
REMAPPED = ("uint8", "uint16", "int16", "float32", "float64")
MOST_CHANNELS = 4
# So many source pixels of a window are read as they are; of more each so manieth row and column.
MAX_PIXELS = 4_000_000
# Source pixels times bands of one picture.
MAX_SOURCE_VALUES = 1 << 29
# So little before a boundary between two source pixels, GDAL takes the next one.
NUDGE = 1e-4
WHOLE = 1e-3
# A window so many times as wide as the picture may be one over a seam; beside one some columns more are read.
WIDE, SPARE = 8, 4
# OpenCV counts the pixels of a side in 15 bits.
MAX_SIDE = 32_000


@dataclass(frozen=True, slots=True)
class Request:
    """What to draw: bands counted from 1, the nodata value, the two resamplings by their names."""

    bands: tuple[int, ...]
    nodata: float | None = None
    resampling: str = "nearest"
    reproject: str = "nearest"


class OtherKernel(Exception):
    """A resampling that GDAL does and this module does not."""


def draw(handle: Handle, frame: Frame, request: Request) -> Drawn | None:
    """Return the pixels of a picture, or None when the raster does not reach it.

    Raises OtherKernel, NoPlace, and BadParameter for what needs too many pixels of the raster.
    """
    view, placing = handle.view, placed(handle, frame.crs)
    smooth, level = _kernel(view, placing, frame, request)
    straight, size = placing.straight(frame), view.levels[level]
    if straight and not smooth and (block := _whole_block(view, frame, level)):
        source = read_source(handle, level, block, request.bands, request.nodata)
        return Drawn(source.pixels, source.mask)
    part = placing.part(frame)
    grid = part and control_grid(to_source(view, placing, frame, level), part, size, straight=straight)
    window = grid and _window(grid, size, margin=1 if smooth else 0)
    if not grid or not window:
        return None
    if (halves := _halves(grid, window)) is not None:
        drawn = _over_seam(handle, level, grid, halves, request, smooth=smooth)
        return spread(drawn, grid.part, frame, request, filled=False)
    source = _read(handle, level, window, request)
    if not smooth and _is_copy(grid, source, frame):
        return Drawn(source.pixels, source.mask)
    # Where the nodata value alone masks, it stands there already.
    by_value = request.nodata is not None and source.pixels.dtype.kind in "ui"
    filled = by_value and not (smooth or view.alpha or view.masked)
    return spread(sampled(grid, source, size, request, smooth=smooth), grid.part, frame, request, filled=filled)


def reached(handle: Handle, frame: Frame) -> Part | None:
    """Return the pixels of a picture that may come from the raster, or None; raises NoPlace."""
    view, placing = handle.view, placed(handle, frame.crs)
    part = placing.part(frame)
    if part is None or placing.straight(frame):
        return part
    grid = control_grid(to_source(view, placing, frame, 0), part, view.size)
    return None if grid is None else grid.part


def coverage(handle: Handle, frame: Frame, request: Request) -> Mask | None:
    """Return the mask of a picture whose every pixel is the nearest one, None when the raster does not reach it."""
    drawn = draw(handle, frame, Request(request.bands, request.nodata))
    if drawn is None:
        return None
    return np.full(frame.shape, 255, np.uint8) if drawn.mask is None else drawn.mask


def placed(handle: Handle, crs: str) -> Placing:
    """Return how the raster lies in a CRS (WKT) of tiles, found out once; raises NoPlace."""
    return handle.once(("placing", crs), lambda: placing_of(handle.view, crs))


def _kernel(view: View, placing: Placing, frame: Frame, request: Request) -> tuple[bool, int]:
    """Return whether to interpolate, and the level to read.

    A raster finer than the tile is warped near its own resolution and then reduced: two steps, which are one only
    when both take the nearest.
    """
    factors = placing.factors(frame)
    reduced = max(factors) > 1 + WHOLE
    kernels = {request.resampling} if placing.in_crs else {request.reproject}
    if reduced and not placing.in_crs:
        kernels.add(request.resampling)
    if kernels == {"nearest"}:
        return False, best_level(view, factors, nearest=True)
    if kernels == {"bilinear"} and not reduced and not view.alpha and not view.dtype.startswith("complex"):
        return True, 0
    raise OtherKernel


def _whole_block(view: View, frame: Frame, level: int) -> Window | None:
    """Return the part of a level that is the tile, pixel by pixel, where it lies on the grid; a short cut only."""
    place, side = block_of(frame, view.transforms[level], frame.size), frame.size
    if (
        place is None
        or (place[0] + 1) * side > view.levels[level][0]
        or (place[1] + 1) * side > view.levels[level][1]
    ):
        return None
    return Window(place[0] * side, place[1] * side, side, side)


def _window(grid: ControlGrid, size: tuple[int, int], *, margin: int) -> Window | None:
    """Return the part of a level that the grid reaches into, or None."""
    sides = []
    # The centres of pixels lie half a step from the edges of the grid: what hardly reaches into a block is not read.
    slack = min(WHOLE, _step(grid) / 4)
    for (least, most), length in zip(grid.spans, size, strict=True):
        low = max(math.floor(least + slack) - margin, 0)
        high = min(math.ceil(most - slack) + margin, length)
        if low >= high:
            return None
        sides.append((low, high - low))
    (left, width), (top, height) = sides
    return Window(left, top, width, height)


def _step(grid: ControlGrid) -> float:
    """Return about how many source pixels lie between two pixels of the tile, at least."""
    if grid.patches is not None:
        return WHOLE
    width, height = np.ptp(grid.x) / grid.part.width, np.ptp(grid.y) / grid.part.height
    return float(min(width, height))


def _read(handle: Handle, level: int, window: Window, request: Request) -> Source:
    """Return a window of a level, thinned out where it is too large to be held; raises BadParameter."""
    needed = window.width * window.height * len(request.bands)
    if needed > MAX_SOURCE_VALUES:
        raise BadParameter(
            f"The raster has no fitting overview: that needs {needed} of its values, at most {MAX_SOURCE_VALUES}."
        )
    pixels = window.width * window.height * max(1, len(request.bands) // 4)
    thinning = max(math.ceil(math.sqrt(pixels / MAX_PIXELS)), math.ceil(max(window.width, window.height) / MAX_SIDE))
    return read_source(handle, level, window, request.bands, request.nodata, thinning)


def _halves(grid: ControlGrid, window: Window) -> tuple[Window, Window] | None:
    """Return the two windows of a picture in which the eastern and the western end of a raster meet.

    None where one window is hardly wider than what lies in them; between the two nothing is read.
    """
    if window.width <= WIDE * grid.part.width:
        return None
    columns = np.unique(np.clip(grid.dense(0.0, 0.0)[0], window.col_off, window.col_off + window.width))
    gaps = np.diff(columns)
    if not gaps.size or (gap := float(gaps.max())) < window.width / 2:
        return None
    if gap <= 2 * (SPARE + 1):
        return None
    west, east = window.col_off, window.col_off + window.width
    end = min(math.ceil(columns[gaps.argmax()]) + SPARE, east)
    begin = max(math.floor(columns[gaps.argmax() + 1]) - SPARE, west)
    return (
        Window(west, window.row_off, end - west, window.height),
        Window(begin, window.row_off, east - begin, window.height),
    )


def _over_seam(
    handle: Handle, level: int, grid: ControlGrid, halves: tuple[Window, Window], request: Request, *, smooth: bool
) -> Drawn:
    """Return the pixels of the grid's part, each from the half in which it lies."""
    size = handle.view.levels[level]
    first, second = (
        sampled(grid, _read(handle, level, half, request), size, request, smooth=smooth) for half in halves
    )
    middle = (halves[0].col_off + halves[0].width + halves[1].col_off) / 2
    eastern = grid.dense(middle, 0.0)[0] > 0
    pixels = np.where(eastern, second.pixels, first.pixels)
    masks = (np.full(eastern.shape, 255, np.uint8) if each.mask is None else each.mask for each in (second, first))
    return Drawn(pixels, np.where(eastern, *masks))


def _is_copy(grid: ControlGrid, source: Source, frame: Frame) -> bool:
    """Return whether the window holds the very pixels of the tile."""
    rows, columns = frame.shape
    if source.pixels.shape[1:] != (rows, columns) or grid.x.shape != (2, 2):
        return False
    edges = np.array([source.left, source.left + columns]), np.array([source.top, source.top + rows])
    off = np.abs(grid.x - edges[0]), np.abs(grid.y - edges[1][:, None])
    return bool(max(off[0].max(), off[1].max()) < WHOLE)


def sampled(grid: ControlGrid, source: Source, size: tuple[int, int], request: Request, *, smooth: bool) -> Drawn:
    """Return the pixels of the grid's part."""
    nudge = 0.0 if smooth else min(NUDGE, _step(grid) / 4)
    at: tuple[Pixels, ...] = grid.dense(source.left + 0.5 - nudge, source.top + 0.5 - nudge)
    (west, east), (north, south) = grid.spans
    inside = not grid.bends and west >= 0 and north >= 0 and east <= size[0] and south <= size[1]
    if source.scale != (1, 1):
        at = tuple((values + 0.5) / scale - 0.5 for values, scale in zip(at, source.scale, strict=True))
    mask = None
    if source.mask is not None or not inside:
        seen = np.full(source.pixels.shape[1:], 255, np.uint8) if source.mask is None else source.mask
        mask = _remap(seen, at, cv2.INTER_NEAREST, 0)
    if smooth:
        pixels = _interpolated(source, at, request.nodata)
    else:
        fill = kept_nodata(request.nodata, source.pixels.dtype)
        pixels = _nearest_of_all(source.pixels, at, fill)
    return Drawn(pixels, mask)


def _remap(band: Pixels, at: tuple[Pixels, ...], kernel: int, fill: float) -> Pixels:
    drawn: Pixels = cv2.remap(band, at[0], at[1], kernel, borderMode=cv2.BORDER_CONSTANT, borderValue=fill)
    return drawn


def _nearest_of_all(bands: Pixels, at: tuple[Pixels, ...], fill: float) -> Pixels:
    """Return the nearest values of all bands; where those of a pixel lie together in memory, they still do."""
    samples = bands.transpose(1, 2, 0)
    if bands.dtype.name in REMAPPED and 1 < len(bands) <= MOST_CHANNELS and samples.flags.c_contiguous:
        together: Pixels = cv2.remap(
            samples, at[0], at[1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=(fill,) * 4
        )
        return together.transpose(2, 0, 1)
    return np.stack([_nearest(band, at, fill) for band in bands])


def _nearest(band: Pixels, at: tuple[Pixels, ...], fill: float) -> Pixels:
    """Return the nearest values of a band of any data type."""
    if band.dtype.name in REMAPPED:
        return _remap(band, at, cv2.INTER_NEAREST, fill)
    # Positions in rows of OpenCV's own making, so that all types round alike.
    rows, columns = band.shape
    x, y = (
        np.rint(np.clip(values, -2, length + 1)).astype(np.intp)
        for values, length in zip(at, (columns, rows), strict=True)
    )
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    found: Pixels = np.full(x.shape, fill, band.dtype)
    found[inside] = band[y[inside], x[inside]]
    return found


def _interpolated(source: Source, at: tuple[Pixels, ...], nodata: float | None) -> Pixels:
    """Return the bands interpolated between valid pixels only, so that no nodata value bleeds into them."""
    dtype = source.pixels.dtype
    exact = np.float32 if dtype.name in REMAPPED and dtype != np.float64 else np.float64
    valid = np.ones(source.pixels.shape[1:], bool) if source.mask is None else source.mask > 0
    each = held_by_band(source.pixels, nodata)
    bands, weight = [], None
    for index, band in enumerate(source.pixels):
        held = valid if each is None else valid & each[index]
        if weight is None or each is not None:
            weight = _remap(held.astype(exact), at, cv2.INTER_LINEAR, 0)
            weight[weight < 1e-5] = 1
        bands.append(_remap(np.where(held, band, 0).astype(exact), at, cv2.INTER_LINEAR, 0) / weight)
    drawn = np.stack(bands)
    if dtype.kind == "f":
        return drawn.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(drawn), limits.min, limits.max).astype(dtype)


def spread(drawn: Drawn, part: Part, frame: Frame, request: Request, *, filled: bool) -> Drawn:
    """Return a whole tile with a part of it drawn; masked pixels become the nodata value, or 0 without one."""
    pixels, mask = drawn.pixels, drawn.mask
    fill = kept_nodata(request.nodata, pixels.dtype)
    if mask is not None and not filled:
        pixels[:, mask == 0] = fill
    if (part.height, part.width) == frame.shape:
        return Drawn(pixels, mask)
    whole = np.full((len(pixels), *frame.shape), fill, pixels.dtype)
    seen = np.zeros(frame.shape, np.uint8)
    rows, columns = slice(part.top, part.bottom), slice(part.left, part.right)
    whole[:, rows, columns] = pixels
    seen[rows, columns] = 255 if mask is None else mask
    return Drawn(whole, seen)
