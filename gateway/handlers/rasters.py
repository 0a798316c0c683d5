"""What a dataset holds, in numbers and pictures: info, statistics, values at a point, preview, a part."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from gateway.colour.model import Encoded, Style, TileFormat
from gateway.errors import BadParameter, NoPlace
from gateway.ground.bounds import MAX_COORDINATE, GeographicBounds, check_degrees
from gateway.handlers.access import METADATA, access
from gateway.handlers.nativeparts import NativePartHandler
from gateway.handlers.problems import json_bytes
from gateway.handlers.tiles import DEFAULT_GRID, SLOW_COST, MapHandler, tag_of
from gateway.handlers.values import bands_told, most_bytes
from gateway.jobs import WantedPart
from gateway.model import Dataset
from gateway.studio import Source, Task, tasks
from gateway.tiles import parameters

DEFAULT_SIDE = 1024
Size = tuple[int | None, int | None, int | None]
NO_SIZE: Size = (None, None, None)
# coord_crs and dst_crs.
Systems = tuple[str | None, str | None]


class RasterHandler(MapHandler):
    """A resource that the studio answers from an open raster."""

    async def send_facts(
        self, dataset_id: str, what: tuple[object, ...], make: Callable[[Source], Task[dict[str, Any]]]
    ) -> None:
        """Send the JSON that a task comes to, unless the client has it."""

        async def send(dataset: Dataset) -> None:
            dataset = await self.prepared(dataset)
            bounds = dataset.raster and dataset.raster.bounds
            if self.has_it(tag_of(dataset.version, type(self).__name__, bounds, *what)):
                return
            self.spend(SLOW_COST)
            found = self.document(dataset, await self.drawn(dataset, make))
            self.set_header("Content-Type", "application/geo+json" if "geometry" in found else "application/json")
            self.finish(json_bytes(found))

        await self.in_version(dataset_id, send)

    async def prepared(self, dataset: Dataset) -> Dataset:
        """Return the dataset with what its document needs of the record."""
        return dataset

    def document(self, _: Dataset, found: dict[str, Any]) -> dict[str, Any]:
        """Return what is sent of what was found."""
        return found

    async def send_drawn(
        self,
        dataset_id: str,
        size: Size,
        wanted: TileFormat | None,
        what: Mapping[str, object],
        make: Callable[[Source, Style], Task[Encoded]],
    ) -> None:
        """Send what a task draws, unless the client has it; `what` tells it from others of its size."""
        style = parameters.style_of(self.request.query_arguments)

        async def send(dataset: Dataset) -> None:
            if self.has_it(tag_of(dataset.version, style, wanted, size, *what.items())):
                return
            self.spend(SLOW_COST)
            longest = most_bytes(pixels_of(size), wanted, style, dataset)
            drawn = await self.drawn(dataset, lambda source: make(source, style), longest)
            await self.send_drawn_body(drawn, dataset, style, {**what, "size": size})

        await self.in_version(dataset_id, send)

    def native_bands(self, size: Size, wanted: TileFormat | None) -> tuple[int, ...]:
        """Return which bands of the file's own pixels are wanted; raises BadParameter for what changes pixels."""
        arguments = self.request.query_arguments
        asked, dst_crs = parameters.style_of(arguments), parameters.crs(arguments, "dst_crs")
        if wanted is not TileFormat.TIF or asked != Style(bidx=asked.bidx) or size != NO_SIZE or dst_crs:
            raise BadParameter("native: the pixels of the file come as .tif, by bidx and coord_crs alone.")
        return asked.bidx

    def size(self, width: str | None, height: str | None, otherwise: int | None) -> Size:
        """Return max_size, width and height: those of the path, else of the query; the first only without these."""
        return size_of(self.request.query_arguments, width, height, otherwise)


class InfoHandler(RasterHandler):
    """Bounds, bands, data type, nodata, overviews."""

    @access(METADATA)
    async def get(self, dataset_id: str) -> None:
        """Send the info."""
        await self.send_facts(dataset_id, (), tasks.info)

    head = get


class InfoGeoJsonHandler(RasterHandler):
    """The info as a GeoJSON feature (RFC 7946)."""

    @access(METADATA)
    async def get(self, dataset_id: str) -> None:
        """Send the feature; its geometry is the bounds in degrees."""
        await self.send_facts(dataset_id, (), tasks.info)

    head = get

    async def prepared(self, dataset: Dataset) -> Dataset:
        """Return the dataset with bounds, where it has a place on a map."""
        if dataset.raster is None or dataset.raster.bounds is not None:
            return dataset
        try:
            lies = await self.drawn(dataset, lambda source: tasks.on_map(source, DEFAULT_GRID))
        except NoPlace:
            return dataset
        return await self.keep_bounds(dataset, lies.bounds)

    def document(self, dataset: Dataset, found: dict[str, Any]) -> dict[str, Any]:
        """Return the feature."""
        lies = dataset.raster.bounds if dataset.raster else None
        bounds = GeographicBounds.of(*lies) if lies else None
        geometry, bbox = (bounds.geometry, bounds.as_tuple) if bounds else (None, None)
        return {"type": "Feature", "geometry": geometry, "properties": found, "bbox": bbox}


