"""Parts of layers as pictures: a box, the whole of it, and the statistics of what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from gateway.catalogue.search import Box
from gateway.colour.model import LayerStyle, TileFormat
from gateway.errors import BadParameter, NotFound
from gateway.ground.bounds import check_degrees
from gateway.handlers.access import METADATA, access
from gateway.handlers.layermembers import Judged
from gateway.handlers.layeroverviews import UNREAD, OverviewHandler
from gateway.handlers.layerpictures import Crowded, Ground, longest
from gateway.handlers.layers import Chosen
from gateway.handlers.problems import json_bytes
from gateway.handlers.rasters import DEFAULT_SIDE, Size, numbers, pixels_of, size_of
from gateway.handlers.tiles import SLOW_COST
from gateway.members import Layer
from gateway.tiles import parameters

Systems = tuple[str | None, str | None]
TURN = 360.0
NOWHERE = "The layer has no place on a map."
# Where a part lies, its size, and what tells it from others.
Part = tuple[tuple[tuple[float, ...], Systems], Size, Mapping[str, object]]


class LayerPartsHandler(OverviewHandler):
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
            overviewed = box and await self.overviewed(layer, chosen, how, box, size)
            if overviewed and await self.send_reduced(overviewed, layer, how, (where, size, what)):
                return
            members = await self.members(layer, chosen.wanted, box)
            crowd = await self.crowd(layer, chosen, members, ground_of(box, size), how) if box else None
            members = members if crowd is None else crowd.members
            if self.has_picture(members, crowd and crowd.crowd.digest, how, size, where, *what.items()):
                return
            if not members.datasets:
                raise NotFound("That lies outside of the data.")
            self.spend(SLOW_COST)
            self.clients.room.expect(longest(members.datasets, pixels_of(size), how))
            layers, datasets = self.services.layers, members.datasets
            if crowd is None:
                picture = await self.until(layers.part(datasets, where, how, size))
                self.spend_more(SLOW_COST, picture.used)
            else:
                picture = await self.until(layers.crowd_part(datasets, crowd.crowd, where, how, size))
            await self.send_picture(picture, members, layer, how.style, {**what, "size": size})

        await self.in_versions(send)

    async def overviewed(self, layer: Layer, chosen: Chosen, how: LayerStyle, box: Box, size: Size) -> Judged | None:
        """Return the overview in place of the datasets under a part, None where that is not painted from it."""
        overview = await self.overview_for(layer, chosen, how, part_degrees(box, size))
        return None if overview is None else await self.all_under(layer, chosen, overview, box)

    async def send_reduced(self, members: Judged, layer: Layer, how: LayerStyle, part: Part) -> bool:
        """Return whether a part was sent that is painted from the overview; not where that cannot be read."""
        where, size, what = part
        if self.has_picture(members, how, size, where, *what.items()):
            return True
        self.spend(SLOW_COST)
        self.clients.room.expect(longest(members.datasets, pixels_of(size), how))
        picture = None
        with suppress(*UNREAD):
            picture = await self.until(self.services.layers.part(members.datasets, where, how, size))
        if picture is None or picture.left_out:
            self.clear_header("ETag")
            return False
        await self.send_picture(picture, members, layer, how.style, {})
        return True

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
            crowd = await self.crowd(layer, chosen, members, ground_of(box, size), how)
            members = members if crowd is None else crowd.members
            digest = crowd and crowd.crowd.digest
            if self.has_picture(members, "statistics", digest, how, size, where, *options.items()):
                return
            self.spend(SLOW_COST)
            found = await self.statistics(members, crowd, where, how, size, options)
            self.set_header("X-Assets", f"{len(found['used'])}/{members.number}")
            if found["left_out"]:
                self.clear_header("ETag")
                self.set_layer_cache(lasting=False)
            self.set_header("Content-Type", "application/json")
            self.finish(json_bytes(found["bands"]))

        await self.in_versions(send)

    head = get

    async def statistics(
        self,
        members: Judged,
        crowd: Crowded | None,
        where: tuple[tuple[float, ...], Systems],
        how: LayerStyle,
        size: Size,
        options: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return what the studio tells of them."""
        layers, datasets = self.services.layers, members.datasets
        if crowd is None:
            return await self.until(layers.statistics(datasets, where, how, size, options))
        return await self.until(layers.crowd_statistics(datasets, crowd.crowd, where, how, size, options))

    def named_format(self) -> str | None:
        """Return None: statistics have no format."""
        return None


def part_degrees(box: Box, size: Size) -> float:
    """Return how many degrees a pixel of a part has that is as large as is asked for, 0 for its own resolution."""
    most, width, height = size
    wide, high = (box[2] - box[0]) % TURN or TURN, box[3] - box[1]
    sides = [extent / side for extent, side in ((wide, width), (high, height)) if side]
    return min(sides) if sides else max(wide, high) / most if most else 0.0


def ground_of(box: Box, size: Size) -> Ground:
    """Return the ground of a part of at most that size: max_size, width and height in pixels."""
    most, width, height = size
    side = max(width or 0, height or 0) or most or parameters.MAX_SIDE
    return Ground(box, max((box[2] - box[0]) % TURN or TURN, box[3] - box[1]) / side)
