"""Tiles as rio-tiler draws and encodes them: the reference, and the way for all that the fast one does not do."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import morecantile
import numpy as np
from rasterio.dtypes import dtype_ranges
from rasterio.io import DatasetReader
from rio_tiler import utils
from rio_tiler.colormap import apply_cmap, cmap
from rio_tiler.errors import InvalidExpression, PointOutsideBounds, RioTilerError, TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData
from rio_tiler.profiles import img_profiles

from gateway.errors import BadParameter, NotFound
from gateway.tiles.algorithms import RANGES, applied, picked
from gateway.tiles.clipping import Canvas, covered, spread
from gateway.tiles.expressions import parts
from gateway.tiles.model import Encoded, Style, TileAddress, TileFormat

DRIVERS = {TileFormat.TIF: "GTiff", TileFormat.NPY: "NPY"}
# Pixels times bands of one picture: what a thread holds of them in memory, some times over.
MAX_VALUES = 1 << 25
RGBA = 4


def render(raster: DatasetReader, address: TileAddress, style: Style, format: TileFormat | None) -> Encoded:
    """Return the tile; raises BadParameter for what rio-tiler cannot make of the dataset."""
    side = int(address.size + 2 * address.buffer)
    check_amount(raster, style, side, side)
    with reading(raster, address.tms) as reader:
        canvas = _ground(reader.tms, address)
        try:
            image = _tile(reader, raster, address, canvas, style)
        except TileOutsideBounds:
            return _nothing(raster, canvas, style, format)
        return pictured(image, reader.colormap, style, format)


def _ground(grid: Any, address: TileAddress) -> Canvas:
    """Return the ground of a tile with its buffer."""
    west, south, east, north = grid.xy_bounds(address.x, address.y, address.z)
    wide, high = address.buffer * (east - west) / address.size, address.buffer * (north - south) / address.size
    side = address.size + int(2 * address.buffer)
    return Canvas((west - wide, south - high, east + wide, north + high), grid.rasterio_crs, side, side)


def _tile(reader: Any, raster: DatasetReader, address: TileAddress, canvas: Canvas, style: Style) -> ImageData:
    place = address.x, address.y, address.z
    if reader.tile_exists(*place) and (window := covered(raster, canvas)) is not None:
        return clipped(reader, raster, canvas, window, style)
    image: ImageData = reader.tile(*place, tilesize=address.size, buffer=address.buffer or None, **reads(style))
    return image


def _nothing(raster: DatasetReader, canvas: Canvas, style: Style, format: TileFormat | None) -> Encoded:
    """Return the picture of a tile outside of the data: transparent, or masked values."""
    count = bands_of(raster, style)
    bands = count if format in DRIVERS else 3 if count >= 3 else 1
    empty = spread(None, (0, 0, 0, 0), canvas, bands)
    return replace(pictured(empty, None, Style(return_mask=style.return_mask), format or TileFormat.PNG), way="empty")


def clipped(
    reader: Any, raster: DatasetReader, canvas: Canvas, window: tuple[int, int, int, int], style: Style
) -> ImageData:
    """Return the picture of a canvas of which only a window is read."""
    left, right, top, bottom = window
    if left >= right or top >= bottom:
        return spread(None, window, canvas, min(3, bands_of(raster, style)))
    part = canvas.cut(window)
    found = reader.part(
        part.bounds,
        bounds_crs=part.crs,
        dst_crs=part.crs,
        width=part.width,
        height=part.height,
        **reads(style),
    )
    return spread(found, window, canvas, len(found.array))


@contextmanager
def reading(raster: DatasetReader, tms: str = "WebMercatorQuad") -> Iterator[Any]:
    """Yield rio-tiler's reader of an open raster; its errors become BadParameter, what is outside NotFound."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Reader(None, dataset=raster, tms=morecantile.tms.get(tms)) as reader:
                yield reader
        except (PointOutsideBounds, TileOutsideBounds):
            raise NotFound("That lies outside of the data.") from None
        except InvalidExpression:
            raise BadParameter("expression: it cannot be worked out with the bands of this dataset.") from None
        except (RioTilerError, ValueError, LookupError, OverflowError, TypeError) as error:
            # A TypeError is numpy's for what a data type has not: NaN among integers, an order of complex numbers.
            # Whatever the library says may tell of paths.
            raise BadParameter("This dataset cannot be drawn so: a band, formula or bounds do not fit it.") from error


def reads(style: Style) -> dict[str, Any]:
    """Return what rio-tiler's readers are told of a style."""
    return {
        "indexes": None if style.expression else style.bidx or None,
        "expression": style.expression,
        "nodata": style.nodata,
        "unscale": style.unscale,
        "resampling_method": style.resampling,
        "reproject_method": style.reproject,
    }


def check_amount(raster: DatasetReader, style: Style, width: int, height: int) -> None:
    """Return when a picture of that size can be read with that style; raises BadParameter."""
    check_nodata(raster, style)
    if width * height * bands_of(raster, style) > MAX_VALUES:
        raise BadParameter("That is too large: ask for fewer bands or pixels.")


