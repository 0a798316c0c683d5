"""A tile drawn from the pixels of one level: read the exact window, take each pixel from where it lies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rasterio.windows import Window

from gateway.tiles.grid import Frame, block_of
from gateway.tiles.handles import Handle
from gateway.tiles.mapping import ControlGrid, NotApplicable, control_grid
from gateway.tiles.placing import Placing, best_level, placing_of, to_source
from gateway.tiles.view import View

Pixels = npt.NDArray[Any]
Mask = npt.NDArray[np.uint8]

# What OpenCV draws; all else goes the other way.
DTYPES = ("uint8", "uint16", "int16", "float32", "float64")
MAX_SIDE, MAX_PIXELS = 8192, 4_000_000
# So little before a boundary between two source pixels, GDAL takes the next one.
NUDGE = 1e-4
WHOLE = 1e-3


@dataclass(frozen=True)
class Drawn:
    """The pixels of a tile, (bands, rows, cols), and its mask, (rows, cols) of 0 to 255, or None: all valid."""

    pixels: Pixels
    mask: Mask | None


@dataclass(frozen=True, slots=True)
class Request:
    """What to draw: bands counted from 1, the nodata value, the two resamplings by their names."""

    bands: tuple[int, ...]
    nodata: float | None = None
    resampling: str = "nearest"
    reproject: str = "nearest"


@dataclass(frozen=True, slots=True)
class _Source:
    """The window of one level that a tile needs: offset in pixels, its values and its mask (None: all valid)."""

    left: int
    top: int
    pixels: Pixels
    mask: Mask | None


def draw(handle: Handle, frame: Frame, request: Request) -> Drawn | None:
    """Return the pixels of a tile, or None when the raster does not reach it.

    Raises NotApplicable for what only the slow way draws.
    """
    view = handle.view
    if view.dtype not in DTYPES or view.mixed:
        raise NotApplicable("the data type")
    if view.alpha is not None and view.dtype != "uint8" and request.nodata is None:
        raise NotApplicable("an alpha band of many bits")
    placing = placed(handle, frame.crs)
    part = placing.part(frame)
    if part is None:
        return None
    smooth, level = _kernel(view, placing, frame, request)
    size = view.levels[level]
    if placing.same and not smooth and (block := _whole_block(view, frame, level)):
        source = _read(handle, level, block, request)
        return Drawn(source.pixels, source.mask)
    grid = control_grid(to_source(view, placing, frame, level), part, size, straight=placing.same)
    window = _window(grid, size, margin=1 if smooth else 0)
    if window is None:
        return None
    source = _read(handle, level, window, request)
    if not smooth and _is_copy(grid, source, frame):
        return Drawn(source.pixels, source.mask)
    return _placed(_sampled(grid, source, size, request, smooth=smooth), grid, frame, request)


def placed(handle: Handle, crs: str) -> Placing:
    """Return how the raster lies in a CRS (WKT) of tiles, found out once; raises NotApplicable."""
    return handle.once(("placing", crs), lambda: placing_of(handle.view, crs))


def _kernel(view: View, placing: Placing, frame: Frame, request: Request) -> tuple[bool, int]:
    """Return whether to interpolate, and the level to read.

    A raster finer than the tile is warped near its own resolution and then reduced: two steps, which are one only
    when both take the nearest.
    """
    factors = placing.factors(frame)
    reduced = max(factors) > 1 + WHOLE
    kernels = {request.resampling} if placing.same else {request.reproject}
    if reduced and not placing.same:
        kernels.add(request.resampling)
    if kernels == {"nearest"}:
        return False, best_level(view, factors, nearest=True)
    if kernels == {"bilinear"} and not reduced and not (view.alpha and request.nodata is None):
        return True, 0
    raise NotApplicable("the resampling")


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
    """Return the part of a level that the grid reaches into, or None; raises NotApplicable when it is too large."""
    spans = []
    # The centres of pixels lie half a step from the edges of the grid: what hardly reaches into a block is not read.
    slack = min(WHOLE, _step(grid) / 4)
    for values, length in ((grid.x, size[0]), (grid.y, size[1])):
        low = max(math.floor(float(values.min()) + slack) - margin, 0)
        high = min(math.ceil(float(values.max()) - slack) + margin, length)
        if low >= high:
            return None
        spans.append((low, high - low))
    (left, width), (top, height) = spans
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise NotApplicable("the raster has no fitting overview")
    return Window(left, top, width, height)


def _step(grid: ControlGrid) -> float:
    """Return about how many source pixels lie between two pixels of the tile, at least."""
    width, height = np.ptp(grid.x) / grid.part.width, np.ptp(grid.y) / grid.part.height
    return float(min(width, height))


def _read(handle: Handle, level: int, window: Window, request: Request) -> _Source:
    view = handle.view
    with handle.lock:
        raster = handle.level(level)
        pixels = raster.read(indexes=list(request.bands), window=window)
        mask = None
        if request.nodata is None and view.alpha is not None:
            mask = raster.read(indexes=view.alpha, window=window)
        elif request.nodata is None and view.masked:
            mask = raster.read_masks(1, window=window)
    if mask is None:
        mask = _valid(pixels, request.nodata)
    opaque = mask is None or bool(mask.min() == 255)
    return _Source(window.col_off, window.row_off, pixels, None if opaque else mask)


def _valid(pixels: Pixels, nodata: float | None) -> Mask | None:
    """Return 255 where any band holds a value, or None where none can lack one. NaN is never a value."""
    if nodata is not None and not math.isnan(nodata):
        held = pixels != nodata
    elif pixels.dtype.kind == "f":
        held = ~np.isnan(pixels)
    else:
        return None
    mask: Mask = np.any(held, axis=0).astype(np.uint8) * np.uint8(255)
    return mask


def _is_copy(grid: ControlGrid, source: _Source, frame: Frame) -> bool:
    """Return whether the window holds the very pixels of the tile."""
    if source.pixels.shape[1:] != (frame.size, frame.size) or grid.x.shape != (2, 2):
        return False
    edges = np.array([source.left, source.left + frame.size]), np.array([source.top, source.top + frame.size])
    off = np.abs(grid.x - edges[0]), np.abs(grid.y - edges[1][:, None])
    return bool(max(off[0].max(), off[1].max()) < WHOLE)


def _sampled(grid: ControlGrid, source: _Source, size: tuple[int, int], request: Request, *, smooth: bool) -> Drawn:
    """Return the pixels of the grid's part."""
    nudge = 0.0 if smooth else min(NUDGE, _step(grid) / 4)
    at = grid.dense(source.left + 0.5 - nudge, source.top + 0.5 - nudge)
    inside = grid.x.min() >= 0 and grid.y.min() >= 0 and grid.x.max() <= size[0] and grid.y.max() <= size[1]
    mask = None
    if source.mask is not None or not inside:
        seen = np.full(source.pixels.shape[1:], 255, np.uint8) if source.mask is None else source.mask
        mask = _remap(seen, at, cv2.INTER_NEAREST, 0)
    if smooth:
        pixels = _interpolated(source, at)
    else:
        fill = _fill(request.nodata, source.pixels.dtype)
        pixels = np.stack([_remap(band, at, cv2.INTER_NEAREST, fill) for band in source.pixels])
    return Drawn(pixels, mask)


