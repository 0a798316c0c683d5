"""Pictures and values of any ground: read by our own way or GDAL's, and from there on all alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError

from gateway.cog.parts import PartTooLarge
from gateway.colour.encode import encode
from gateway.colour.model import Encoded, Style, TileFormat
from gateway.colour.paint import PICTURES, asked, check_bands, picture
from gateway.errors import BadParameter
from gateway.ground.grid import Frame
from gateway.reading.colormap import Colormap
from gateway.reading.handles import Handle
from gateway.reading.source import Drawn, kept_nodata
from gateway.reading.view import View
from gateway.tiles.warp import OtherKernel, Request, draw

# Pixels times bands of one picture: what a thread holds of them in memory, some times over.
MAX_VALUES = 1 << 25
INSTEAD = "Name a width and height, ask for less of it, or take the pixels of the file with native=true."


def drawn_tile(
    handle: Handle, frame: Frame, style: Style, format: TileFormat | None, block: Drawn | None = None
) -> Encoded:
    """Return a tile by a resolved style; `block` is the stored block that holds its pixels, where one does.

    Raises NoPlace, BadParameter and CannotBeDrawn.
    """
    check_amount(handle.view, style, *frame.shape)
    found, way = (block, "hot") if block is not None else read(handle, frame, style)
    if found is not None:
        return finished(handle.view, found, frame, style, format, way)
    if format in (None, *PICTURES):
        return blank(frame.shape, format)
    empty = finished(handle.view, nothing(handle, frame, style), frame, style, format, way)
    return Encoded(empty.body, empty.format, "empty")


def read(handle: Handle, frame: Frame, style: Style) -> tuple[Drawn | None, str]:
    """Return the values on a ground, None where the raster does not reach it; and the way that they were read."""
    request = request_of(handle.view, style)
    try:
        return draw(handle, frame, request), "hot"
    except OtherKernel:
        return _by_gdal(handle, frame, request), "rio-tiler"


def request_of(view: View, style: Style) -> Request:
    """Return what has to be read for a style; raises BadParameter for bands that are not there."""
    nodata = view.nodata if style.nodata is None else style.nodata
    return Request(bands_read(style, view), nodata, style.resampling, style.reproject)


def bands_read(style: Style, view: View) -> tuple[int, ...]:
    """Return the bands that a style needs; raises BadParameter for one that the dataset has not."""
    check_bands(style, view)
    if not style.expression:
        return style.bidx or view.bands
    from gateway.colour.values import bands_of  # noqa: PLC0415 - rio-tiler takes long to import

    return bands_of(style, view)


def finished(
    view: View, found: Drawn, ground: Frame | None, style: Style, format: TileFormat | None, way: str
) -> Encoded:
    """Return what was read as a picture, or as values; `ground` is None for what lies nowhere."""
    plain = not (style.expression or style.algorithm or (style.unscale and view.scaled))
    if plain and format in (None, *PICTURES):
        return picture(found, style, view.colormap, format, way)
    from gateway.colour.values import Ground, handed_out, image_of  # noqa: PLC0415 - rio-tiler takes long to import

    place = Ground() if ground is None else Ground(ground.crs, ground.bounds)
    image, mask = image_of(found, style, view, place)
    values = Drawn(np.ascontiguousarray(image.array.data), mask)
    if format is not None and format not in PICTURES:
        return handed_out(image, asked(values, style), style, format)
    # The colours of the dataset are of its values, not of what an expression made of them.
    own = None if style.expression or style.algorithm else view.colormap
    return picture(values, style, own, format, "rio-tiler")


def check_amount(view: View, style: Style, height: int, width: int, format: TileFormat | None = None) -> None:
    """Return when a picture of that size can be read with that style.

    Raises BadParameter, and PartTooLarge for values: they are asked for in the resolution of the file.
    """
    check_nodata(view, style)
    bands = len(bands_read(style, view))
    if format is not None and format.carries_values:
        check_values(width * height * bands, view.numbers.itemsize)
    if width * height * bands > MAX_VALUES:
        raise BadParameter(
            f"bidx, width, height: {width} x {height} x {bands} bands; the limit is {MAX_VALUES} values."
        )


def check_values(count: int, itemsize: int, most_bytes: int | None = None) -> None:
    """Return when so many values may be given at once; raises PartTooLarge, which says the limit."""
    limit = min(MAX_VALUES * itemsize, MAX_VALUES * itemsize if most_bytes is None else most_bytes)
    if count * itemsize > limit:
        raise PartTooLarge(count * itemsize, limit, INSTEAD)


def check_nodata(view: View, style: Style) -> None:
    """Return when the nodata value of the style is one that pixels may have; raises BadParameter."""
    if style.nodata is None or not view.dtype.startswith(("int", "uint")):
        return
    limits = np.iinfo(view.dtype)
    # Not true of NaN.
    if not limits.min <= style.nodata <= limits.max:
        raise BadParameter(f"nodata: this dataset has whole numbers from {limits.min} to {limits.max}.")


def _by_gdal(handle: Handle, frame: Frame, request: Request) -> Drawn | None:
    if handle.view.numbers.kind == "c":
        raise BadParameter("resampling, reproject: complex values are drawn by the nearest alone.")
    # rio-tiler takes a fifth of a second to import, and most processes never need it.
    from gateway.tiles.resampled import resampled  # noqa: PLC0415

    try:
        return resampled(handle, frame, request)
    except (RasterioError, CPLE_BaseError, ValueError):
        # GDAL finds no way for some ground; a block that cannot be decoded is told here.
        return draw(handle, frame, Request(request.bands, request.nodata))


def blank(shape: tuple[int, int], format: TileFormat | None) -> Encoded:
    """Return a picture of nothing: transparent, or black where the format cannot be; PNG without a format."""
    return _blank(shape, format or TileFormat.PNG)


@lru_cache(maxsize=64)
def _blank(shape: tuple[int, int], format: TileFormat) -> Encoded:
    return Encoded(encode(format, np.zeros((3, *shape), np.uint8), np.zeros(shape, np.uint8)), format, "empty")


def nothing(handle: Handle, ground: Frame, style: Style) -> Drawn:
    """Return a ground without a valid value."""
    request = request_of(handle.view, style)
    dtype = handle.view.numbers
    pixels = np.full((len(request.bands), *ground.shape), kept_nodata(request.nodata, dtype), dtype)
    return Drawn(pixels, np.zeros(ground.shape, np.uint8))


def view_of(drawn: Drawn, names: Sequence[str], colormap: Colormap | None) -> View:
    """Return the facts of a raster that would hold some pixels; `names` are those of its first bands."""
    count, rows, columns = drawn.pixels.shape
    bands = tuple(range(1, count + 1))
    return View(
        place=None,
        levels=((columns, rows),),
        bands=bands,
        alpha=None,
        masked=False,
        dtype=str(drawn.pixels.dtype),
        mixed=False,
        nodata=None,
        colormap=colormap,
        scales=((1, 0),) * count,
        descriptions=(*names, *(f"b{band}" for band in bands[len(names) :]))[:count],
    )