def check_nodata(raster: DatasetReader, style: Style) -> None:
    """Return when the nodata value of the style is one that pixels may have; raises BadParameter."""
    dtype = str(raster.dtypes[0])
    # numpy does not know every type by GDAL's name: complex_int16.
    if style.nodata is None or not dtype.startswith(("int", "uint")):
        return
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    # Not true of NaN.
    if not least <= style.nodata <= most:
        raise BadParameter(f"nodata: this dataset has whole numbers from {least} to {most}.")


def bands_of(raster: DatasetReader, style: Style) -> int:
    """Return how many bands a picture takes in memory."""
    return max(len(parts(style.expression)), raster.count) if style.expression else len(style.bidx) or raster.count


def pictured(image: ImageData, own: Any, style: Style, format: TileFormat | None) -> Encoded:
    """Return an image as the style wants it, encoded; jpeg, or png where a pixel is masked, for no format.

    `own` is the colormap of the dataset. Raises BadParameter for what the style or the format cannot show.
    """
    image = processed(image, style)
    if ranges := style.rescale or _ranges(style, format):
        image.rescale(ranges)
    if style.color_formula:
        image.apply_color_formula(style.color_formula)
    data: Any = image.data
    mask: Any = image.mask
    colormap = colours(style) or (own if len(data) == 1 else None)
    if colormap:
        if len(data) > 1:
            raise BadParameter("colormap: give one band with bidx.")
        data, alpha = apply_cmap(data, colormap)
        mask = np.where(mask > 0, alpha, 0).astype(np.uint8)
    return _encoded(image, data, mask, style, format)


def processed(image: ImageData, style: Style) -> ImageData:
    """Return the image after the style's algorithm, or as it is."""
    if image.array.dtype == bool:
        # What a comparison returns; no picture is made of it.
        image.array = np.ma.asarray(image.array.astype(np.uint8))
    if style.algorithm is None:
        return image
    chosen = picked(style.algorithm, style.algorithm_params)
    pixel = (abs(image.transform.a), abs(image.transform.e)) if image.bounds else (1.0, 1.0)
    found = applied(chosen, image.array, pixel)
    # Where an algorithm cuts off the edge, the ground is smaller by so much.
    bounds, edge = image.bounds, chosen.edge
    if bounds and edge:
        wide, high = edge * pixel[0], edge * pixel[1]
        bounds = (bounds[0] + wide, bounds[1] + high, bounds[2] - wide, bounds[3] - high)
    return ImageData(found, crs=image.crs, bounds=bounds, band_descriptions=_names(chosen.name, len(found)))


def _names(name: str, count: int) -> list[str]:
    return [name] if count == 1 else [f"{name}_{index}" for index in range(1, count + 1)]


def _ranges(style: Style, format: TileFormat | None) -> tuple[tuple[float, float], ...]:
    """Return the range of values that an algorithm is known to have, for a picture."""
    known = RANGES.get(style.algorithm or "")
    return (known,) if known and format not in DRIVERS else ()


def colours(style: Style) -> Any:
    """Return the colormap that the style asks for, as rio-tiler takes one, or None; raises BadParameter."""
    if style.colormap_name:
        if style.colormap_name not in cmap.list():
            raise BadParameter("colormap_name: there is none of that name.")
        return cmap.get(style.colormap_name)
    if style.colormap and isinstance(style.colormap[0][0], tuple):
        return list(style.colormap)
    return dict(style.colormap) if style.colormap else None


def _encoded(image: ImageData, data: Any, mask: Any, style: Style, format: TileFormat | None) -> Encoded:
    chosen = format or (TileFormat.JPEG if mask.min() > 0 else TileFormat.PNG)
    if chosen in DRIVERS:
        if data is not image.data:
            image = ImageData(np.ma.MaskedArray(data), alpha_mask=mask, crs=image.crs, bounds=image.bounds)
        return Encoded(image.render(style.return_mask, DRIVERS[chosen]), chosen, "rio-tiler")
    with_alpha = style.return_mask and chosen is not TileFormat.JPEG
    _check_bands(chosen, len(data), with_alpha)
    # Masks are 0 or the least of their type where nothing is; only those of bytes have steps between.
    alpha = mask if mask.dtype == np.uint8 else np.where(mask > 0, 255, 0).astype(np.uint8)
    if data.dtype != np.uint8:
        # Without a range the whole of the type is spread over a byte, as TiTiler does it.
        data = utils.linear_rescale(data, in_range=dtype_ranges[str(data.dtype)]).astype(np.uint8)
    final = ImageData(np.ma.MaskedArray(data), alpha_mask=alpha)
    body = final.render(style.return_mask, chosen.upper(), **img_profiles[chosen.value])
    return Encoded(body, chosen, "rio-tiler")


def _check_bands(format: TileFormat, count: int, with_alpha: bool) -> None:
    if count in (1, 3):
        return
    if format is TileFormat.JPEG or count + with_alpha > RGBA or (format is TileFormat.WEBP and count != RGBA):
        raise BadParameter("A picture shows one band or three: choose them with bidx.")
