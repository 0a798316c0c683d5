"""What becomes of values before they are painted or handed out: scale and offset, expression, algorithm.

With rio-tiler's ImageData, which works out expressions and statistics.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rasterio.crs import CRS
from rasterio.dtypes import dtype_ranges
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rio_tiler.expression import parse_expression
from rio_tiler.models import ImageData

from gateway.colour.algorithm_names import picked
from gateway.colour.algorithms import applied
from gateway.colour.model import Encoded, Style, TileFormat
from gateway.errors import BadParameter, CannotBeDrawn
from gateway.reading.foreign import NOT_WORKED_OUT, Blamed
from gateway.reading.source import Drawn, Mask, held_by_band
from gateway.reading.view import View

Bounds = tuple[float, float, float, float]


@dataclass(frozen=True)
class Ground:
    """Where a picture lies: bounds (west, south, east, north) in `crs` (WKT); both None where it lies nowhere."""

    crs: str | None = None
    bounds: Bounds | None = None


def bands_of(style: Style, view: View) -> tuple[int, ...]:
    """Return the bands that have to be read; raises BadParameter for one that is not there."""
    if not style.expression:
        return style.bidx or view.bands
    with Blamed(BadParameter(NOT_WORKED_OUT)):
        wanted = tuple(sorted({int(band) for band in parse_expression(style.expression.lower())}))
    count = len(view.descriptions)
    if any(not 1 <= band <= count for band in wanted):
        raise BadParameter(f"expression: this dataset has the bands b1 to b{count}.")
    return wanted


def image_of(drawn: Drawn, style: Style, view: View, ground: Ground) -> tuple[ImageData, Mask | None]:
    """Return values as a style wants them, each band masked where it has none; and the mask of all (None: valid)."""
    bands, nodata = bands_of(style, view), view.nodata if style.nodata is None else style.nodata
    each = held_by_band(drawn.pixels, nodata)
    mask = np.zeros(drawn.pixels.shape, bool) if each is None else ~each
    if drawn.mask is not None:
        mask |= drawn.mask == 0
    if drawn.lacking is not None:
        mask |= drawn.lacking
    pixels = drawn.pixels
    if style.unscale:
        exact = np.complex64 if pixels.dtype.kind == "c" else np.float32
        pairs = [view.scales[band - 1] for band in bands]
        scaled = [band.astype(exact) * scale + offset for band, (scale, offset) in zip(pixels, pairs, strict=True)]
        pixels = np.stack(scaled).astype(exact)
    image = ImageData(
        np.ma.MaskedArray(pixels, mask),
        crs=CRS.from_wkt(ground.crs) if ground.crs else None,
        bounds=ground.bounds,
        band_names=[f"b{band}" for band in bands],
        band_descriptions=[view.descriptions[band - 1] for band in bands],
    )
    if style.expression:
        image = _worked_out(image, style.expression)
    if style.algorithm:
        image, edge = _by_algorithm(image, style)
        if drawn.mask is not None and edge:
            drawn = replace(drawn, mask=drawn.mask[edge:-edge, edge:-edge])
    valid = np.any(~np.ma.getmaskarray(image.array), axis=0)
    if drawn.mask is None:
        return image, None if valid.all() else np.where(valid, 255, 0).astype(np.uint8)
    return image, np.where(valid, drawn.mask, 0).astype(np.uint8)


def _worked_out(image: ImageData, expression: str) -> ImageData:
    if image.array.dtype.kind == "c":
        # numexpr has one complex type.
        image.array = np.ma.asarray(image.array.astype(np.complex128))
    with Blamed(BadParameter(NOT_WORKED_OUT)):
        found = image.apply_expression(expression.lower())
    if found.array.dtype == bool:
        # What a comparison returns; no picture is made of it.
        found.array = np.ma.asarray(found.array.astype(np.uint8))
    return found


def _by_algorithm(image: ImageData, style: Style) -> tuple[ImageData, int]:
    """Return the image after the style's algorithm, and how many pixels it cuts off each side."""
    chosen = picked(style.algorithm or "", style.algorithm_params)
    pixel = (abs(image.transform.a), abs(image.transform.e)) if image.bounds else (1.0, 1.0)
    with Blamed(BadParameter("algorithm: it cannot be worked out with the values of this dataset.")):
        found = applied(chosen, image.array, pixel)
    # Where an algorithm cuts off the edge, the ground is smaller by so much.
    bounds, edge = image.bounds, chosen.edge
    if bounds and edge:
        wide, high = edge * pixel[0], edge * pixel[1]
        bounds = (bounds[0] + wide, bounds[1] + high, bounds[2] - wide, bounds[3] - high)
    names = [chosen.name] if len(found) == 1 else [f"{chosen.name}_{index}" for index in range(1, len(found) + 1)]
    return ImageData(found, crs=image.crs, bounds=bounds, band_descriptions=names), edge


def handed_out(image: ImageData, values: Drawn, style: Style, format: TileFormat) -> Encoded:
    """Return values as GeoTIFF or NPY, the mask as a last band where it is wanted; they lie where the image does."""
    data = values.pixels
    band = _mask_as(data.dtype, values.mask, data.shape[1:]) if style.return_mask else None
    whole = data if band is None else np.concatenate([data, band[None]])
    if format is TileFormat.NPY:
        buffer = io.BytesIO()
        np.save(buffer, whole)
        return Encoded(buffer.getvalue(), format, "rio-tiler")
    place: dict[str, Any] = {"transform": image.transform, "crs": image.crs} if image.crs else {}
    return Encoded(_geotiff(whole, place, alpha=band is not None), format, "rio-tiler")


def _geotiff(values: Any, place: dict[str, Any], *, alpha: bool) -> bytes:
    count, height, width = values.shape
    profile = {"driver": "GTiff", "dtype": values.dtype, "count": count, "height": height, "width": width, **place}
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(**profile) as raster:
            if alpha:
                raster.colorinterp = (*raster.colorinterp[:-1], ColorInterp.alpha)
            raster.write(values)
        return bytes(memory.read())


def _mask_as(dtype: np.dtype[Any], mask: Mask | None, shape: tuple[int, int]) -> Any:
    """Return the mask as a band of the values' type: as rio-tiler has it, the largest value where it is not 0."""
    seen = np.full(shape, 255, np.uint8) if mask is None else mask
    if dtype == np.uint8:
        return seen
    least, most = dtype_ranges.get(dtype.name, (0, 255))
    return np.where(seen > 0, most, least).astype(dtype)


def check_drawable(dtype: np.dtype[Any]) -> None:
    """Return for values that can be ordered and coloured; raises CannotBeDrawn."""
    if dtype.kind == "c":
        raise CannotBeDrawn("The values are complex numbers: ask for a part of them, as real(b1).")
