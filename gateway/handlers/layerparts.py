"""Parts of layers as pictures: a box, the whole of it, and the statistics of what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.catalogue.search import Box
from gateway.colour.model import TileFormat
from gateway.errors import BadParameter, NotFound
from gateway.ground.bounds import check_degrees
from gateway.handlers.access import METADATA, access
from gateway.handlers.layerpictures import PictureHandler, longest
from gateway.handlers.problems import json_bytes
from gateway.handlers.rasters import DEFAULT_SIDE, Size, numbers, pixels_of, size_of
from gateway.handlers.tiles import SLOW_COST
from gateway.members import Layer
from gateway.tiles import parameters

Systems = tuple[str | None, str | None]
NOWHERE = "The layer has no place on a map."


class LayerPartsHandler(PictureHandler):
    """A resource that is drawn from a part of a layer, or from all of it."""

    async def whole(self, layer: Layer) -> Box:
        """Return the box of what the caller sees of the layer; raises NotFound where nothing of it has a place."""
        members = self.services.members
        await self.searched(members.require_seen, layer, self.reader)
        outline = await self.searched(members.outline, layer, self.chosen().wanted, self.reader)
        if outline.extent.bbox is None:
            raise NotFound(NOWHERE)
        return outline.extent.bbox

    async def send_part(
        self,
        layer: Layer,
        where: tuple[tuple[float, ...], Systems],
        size: Size,
        wanted: TileFormat | None,
        what: Mapping[str, object],
    ) -> None:
        """Send the picture of some bounds, by coord_crs and dst_crs; `what` tells it from others of its size."""
        chosen = self.chosen()
        how = await self.how(layer, chosen, wanted)
        box = await self.box_of_bounds(where[0], where[1][0])

        async def send() -> None:
            members = await self.members(layer, chosen.wanted, box)
            if self.has_picture(members, how, size, where, *what.items()):
                return
            if not members.datasets:
                raise NotFound("That lies outside of the data.")
            self.spend(SLOW_COST)
            self.clients.room.expect(longest(members.datasets, pixels_of(size), how))
            picture = await self.until(self.services.layers.part(members.datasets, where, how, size))
            self.spend_more(SLOW_COST, picture.used)
            await self.send_picture(picture, members, layer, how.style, {**what, "size": size})

        await self.in_versions(send)

    def named_format(self) -> str | None:
        """Return the format in the path."""
        return self.path_args[-1]


class LayerPreviewHandler(LayerPartsHandler):
    """A small picture of a whole layer."""

    @access(METADATA)
    async def get(self, layer_id: str, width: str | None, height: str | None, extension: str | None) -> None:
        """Send the picture in degrees unless dst_crs says otherwise, at most max_size pixels a side."""
        layer = await self.layer(layer_id)
        arguments = self.request.query_arguments
        size, wanted = size_of(arguments, width, height, DEFAULT_SIDE), parameters.format_of(extension)
        systems = None, parameters.crs(arguments, "dst_crs")
        what = {"route": "preview", "crs": systems[1]}
        await self.send_part(layer, (await self.whole(layer), systems), size, wanted, what)

    head = get


class LayerPartHandler(LayerPartsHandler):
    """A picture of a part of a layer, by its bounds."""

    @access(METADATA)
    async def get(self, layer_id: str, *place: str | None) -> None:
        """Send the picture of minx, miny, maxx, maxy in coord_crs, in the resolution of the first dataset there.

        A picture is reduced to what one may have, and values are not. In degrees minx > maxx crosses the
        antimeridian.
        """
        *corners, width, height, extension = place
        layer = await self.layer(layer_id)
        arguments = self.request.query_arguments
        bounds = numbers(corners)
        systems = parameters.crs(arguments, "coord_crs"), parameters.crs(arguments, "dst_crs")
        if systems[0] is None:
            check_degrees(*bounds[:2])
            check_degrees(*bounds[2:])
        if bounds[1] >= bounds[3] or (systems[0] and bounds[0] >= bounds[2]) or bounds[0] == bounds[2]:
            raise BadParameter("The bounds must be minx,miny,maxx,maxy.")
        wanted = parameters.format_of(extension) or TileFormat.PNG
        size = size_of(arguments, width, height, None if wanted.carries_values else parameters.MAX_SIDE)
        what = {"route": "bbox", "box": bounds, "crs": systems}
        await self.send_part(layer, (bounds, systems), size, wanted, what)

    head = get


class LayerStatisticsHandler(LayerPartsHandler):
    """Minimum, maximum, percentiles and histogram of each band of what a layer shows."""

    @access(METADATA)
    async def get(self, layer_id: str) -> None:
        """Send the statistics by band, over the whole layer reduced to max_size pixels a side."""
        layer = await self.layer(layer_id)
        arguments, chosen = self.request.query_arguments, self.chosen()
        size, options = size_of(arguments, None, None, DEFAULT_SIDE), parameters.statistics_of(arguments)
        # As values: what a picture shows of them does not matter.
        how = await self.how(layer, chosen, TileFormat.NPY)
        box = await self.whole(layer)
        where: tuple[tuple[float, ...], Systems] = box, (None, parameters.crs(arguments, "dst_crs"))

        async def send() -> None:
            members = await self.members(layer, chosen.wanted, box)
            if self.has_picture(members, "statistics", how, size, where, *options.items()):
                return
            self.spend(SLOW_COST)
            found: dict[str, Any] = await self.until(
                self.services.layers.statistics(members.datasets, where, how, size, options)
            )
            self.set_header("Content-Type", "application/json")
            self.finish(json_bytes(found))

        await self.in_versions(send)

    head = get

    def named_format(self) -> str | None:
        """Return None: statistics have no format."""
        return None
