"""What a dataset holds, in numbers and pictures: info, statistics, values at a point, preview, a part."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from gateway.errors import BadParameter
from gateway.handlers.access import METADATA, access
from gateway.handlers.base import json_bytes
from gateway.handlers.tiles import MapHandler, tag_of
from gateway.model import Dataset
from gateway.tiles import parameters
from gateway.tiles.model import Encoded, Style, TileFormat

DEFAULT_SIDE = 1024
Size = tuple[int | None, int | None, int | None]


class RasterHandler(MapHandler):
    """A resource that rio-tiler answers from a kept raster."""

    async def send_facts(self, dataset_id: str, what: tuple[object, ...], work: Any) -> None:
        """Send the JSON that `work` makes of the open raster, unless the client has it."""
        dataset, _ = await self.viewed(dataset_id)
        self.set_cache(dataset)
        if self.has_it(tag_of(dataset.version, type(self).__name__, *what)):
            return
        found = await self.drawn(self.opened, dataset, work)
        self.set_header("Content-Type", "application/geo+json" if "geometry" in found else "application/json")
        self.finish(json_bytes(found))

    async def send_drawn(self, dataset_id: str, what: tuple[object, ...], style: Style, work: Any) -> None:
        """Send the picture that `work` makes of the open raster with the style, unless the client has it."""
        dataset, _ = await self.viewed(dataset_id)
        self.set_cache(dataset)
        if self.has_it(tag_of(dataset.version, type(self).__name__, style, *what)):
            return
        self.send_picture(await self.drawn(self.painted, dataset, style, work))

    def opened(self, dataset: Dataset, work: Any) -> dict[str, Any]:
        """Return what `work` makes of the open raster."""
        from gateway.tiles import facts  # noqa: PLC0415 - rio-tiler takes long to import

        with self.services.tiles.opened(dataset) as raster:
            found: dict[str, Any] = work(facts, raster)
            return found

    def painted(self, dataset: Dataset, style: Style, work: Any) -> Encoded:
        """Return the picture, in the dataset's own range of values where the style names none."""
        from gateway.tiles import facts  # noqa: PLC0415

        engine = self.services.tiles
        stretch = None if style.rescale or style.expression or style.color_formula else engine.stretch(dataset)
        with engine.opened(dataset) as raster:
            bands = style.bidx or (1, 2, 3)[: 3 if raster.count >= 3 else 1]
            if any(band > raster.count for band in bands):
                raise BadParameter(f"bidx: this dataset has the bands 1 to {raster.count}.")
            ranges = tuple(stretch.bands[band - 1] for band in bands) if stretch else style.rescale
            chosen = style if style.expression else replace(style, bidx=bands, rescale=ranges)
            picture: Encoded = work(facts, raster, chosen)
            return picture

    def size(self) -> Size:
        """Return max_size, width and height of the query, width and height together or not at all."""
        arguments = self.request.query_arguments
        most, width, height = (
            parameters.integer(arguments, name, 1, parameters.MAX_SIDE) for name in ("max_size", "width", "height")
        )
        return (None, width, height) if width and height else (most or DEFAULT_SIDE, None, None)


class InfoHandler(RasterHandler):
    """Bounds, bands, data type, nodata, overviews."""

    @access(METADATA)
    async def get(self, dataset_id: str) -> None:
        """Send the info."""
        await self.send_facts(dataset_id, (), lambda facts, raster: facts.info(raster))

    head = get


class InfoGeoJsonHandler(RasterHandler):
    """The info as a GeoJSON feature (RFC 7946)."""

    @access(METADATA)
    async def get(self, dataset_id: str) -> None:
        """Send the feature; its geometry is the bounds in degrees."""
        dataset, _ = await self.viewed(dataset_id)
        bounds = dataset.raster.bounds if dataset.raster else None

        def feature(facts: Any, raster: Any) -> dict[str, Any]:
            return {"type": "Feature", "geometry": _polygon(bounds), "properties": facts.info(raster), "bbox": bounds}

        await self.send_facts(dataset_id, (), feature)

    head = get


