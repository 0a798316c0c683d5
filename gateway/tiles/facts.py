"""What rio-tiler tells of an open raster: info, statistics, values at a point, pictures of all or of a part."""

from __future__ import annotations

import math
import re
from typing import Any

from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.io import DatasetReader
from rasterio.warp import transform_bounds

from gateway.errors import BadParameter, NotFound
from gateway.tiles.clipping import Canvas, covered
from gateway.tiles.fallback import (
    MAX_VALUES,
    bands_of,
    check_amount,
    check_nodata,
    clipped,
    pictured,
    processed,
    reading,
    reads,
)
from gateway.tiles.model import Encoded, Style, TileFormat

DEGREES = CRS.from_epsg(4326)
GDAL_ERRORS = (RasterioError, CPLE_BaseError)
Size = tuple[int | None, int | None, int | None]
# GDAL counts rows and columns in 31 bits.
MAX_EXTENT_PIXELS = 1e9


def info(raster: DatasetReader) -> dict[str, Any]:
    """Return what TiTiler's /info has, the names of CRS and units, and the CRS as PROJ writes it."""
    with reading(raster) as reader:
        found = reader.info().model_dump(mode="json", exclude_none=True)
    return {**plain(found), **projection(raster), "band_units": list(raster.units)}


def projection(raster: DatasetReader) -> dict[str, str | None]:
    """Return the CRS' name and its PROJ string; None for what it has not."""
    crs = raster.crs
    if not crs:
        return {"crs_name": None, "crs_proj": None}
    # Every WKT begins with the kind and the name.
    name = re.match(r'\w+\["([^"]*)"', crs.to_wkt())
    return {"crs_name": name[1] if name else None, "crs_proj": crs.to_proj4() or None}


def zooms(raster: DatasetReader, tms: str) -> tuple[int, int]:
    """Return the least and the greatest useful zoom level."""
    with reading(raster, tms) as reader:
        return reader.minzoom, reader.maxzoom


def statistics(raster: DatasetReader, style: Style, max_size: int, **options: Any) -> dict[str, Any]:
    """Return the statistics of each band by its name; `options` are those of rio-tiler's ImageData."""
    side = min(max_size, math.isqrt(MAX_VALUES // max(1, bands_of(raster, style))))
    check_nodata(raster, style)
    with reading(raster) as reader:
        image = processed(reader.preview(max_size=side, **reads(style)), style)
        found = image.statistics(**options)
    return dict(plain({name: band.model_dump(mode="json") for name, band in found.items()}))


def point(raster: DatasetReader, place: tuple[float, float], coord_crs: str | None, style: Style) -> dict[str, Any]:
    """Return the values of each band at x and y of `coord_crs`, degrees unless given."""
    check_nodata(raster, style)
    with reading(raster) as reader:
        try:
            found = reader.point(
                *place,
                coord_crs=crs_of(coord_crs, "coord_crs") or DEGREES,
                indexes=style.bidx or None,
                expression=style.expression,
                nodata=style.nodata,
                unscale=style.unscale,
            )
        except GDAL_ERRORS:
            raise NotFound("The point cannot be brought into the CRS of the dataset.") from None
        return dict(
            plain(
                {
                    "coordinates": list(place),
                    "values": found.array.tolist(),
                    "band_names": found.band_names,
                    "band_descriptions": found.band_descriptions,
                }
            )
        )


def preview(raster: DatasetReader, style: Style, size: Size, format: TileFormat | None) -> Encoded:
    """Return a picture of the whole; `size` are max_size, width and height in pixels."""
    max_size, width, height = size
    _check_size(raster, style, size)
    with reading(raster) as reader:
        image = reader.preview(max_size=max_size, width=width, height=height, **reads(style))
        return pictured(image, reader.colormap, style, format)


def part(
    raster: DatasetReader,
    bounds: tuple[float, float, float, float],
    systems: tuple[str | None, str | None],
    style: Style,
    size: Size,
    format: TileFormat | None,
) -> Encoded:
    """Return a picture of `bounds` (west, south, east, north); `systems` are coord_crs and dst_crs."""
    coord_crs, dst_crs = crs_of(systems[0], "coord_crs"), crs_of(systems[1], "dst_crs")
    max_size, width, height = size
    _check_size(raster, style, size)
    _check_extent(raster, bounds, coord_crs or DEGREES)
    canvas = _canvas(raster, bounds, coord_crs or DEGREES, dst_crs or coord_crs or DEGREES, size)
    window = covered(raster, canvas) if canvas else None
    with reading(raster) as reader:
        if canvas is not None and window is not None:
            return pictured(clipped(reader, raster, canvas, window, style), reader.colormap, style, format)
        try:
            image = reader.part(
                bounds,
                bounds_crs=coord_crs or DEGREES,
                dst_crs=dst_crs or coord_crs or DEGREES,
                max_size=max_size,
                width=width,
                height=height,
                **reads(style),
            )
        except CPLE_BaseError:
            raise BadParameter("The bounds cannot be brought into the CRS of the dataset.") from None
        return pictured(image, reader.colormap, style, format)


def _canvas(
    raster: DatasetReader, bounds: tuple[float, float, float, float], crs: CRS, dst_crs: CRS, size: Size
) -> Canvas | None:
    """Return the ground of a picture, None for a raster or bounds that have no place."""
    max_size, width, height = size
    if not raster.crs:
        return None
    try:
        west, south, east, north = transform_bounds(crs, dst_crs, *bounds)
    except GDAL_ERRORS:
        return None
    ratio = (east - west) / (north - south) if north > south else math.nan
    if not (math.isfinite(ratio) and ratio > 0):
        return None
    if width is None and height is None:
        longest = max_size or MAX_VALUES
        width = longest if ratio >= 1 else max(1, round(longest * ratio))
    wide = width or max(1, round((height or 1) * ratio))
    high = height or max(1, round(wide / ratio))
    return Canvas((west, south, east, north), dst_crs, wide, high)


def _check_extent(raster: DatasetReader, bounds: tuple[float, float, float, float], crs: CRS) -> None:
    """Return when the bounds are no more pixels of the raster than GDAL can count; raises BadParameter."""
    try:
        west, south, east, north = transform_bounds(crs, raster.crs, *bounds) if raster.crs else bounds
    except GDAL_ERRORS:
        raise BadParameter("The bounds cannot be brought into the CRS of the dataset.") from None
    across, down = abs(east - west) / abs(raster.res[0]), abs(north - south) / abs(raster.res[1])
    # Not true of NaN either.
    if not max(across, down) < MAX_EXTENT_PIXELS:
        raise BadParameter("The bounds are far larger than the dataset.")


def _check_size(raster: DatasetReader, style: Style, size: Size) -> None:
    max_size, width, height = size
    check_amount(raster, style, width or max_size or raster.width, height or max_size or raster.height)


def crs_of(text: str | None, name: str) -> CRS | None:
    """Return the CRS that the parameter `name` has as EPSG:3857; raises BadParameter for one that is not there."""
    if text is None:
        return None
    try:
        return CRS.from_user_input(text)
    except CRSError:
        raise BadParameter(f"{name}: there is no such CRS.") from None


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
