"""Values of a raster and which of them are valid: one rule for tiles, previews, parts, points and statistics.

A pixel is valid where the alpha band or the mask of the file is not 0 and its value is not the nodata value; that of
a request replaces that of the file. NaN is never a value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.enums import Resampling
from rasterio.windows import Window

from gateway.reading.blocks import read_window
from gateway.reading.handles import Handle

Pixels = npt.NDArray[Any]
Mask = npt.NDArray[np.uint8]
OPAQUE = 255


@dataclass(frozen=True)
class Drawn:
    """The pixels of a tile, (bands, rows, cols), and its mask, (rows, cols) of 0 to 255, or None: all valid.

    `lacking` tells where each band has no value, (bands, rows, cols), beside what the mask and the nodata value say;
    None where that is all.
    """

    pixels: Pixels
    mask: Mask | None
    lacking: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A window of one level: its offset in pixels, its values (bands, rows, cols), its mask (None: all valid).

    `scale` is how many pixels of the level one value stands for, across and down.
    """

    left: int
    top: int
    pixels: Pixels
    mask: Mask | None
    scale: tuple[float, float] = (1, 1)


def read_source(
    handle: Handle,
    level: int,
    window: Window,
    bands: tuple[int, ...],
    nodata: float | None,
    thinning: int = 1,
) -> Source:
    """Return a window of a level, of which each `thinning`-th row and column is taken."""
    size = max(1, window.width // thinning), max(1, window.height // thinning)
    pixels, mask = _read(handle, level, window, bands, (size[1], size[0]), Resampling.nearest)
    scale = (window.width / size[0], window.height / size[1]) if thinning > 1 else (1, 1)
    return Source(window.col_off, window.row_off, pixels, opaque(least(mask, held(pixels, nodata))), scale)


def read_whole(
    handle: Handle, level: int, bands: tuple[int, ...], nodata: float | None, size: tuple[int, int], resampling: str
) -> tuple[Pixels, Mask | None]:
    """Return all of a level brought to `size` (width, height) by GDAL, and its mask."""
    width, height = handle.view.levels[level]
    kernel = Resampling[resampling]
    pixels, mask = _read(handle, level, Window(0, 0, width, height), bands, (size[1], size[0]), kernel)
    return pixels, opaque(least(mask, held(pixels, nodata)))


def read_scaled(
    handle: Handle, window: Window, bands: tuple[int, ...], nodata: float | None, size: tuple[int, int], kernel: str
) -> Drawn:
    """Return a window of the full image brought to `size` (width, height) by GDAL, from its best overview."""
    pixels, mask = _read(handle, 0, window, bands, (size[1], size[0]), Resampling[kernel])
    return Drawn(pixels, opaque(least(mask, held(pixels, nodata))))


def held(pixels: Pixels, nodata: float | None) -> Mask | None:
    """Return 255 where any band holds a value, or None where none can lack one."""
    each = held_by_band(pixels, nodata)
    if each is None:
        return None
    mask: Mask = np.any(each, axis=0).astype(np.uint8) * np.uint8(OPAQUE)
    return mask


def held_by_band(pixels: Pixels, nodata: float | None) -> npt.NDArray[np.bool_] | None:
    """Return for each band where it holds a value, or None where none can lack one."""
    found: npt.NDArray[np.bool_] | None = None
    if nodata is not None and not math.isnan(nodata):
        found = pixels != nodata
    if pixels.dtype.kind in "fc":
        numbers = ~np.isnan(pixels)
        found = numbers if found is None else found & numbers
    return found


def kept_nodata(nodata: float | None, dtype: np.dtype[Any]) -> float:
    """Return what stands where nothing is: the nodata value, where the data type has that, else 0."""
    if nodata is None:
        return 0
    if dtype.kind in "fc":
        return nodata
    limits = np.iinfo(dtype)
    return nodata if limits.min <= nodata <= limits.max else 0


def _read(
    handle: Handle, level: int, window: Window, bands: tuple[int, ...], shape: tuple[int, int], kernel: Resampling
) -> tuple[Pixels, Mask | None]:
    view = handle.view
    plain = shape == (window.height, window.width)
    if plain and view.alpha is None and not view.masked:
        own = read_window(handle, level, window, bands)
        if own is not None:
            return own, None
    options: dict[str, Any] = {"window": window}
    if not plain:
        options |= {"out_shape": shape, "resampling": kernel}
    with handle.lock:
        raster = handle.level(level)
        if view.mixed:
            pixels = np.stack([raster.read(band, **options) for band in bands])
        else:
            if not plain:
                options["out_shape"] = (len(bands), *shape)
            pixels = raster.read(indexes=list(bands), **options)
        options |= {} if plain else {"out_shape": shape, "resampling": Resampling.nearest}
        if view.alpha is not None:
            return pixels, _eight_bits(raster.read(view.alpha, **options))
        return pixels, raster.read_masks(1, **options) if view.masked else None


def _eight_bits(alpha: Pixels) -> Mask:
    """Return an alpha band as 0 to 255, what is not 0 staying so."""
    if alpha.dtype == np.uint8:
        return alpha
    if alpha.dtype.kind not in "ui":
        return np.where(alpha > 0, OPAQUE, 0).astype(np.uint8)
    return np.ceil(np.clip(alpha, 0, None) / (np.iinfo(alpha.dtype).max / OPAQUE)).astype(np.uint8)


def least(first: Mask | None, second: Mask | None) -> Mask | None:
    """Return a mask of what both masks have; None is all."""
    return (
        np.minimum(first, second) if first is not None and second is not None else second if first is None else first
    )


def opaque(mask: Mask | None) -> Mask | None:
    """Return a mask, or None where it hides nothing."""
    return None if mask is None or mask.min() == OPAQUE else mask