class StatisticsHandler(RasterHandler):
    """Minimum, maximum, percentiles and histogram of each band."""

    @access(METADATA)
    async def get(self, dataset_id: str) -> None:
        """Send the statistics by band."""
        arguments = self.request.query_arguments
        style = parameters.style_of(arguments)
        most = parameters.integer(arguments, "max_size", 1, parameters.MAX_SIDE) or DEFAULT_SIDE
        options = {
            "categorical": parameters.flag(arguments, "categorical", default=False),
            "percentiles": _percentiles(arguments),
            "bins": parameters.integer(arguments, "histogram_bins", 1, 1000) or 10,
        }
        await self.send_facts(
            dataset_id,
            (style, most, options),
            lambda facts, raster: facts.statistics(raster, style, most, **options),
        )

    head = get


class PointHandler(RasterHandler):
    """The values at one place."""

    @access(METADATA)
    async def get(self, dataset_id: str, lon: str, lat: str) -> None:
        """Send the value of each band, null where there is none."""
        arguments = self.request.query_arguments
        style, place = parameters.style_of(arguments), _numbers((lon, lat))
        crs = parameters.text(arguments, "coord_crs")
        await self.send_facts(
            dataset_id, (style, place, crs), lambda facts, raster: facts.point(raster, place, crs, style)
        )

    head = get


class PreviewHandler(RasterHandler):
    """A small picture of the whole."""

    @access(METADATA)
    async def get(self, dataset_id: str, width: str | None, height: str | None, extension: str | None) -> None:
        """Send the picture, at most max_size pixels a side unless width and height are given."""
        style, size = parameters.style_of(self.request.query_arguments), sized(width, height, self.size())
        wanted = parameters.format_of(extension)
        await self.send_drawn(
            dataset_id,
            (size, wanted),
            style,
            lambda facts, raster, chosen: facts.preview(raster, chosen, size, wanted),
        )

    head = get


class PartHandler(RasterHandler):
    """A picture of a part, by its bounds."""

    @access(METADATA)
    async def get(self, dataset_id: str, *place: str | None) -> None:
        """Send the picture of minx, miny, maxx, maxy in coord_crs, drawn in dst_crs."""
        *corners, width, height, extension = place
        arguments = self.request.query_arguments
        style, size = parameters.style_of(arguments), sized(width, height, self.size())
        bounds, wanted = _numbers(corners), parameters.format_of(extension) or TileFormat.PNG
        if bounds[0] >= bounds[2] or bounds[1] >= bounds[3]:
            raise BadParameter("The bounds must be minx,miny,maxx,maxy.")
        systems = parameters.text(arguments, "coord_crs"), parameters.text(arguments, "dst_crs")
        await self.send_drawn(
            dataset_id,
            (bounds, size, wanted, systems),
            style,
            lambda facts, raster, chosen: facts.part(raster, bounds, systems, chosen, size, wanted),
        )

    head = get


def sized(width: str | None, height: str | None, otherwise: Size) -> Size:
    """Return the size that a path names, within bounds, or the other one."""
    if width is None or height is None:
        return otherwise
    if not (1 <= int(width) <= parameters.MAX_SIDE and 1 <= int(height) <= parameters.MAX_SIDE):
        raise BadParameter(f"The width and height of a picture are from 1 to {parameters.MAX_SIDE}.")
    return None, int(width), int(height)


def _numbers(texts: Any) -> tuple[float, ...]:
    try:
        found = tuple(float(text) for text in texts)
    except (TypeError, ValueError):
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise BadParameter("The coordinates in the path must be numbers.")
    return found


def _percentiles(arguments: parameters.Arguments) -> list[float]:
    try:
        found = [float(value) for value in parameters.texts(arguments, "p")] or [2.0, 98.0]
    except ValueError:
        found = [math.nan]
    if not all(0 <= value <= 100 for value in found) or len(found) > 100:
        raise BadParameter("The parameter p must be a percentile from 0 to 100.")
    return found


def _polygon(bounds: tuple[float, float, float, float] | None) -> dict[str, Any] | None:
    if bounds is None:
        return None
    west, south, east, north = bounds
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}