class PointHandler(RasterHandler):
    """The values at one place."""

    @access(METADATA)
    async def get(self, dataset_id: str, lon: str, lat: str) -> None:
        """Send the value of each band, null where there is none."""
        arguments = self.request.query_arguments
        style, place = parameters.style_of(arguments), numbers((lon, lat))
        crs = parameters.crs(arguments, "coord_crs")
        if crs is None:
            check_degrees(*place)
        await self.send_facts(dataset_id, (style, place, crs), lambda source: tasks.point(source, place, crs, style))

    head = get


class PreviewHandler(RasterHandler):
    """A small picture of the whole."""

    def named_format(self) -> str | None:
        """Return the format in the path."""
        return self.path_args[-1]

    @access(METADATA)
    async def get(self, dataset_id: str, width: str | None, height: str | None, extension: str | None) -> None:
        """Send the picture, at most max_size pixels a side unless width or height is given."""
        size, wanted = self.size(width, height, DEFAULT_SIDE), parameters.format_of(extension)
        dst_crs = parameters.crs(self.request.query_arguments, "dst_crs")
        await self.send_drawn(
            dataset_id,
            size,
            wanted,
            {"route": "preview", "crs": dst_crs},
            lambda source, style: tasks.preview(source, style, size, wanted, dst_crs),
        )

    head = get


class PartHandler(RasterHandler, NativePartHandler):
    """A picture of a part, by its bounds; with native=true the part of the file itself."""

    def named_format(self) -> str | None:
        """Return the format in the path."""
        return self.path_args[-1]

    @access(METADATA)
    async def get(self, dataset_id: str, *place: str | None) -> None:
        """Send the picture of minx, miny, maxx, maxy in coord_crs, drawn in dst_crs, in the file's own resolution.

        A picture is reduced to what one may have, and values are not. In degrees minx > maxx crosses the
        antimeridian.
        """
        *corners, width, height, extension = place
        arguments = self.request.query_arguments
        bounds, wanted = numbers(corners), parameters.format_of(extension) or TileFormat.PNG
        size = self.size(width, height, None if wanted.carries_values else parameters.MAX_SIDE)
        systems = parameters.crs(arguments, "coord_crs"), parameters.crs(arguments, "dst_crs")
        if systems[0] is None:
            check_degrees(*bounds[:2])
            check_degrees(*bounds[2:])
        if bounds[1] >= bounds[3] or (systems[0] and bounds[0] >= bounds[2]) or bounds[0] == bounds[2]:
            raise BadParameter("The bounds must be minx,miny,maxx,maxy.")
        if parameters.flag(arguments, "native", default=False):
            await self.send_native_box(dataset_id, bounds, size, wanted, systems)
            return
        most = self.services.settings.part_mb << 20
        await self.send_drawn(
            dataset_id,
            size,
            wanted,
            {"route": "bbox", "box": bounds, "crs": systems},
            lambda source, style: tasks.part(source, (bounds, systems), style, size, wanted, most),
        )

    head = get

    async def send_native_box(
        self, dataset_id: str, bounds: tuple[float, ...], size: Size, wanted: TileFormat, systems: Systems
    ) -> None:
        """Send the pixels of the file that the bounds touch; raises BadParameter for what would change them."""
        bands = self.native_bands(size, wanted)

        async def send(dataset: Dataset) -> None:
            planned = await self.drawn(dataset, lambda source: tasks.native_part(source, bounds, systems[0], bands))
            told = {"route": "bbox", "box": bounds, "crs": systems, **bands_told(Style(bidx=bands))}
            await self.send_native(WantedPart(dataset, planned, told))

        await self.in_version(dataset_id, send)


def size_of(arguments: parameters.Arguments, width: str | None, height: str | None, otherwise: int | None) -> Size:
    """Return max_size, width and height of a picture: those of its path, else of the query; raises BadParameter."""
    most, wide, high = (
        parameters.integer(arguments, name, 1, parameters.MAX_SIDE) for name in ("max_size", "width", "height")
    )
    if width is not None and height is not None:
        wide, high = int(width), int(height)
        if not (1 <= wide <= parameters.MAX_SIDE and 1 <= high <= parameters.MAX_SIDE):
            raise BadParameter(f"The width and height of a picture are from 1 to {parameters.MAX_SIDE}.")
    return (None, wide, high) if wide or high else (most or otherwise, None, None)


def pixels_of(size: Size) -> int:
    """Return how many pixels a picture has at most; 0 where nobody knows before it is drawn."""
    if size == NO_SIZE:
        return 0
    side, wide, high = size
    return side * side if side else (wide or parameters.MAX_SIDE) * (high or parameters.MAX_SIDE)


def numbers(texts: Any) -> tuple[float, ...]:
    """Return the coordinates of a path; raises BadParameter."""
    try:
        found = tuple(float(text) for text in texts)
    except (TypeError, ValueError):
        found = (math.nan,)
    # NaN is not less than anything.
    if not all(abs(value) <= MAX_COORDINATE for value in found):
        raise BadParameter(f"The coordinates in the path must be numbers of at most {MAX_COORDINATE:g}.")
    return found
