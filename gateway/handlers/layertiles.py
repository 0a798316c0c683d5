"""Tiles of layers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress

from gateway.catalogue.search import Box
from gateway.colour.model import LayerStyle, TileFormat
from gateway.errors import GatewayError
from gateway.ground.address import TileAddress
from gateway.handlers.access import METADATA, access
from gateway.handlers.layeroverviews import OverviewHandler
from gateway.handlers.layerpictures import Crowded, Ground, longest
from gateway.handlers.tiles import DEFAULT_GRID, KEPT_COST, cost_of, place_of
from gateway.members import Found, Layer
from gateway.model import Dataset
from gateway.tiles import parameters
from gateway.tiles.model import LayerPicture

TURN = 360.0


class LayerTileHandler(OverviewHandler):
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
            if box and await self.send_overviewed(layer, chosen, how, address, box, empty):
                return
            members = await self.members(layer, chosen.wanted, box)
            sources = members.datasets or await self.examples(layer, wanted)
            crowd = await self.crowd(layer, chosen, members, ground_of(box, address), how) if box else None
            if crowd is not None:
                await self.send_crowd(crowd, layer, address, how, empty)
                return
            metrics, kind = self.services.metrics, wanted or "auto"
            if self.has_picture(members, address, how, *((empty,) if empty else ())):
                metrics.tiles.add("not-modified", kind)
                return
            picture = await self.picture(sources, address, how)
            if not picture.used and self.told_empty(empty):
                return
            await self.send_picture(picture, members, layer, how.style, place_of(address))

        await self.in_versions(send)

    head = get

    async def examples(self, layer: Layer, format: TileFormat | None) -> tuple[Dataset, ...]:
        """Return a dataset that tells which bands values have where none lies; pictures need none."""
        if format is None or not format.carries_values:
            return ()
        sample = await self.searched(self.services.members.sample, layer, self.reader)
        with suppress(GatewayError):
            return (await self.judged(Found(sample[:1], 0))).datasets
        return ()

    async def send_crowd(
        self, found: Crowded, layer: Layer, address: TileAddress, how: LayerStyle, empty: str | None
    ) -> None:
        """Send a tile that is painted from small pictures."""
        members, metrics = found.members, self.services.metrics
        if self.has_picture(members, "crowd", found.crowd.digest, address, how, *((empty,) if empty else ())):
            metrics.tiles.add("not-modified", how.format or "auto")
            return
        self.spend(cost_of(address, how.style, how.format))
        began = time.monotonic()
        self.clients.room.expect(longest(members.datasets, address.pixels, how))
        picture: LayerPicture = await self.until(
            self.services.layers.crowd_tile(members.datasets, found.crowd, address, how)
        )
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


def ground_of(box: Box, address: TileAddress) -> Ground:
    """Return the ground of a tile whose box is known."""
    return Ground(box, min((box[2] - box[0]) % TURN or TURN, box[3] - box[1]) / address.size)
