"""What an open raster is, in numbers: info, zoom levels, statistics, values at a point."""

from __future__ import annotations

import math
import re
from typing import Any

import morecantile
import numpy as np
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rasterio.rio.overview import get_maximum_overview_level
from rasterio.windows import Window
from rio_tiler.models import ImageData
from rio_tiler.utils import CRS_to_uri

from gateway.colour.model import Style
from gateway.colour.values import Ground, image_of
from gateway.errors import BadParameter, CannotBeDrawn, NotFound
from gateway.ground.areas import check_place, crs_of
from gateway.ground.degrees import geographic_bounds
from gateway.ground.grid import Frame
from gateway.ground.systems import DEGREES, transform_of
from gateway.reading.foreign import Blamed
from gateway.reading.handles import Handle
from gateway.reading.source import Drawn, read_source
from gateway.reading.view import View
from gateway.tiles.drawing import bands_read, check_nodata
from gateway.tiles.model import OnMap
from gateway.tiles.pictures import Size, whole
from gateway.tiles.warp import placed
from gateway.tiles.wmts import grid

# Of statistics: bands at once, and pixels times bands that are sorted and counted.
MAX_BANDS, MAX_COUNTED = 512, 1 << 23


def info(handle: Handle) -> dict[str, Any]:
    """Return what TiTiler's /info has, the names of CRS and units, and the CRS as PROJ writes it.

    `crs` is None for a raster without one.
    """
    view = handle.view
    with handle.lock:
        raster = handle.level(0)
        crs = CRS.from_wkt(view.crs) if view.crs else raster.crs
        found = {
            "bounds": list(view.place.bounds if view.place else raster.bounds),
            "crs": (CRS_to_uri(crs) or crs.to_wkt()) if crs else None,
            "band_metadata": [[f"b{band}", raster.tags(band)] for band in raster.indexes],
            "band_descriptions": [[f"b{i}", name] for i, name in enumerate(view.descriptions, 1)],
            "dtype": view.dtype,
            "nodata_type": _nodata_type(handle),
            "colorinterp": [kind.name for kind in raster.colorinterp],
            "scales": list(raster.scales),
            "offsets": list(raster.offsets),
            "driver": raster.driver,
            "count": raster.count,
            "width": raster.width,
            "height": raster.height,
            "overviews": raster.overviews(1),
            **projection(crs),
            "band_units": list(raster.units),
            **_rest(raster),
        }
    if view.colormap:
        found["colormap"] = {str(value): list(colour) for value, colour in view.colormap}
    return dict(plain(found))


def projection(crs: CRS | None) -> dict[str, str | None]:
    """Return the CRS' name and its PROJ string; None for what it has not."""
    if not crs:
        return {"crs_name": None, "crs_proj": None}
    # Every WKT begins with the kind and the name.
    name = re.match(r'\w+\["([^"]*)"', crs.to_wkt())
    return {"crs_name": name[1] if name else None, "crs_proj": crs.to_proj4() or None}


def _nodata_type(handle: Handle) -> str:
    view = handle.view
    if view.nodata is not None:
        return "Nodata"
    return "Alpha" if view.alpha is not None else "Mask" if view.masked else "None"


def _rest(raster: DatasetReader) -> dict[str, Any]:
    """Return what stands there only where the file has it."""
    found: dict[str, Any] = {} if raster.nodata is None else {"nodata_value": raster.nodata}
    tags = [raster.tags(band) for band in raster.indexes]
    names = "STATISTICS_MINIMUM", "STATISTICS_MAXIMUM"
    try:
        ranges = [[float(each[name]) for name in names] for each in tags if all(name in each for name in names)]
    except ValueError:
        ranges = []
    return found | ({"minmax": ranges} if ranges else {})


def on_map(handle: Handle, tms: str) -> OnMap:
    """Return where a dataset lies, and the zoom levels of a grid that fit it; raises NoPlace and NotFound."""
    chosen = grid(tms)
    bounds = handle.once("bounds", lambda: geographic_bounds(handle.view.placed))
    least, most = _zooms(handle, chosen)
    most = min(max(most, chosen.minzoom), chosen.maxzoom)
    return OnMap(bounds, min(max(least, chosen.minzoom), most), most, (chosen.minzoom, chosen.maxzoom))


def _zooms(handle: Handle, chosen: morecantile.TileMatrixSet) -> tuple[int, int]:
    """Return the zoom levels at which all of a raster is about one tile, and at which tiles are as fine as it."""
    placing = placed(handle, chosen.crs.to_wkt())
    width, height = placing.size or handle.view.size
    coarsest = get_maximum_overview_level(width, height, minsize=chosen.tileMatrices[0].tileWidth)
    finest = max(placing.pixel)
    return chosen.zoom_for_res(finest * 2**coarsest), chosen.zoom_for_res(finest)


