"""What rio-tiler tells of an open raster: info, statistics, values at a point, pictures of all or of a part."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import morecantile
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.io import DatasetReader
from rio_tiler.errors import PointOutsideBounds, RioTilerError, TileOutsideBounds
from rio_tiler.io import Reader

from gateway.errors import BadParameter, NotFound
from gateway.tiles.fallback import encoded, paints
from gateway.tiles.model import Encoded, Style, TileFormat

DEGREES = CRS.from_epsg(4326)
GDAL_ERRORS = (RasterioError, CPLE_BaseError)


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
        except (RioTilerError, ValueError, LookupError, SyntaxError) as error:
            raise BadParameter(
                "This dataset cannot be read so: a band, expression or bounds do not fit it."
            ) from error


def info(raster: DatasetReader) -> dict[str, Any]:
    """Return what TiTiler's /info has, without the local name."""
    with reading(raster) as reader:
        found = reader.info().model_dump(mode="json", exclude_none=True)
    found.pop("driver", None)
    return dict(plain(found))


def zooms(raster: DatasetReader, tms: str) -> tuple[int, int]:
    """Return the least and the greatest useful zoom level."""
    with reading(raster, tms) as reader:
        return reader.minzoom, reader.maxzoom


def statistics(raster: DatasetReader, style: Style, max_size: int, **options: Any) -> dict[str, Any]:
    """Return the statistics of each band by its name; `options` are categorical, percentiles and bins."""
    with reading(raster) as reader:
        found = reader.statistics(
            indexes=style.bidx or None,
            expression=style.expression,
            nodata=style.nodata,
            unscale=style.unscale,
            max_size=max_size,
            categorical=options["categorical"],
            percentiles=options["percentiles"],
            hist_options={"bins": options["bins"]},
        )
    return dict(plain({name: band.model_dump(mode="json") for name, band in found.items()}))


def point(raster: DatasetReader, place: tuple[float, float], coord_crs: str | None, style: Style) -> dict[str, Any]:
    """Return the values of each band at x and y of `coord_crs`, degrees unless given."""
    with reading(raster) as reader:
        try:
            found = reader.point(
                *place,
                coord_crs=crs_of(coord_crs) or DEGREES,
                indexes=style.bidx or None,
                expression=style.expression,
                nodata=style.nodata,
                unscale=style.unscale,
            )
        except GDAL_ERRORS:
            raise NotFound("The point cannot be brought into the CRS of the dataset.") from None
        values = [
            None if masked else value for value, masked in zip(found.data.tolist(), found.mask == 0, strict=False)
        ]
        if found.mask.min() == 0:
            values = [None] * len(found.data)
        return dict(plain({"coordinates": list(place), "values": values, "band_names": found.band_names}))


def preview(
    raster: DatasetReader, style: Style, size: tuple[int | None, int | None, int | None], format: TileFormat | None
) -> Encoded:
    """Return a picture of the whole; `size` are max_size, width and height in pixels."""
    max_size, width, height = size
    with reading(raster) as reader:
        image = reader.preview(max_size=max_size, width=width, height=height, **_options(style))
        return encoded(image, paints(style) or reader.colormap, style, format)


def part(
    raster: DatasetReader,
    bounds: tuple[float, float, float, float],
    systems: tuple[str | None, str | None],
    style: Style,
    size: tuple[int | None, int | None, int | None],
    format: TileFormat | None,
) -> Encoded:
    """Return a picture of `bounds` (west, south, east, north); `systems` are coord_crs and dst_crs."""
    coord_crs, dst_crs = systems
    max_size, width, height = size
    with reading(raster) as reader:
        image = reader.part(
            bounds,
            bounds_crs=crs_of(coord_crs) or DEGREES,
            dst_crs=crs_of(dst_crs) or crs_of(coord_crs) or DEGREES,
            max_size=max_size,
            width=width,
            height=height,
            **_options(style),
        )
        return encoded(image, paints(style) or reader.colormap, style, format)


def crs_of(text: str | None) -> CRS | None:
    """Return the CRS of a short name such as EPSG:3857; raises BadParameter. Texts that name files are refused."""
    if text is None:
        return None
    authority, _, code = text.partition(":")
    if authority.upper() not in ("EPSG", "OGC", "ESRI", "IAU_2015") or not code.isalnum() or len(code) > 12:
        raise BadParameter("A CRS must be given like EPSG:3857.")
    try:
        return CRS.from_user_input(text)
    except CRSError:
        raise BadParameter("There is no such CRS.") from None


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _options(style: Style) -> dict[str, Any]:
    return {
        "indexes": None if style.expression else style.bidx or None,
        "expression": style.expression,
        "nodata": style.nodata,
        "unscale": style.unscale,
        "resampling_method": style.resampling,
        "reproject_method": style.reproject,
    }
