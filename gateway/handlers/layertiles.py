"""Tiles of layers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from http import HTTPStatus

from gateway.catalogue.search import Box
from gateway.colour.model import LayerStyle, PixelSelection
from gateway.errors import NotFound
from gateway.ground.address import TileAddress
from gateway.handlers.access import METADATA, access
from gateway.handlers.layermembers import Judged
from gateway.handlers.layerpictures import PictureHandler, longest
from gateway.handlers.layers import Chosen
from gateway.handlers.tiles import DEFAULT_GRID, KEPT_COST, cost_of, place_of, tag_of
from gateway.handlers.values import most_bytes
from gateway.members import Layer, cover
from gateway.model import Dataset
from gateway.records import Crowd
from gateway.tiles import parameters
from gateway.tiles.model import LayerPicture

TURN = 360.0


class LayerTileHandler(PictureHandler):
    """One tile of a layer."""

    @access(METADATA)
    async def get(self, layer_id: str, *place: str | None) -> None:
        """Send the tile; `X-Assets` tells how many of the datasets that lie there it is made of."""
        tms, z, x, y, scale, extension = place
        layer = await self.layer(layer_id)
        arguments = self.request.query_arguments
        address = parameters.address_of(tms or DEFAULT_GRID, (z or "", x or "", y or ""), scale, arguments)
        wanted, chosen = parameters.format_of(extension), self.chosen()
        empty = parameters.choice(arguments, "empty", ("200", "204", "404"))
        how = await self.how(layer, chosen, wanted)
        box = await self.box_of(address)

        async def send() -> None:
            members = await self.members(layer, chosen.wanted, box)
            if box and (crowd := await self.crowd(layer, chosen, members, box, address, how)):
                await self.send_crowd(crowd, members, layer, address, how, empty)
                return
            metrics, kind = self.services.metrics, wanted or "auto"
            if self.has_picture(members, address, how, *((empty,) if empty else ())):
                metrics.tiles.add("not-modified", kind)
                return
            picture = await self.picture(members.datasets, address, how)
            if not picture.used and self.told_empty(empty):
                return
            await self.send_picture(picture, members, layer, how.style, place_of(address))

        await self.in_versions(send)

    head = get

    async def crowd(
        self, layer: Layer, chosen: Chosen, members: Judged, box: Box, address: TileAddress, how: LayerStyle
    ) -> Crowd | None:
        """Return the small pictures that the tile is painted from: where more files lie there than it may touch.

        None where these cover it as far as their boxes tell, and where no more datasets than that have a picture.
        """
        limit, values = chosen.wanted.limit, how.format is not None and how.format.carries_values
        plain = how.selection is PixelSelection.FIRST and not (values or self.gives_file or how.style.unscale)
        if not plain or members.number <= limit or not members.datasets or cover(members.datasets, box):
            return None
        degrees = min((box[2] - box[0]) % TURN or TURN, box[3] - box[1]) / address.size
        work = self.services.members.crowd
        crowd = await self.searched(work, layer, chosen.wanted, box, self.reader, degrees)
        return crowd if len(crowd.ids) > limit else None

    async def send_crowd(
        self, crowd: Crowd, members: Judged, layer: Layer, address: TileAddress, how: LayerStyle, empty: str | None
    ) -> None:
        """Send a tile that is painted from small pictures; the first dataset says how."""
        self.set_layer_cache(lasting=members.trouble is None)
        first, metrics = members.datasets[0], self.services.metrics
        told = (empty,) if empty else ()
        if self.has_it(tag_of("crowd", crowd.digest, first.id, first.version, address, how, *told)):
            metrics.tiles.add("not-modified", how.format or "auto")
            return
        self.spend(cost_of(address, how.style, how.format))
        began = time.monotonic()
        most = most_bytes(address.pixels, how.format, how.style, first)
        layers = self.services.layers
        picture = await self.waited(first, lambda _: layers.crowd_tile(first, crowd, address, how), most)
        metrics.tile_seconds.observe(time.monotonic() - began, picture.encoded.way)
        metrics.tiles.add(picture.encoded.way, picture.encoded.format)
        if not picture.used and self.told_empty(empty):
            return
        await self.send_picture(picture, members, layer, how.style, place_of(address))

    async def picture(self, members: Sequence[Dataset], address: TileAddress, how: LayerStyle) -> LayerPicture:
        """Return the tile, kept or drawn; counted by what it costs."""
        metrics, began, layers = self.services.metrics, time.monotonic(), self.services.layers
        ready = layers.ready(members, address, how)
        way = ready.encoded.way if ready else ""
        metrics.tile_cache.add("miss" if ready is None else "passthrough" if way == "passthrough" else "hit")
        cost = cost_of(address, how.style, how.format)
        self.spend(KEPT_COST if ready else cost)
        if ready is not None:
            metrics.tiles.add(way if way == "passthrough" else "cached", ready.encoded.format)
            return ready
        self.clients.room.expect(longest(members, address.pixels, how))
        picture: LayerPicture = await self.until(layers.tile(members, address, how))
        metrics.tile_seconds.observe(time.monotonic() - began, picture.encoded.way)
        metrics.tiles.add(picture.encoded.way, picture.encoded.format)
        self.spend_more(cost, picture.used)
        return picture

    def named_format(self) -> str | None:
        """Return the format in the path."""
        return self.path_args[-1]

    def told_empty(self, empty: str | None) -> bool:
        """Return whether a client that wants to be told has been: of a tile outside of the data."""
        if empty == "404":
            raise NotFound("The tile lies outside of the data.")
        if empty == "204":
            self.set_status(HTTPStatus.NO_CONTENT)
            self.finish()
        return empty == "204"