def statistics(
    handle: Handle, style: Style, size: Size, dst_crs: str | None = None, **options: Any
) -> dict[str, Any]:
    """Return the statistics of each band by its name; `options` are those of rio-tiler's ImageData.

    Raises BadParameter for more bands than are worked through at once.
    """
    check_nodata(handle.view, style)
    limited = counted_size(size, len(bands_read(style, handle.view)))
    found, ground = whole(handle, style, limited, dst_crs)
    return statistics_of(found, handle.view, style, ground, options)


def counted_size(size: Size, bands: int) -> Size:
    """Return the size in which so many bands are worked through; raises BadParameter for more than are at once."""
    if bands > MAX_BANDS:
        raise BadParameter(f"bidx: statistics of {bands} bands; the limit is {MAX_BANDS} at once.")
    most = math.isqrt(MAX_COUNTED // max(1, bands))
    return (min(size[0], most), None, None) if size[0] else size


def statistics_of(
    found: Drawn, view: View, style: Style, ground: Frame | None, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the statistics of each band of values by its name; raises CannotBeDrawn for what has no order."""
    image, _ = image_of(found, style, view, Ground(ground.crs, ground.bounds) if ground else Ground())
    if image.array.dtype.kind == "c":
        raise CannotBeDrawn("The values are complex numbers, which have no order.")
    if image.array.dtype.kind == "f":
        image.array = np.ma.masked_invalid(image.array)
    with Blamed(CannotBeDrawn("These values have no statistics.")):
        counted = image.statistics(**options)
    return dict(plain({name: band.model_dump(mode="json") for name, band in counted.items()}))


def point(handle: Handle, place: tuple[float, float], coord_crs: str | None, style: Style) -> dict[str, Any]:
    """Return the values of each band at x and y of `coord_crs`, degrees unless given.

    Raises NoPlace, NotFound outside of the data, and CannotBeDrawn for complex values.
    """
    return _told(_pixel(handle, place, coord_crs, style), place)


def point_of_layer(handle: Handle, place: tuple[float, float], coord_crs: str | None, style: Style) -> dict[str, Any]:
    """Return what `point` returns, and as `compared` the values with those that are nodata; raises what it raises."""
    image = _pixel(handle, place, coord_crs, style)
    return _told(image, place) | {"compared": image.array.data[:, 0, 0].tolist()}


def _pixel(handle: Handle, place: tuple[float, float], coord_crs: str | None, style: Style) -> ImageData:
    view = handle.view
    check_nodata(view, style)
    crs = crs_of(coord_crs, "coord_crs") or DEGREES
    check_place(place, crs)
    ground = view.placed
    x, y = transform_of(crs, ground.crs)(np.array([place[0]]), np.array([place[1]]))
    columns, rows = ground.pixels(x, y)
    if not (0 <= columns[0] < view.size[0] and 0 <= rows[0] < view.size[1]):
        raise NotFound("That lies outside of the data.")
    nodata = view.nodata if style.nodata is None else style.nodata
    window = Window(int(columns[0]), int(rows[0]), 1, 1)
    source = read_source(handle, 0, window, bands_read(style, view), nodata)
    image, _ = image_of(Drawn(source.pixels, source.mask), style, view, Ground())
    if image.array.dtype.kind == "c":
        raise CannotBeDrawn("The values are complex numbers: ask for a part of them, as real(b1).")
    return image


def _told(image: ImageData, place: tuple[float, float]) -> dict[str, Any]:
    return dict(
        plain(
            {
                "coordinates": list(place),
                "values": image.array[:, 0, 0].tolist(),
                "band_names": image.band_names,
                "band_descriptions": image.band_descriptions,
            }
        )
    )


def feature(handle: Handle, frame: Frame, pixel: tuple[int, int], style: Style) -> dict[str, Any]:
    """Return what `point` returns of the middle of a pixel (column, row) of a tile; raises what it raises."""
    wide, high = frame.pixel
    x, y = np.array([frame.left + (pixel[0] + 0.5) * wide]), np.array([frame.top - (pixel[1] + 0.5) * high])
    longitude, latitude = transform_of(frame.crs, DEGREES)(x, y)
    if not np.isfinite(longitude[0]):
        raise NotFound("That lies outside of the data.")
    return point(handle, (float(longitude[0]), float(latitude[0])), None, style)


def plain(value: Any) -> Any:
    """Return a value that JSON can hold: no NaN and no infinity."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