def _remap(band: Pixels, at: tuple[Pixels, ...], kernel: int, fill: float) -> Pixels:
    drawn: Pixels = cv2.remap(band, at[0], at[1], kernel, borderMode=cv2.BORDER_CONSTANT, borderValue=fill)
    return drawn


def _interpolated(source: _Source, at: tuple[Pixels, ...]) -> Pixels:
    """Return the bands interpolated between valid pixels only, so that no nodata value bleeds into them."""
    dtype = source.pixels.dtype
    exact = np.float64 if dtype == np.float64 else np.float32
    held = np.ones(source.pixels.shape[1:], exact) if source.mask is None else (source.mask > 0).astype(exact)
    weight: npt.NDArray[Any] = _remap(held, at, cv2.INTER_LINEAR, 0)
    weight[weight < 1e-5] = 1
    bands = [np.where(held.astype(np.bool_), band, 0).astype(exact) for band in source.pixels]
    drawn = np.stack([_remap(band, at, cv2.INTER_LINEAR, 0) / weight for band in bands])
    return drawn.astype(dtype) if dtype.kind == "f" else np.rint(drawn).astype(dtype)


def _fill(nodata: float | None, dtype: np.dtype[Any]) -> float:
    """Return what stands outside of the raster: its nodata value, where its data type has that, else 0."""
    if nodata is None:
        return 0
    if dtype.kind == "f":
        return nodata
    limits = np.iinfo(dtype)
    return nodata if limits.min <= nodata <= limits.max else 0


def _placed(drawn: Drawn, grid: ControlGrid, frame: Frame, request: Request) -> Drawn:
    """Return a whole tile with a part of it drawn; masked pixels become the nodata value, or 0 without one."""
    pixels, mask, part = drawn.pixels, drawn.mask, grid.part
    fill = _fill(request.nodata, pixels.dtype)
    if mask is not None and (request.nodata is None or math.isnan(request.nodata)):
        pixels[:, mask == 0] = fill
    if (part.width, part.height) == (frame.size, frame.size):
        return Drawn(pixels, mask)
    whole = np.full((len(pixels), frame.size, frame.size), fill, pixels.dtype)
    seen = np.zeros((frame.size, frame.size), np.uint8)
    rows, columns = slice(part.top, part.bottom), slice(part.left, part.right)
    whole[:, rows, columns] = pixels
    seen[rows, columns] = 255 if mask is None else mask
    return Drawn(whole, seen)
