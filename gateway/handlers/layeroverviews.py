"""Pictures of far zooms painted from the overview of a collection: one file in place of many."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from gateway.catalogue.overviews import Overview
from gateway.catalogue.search import Box
from gateway.colour.model import LayerStyle
from gateway.errors import BadParameter, NotFound, StorageUnavailable, VersionChanged
from gateway.ground import mercator
from gateway.ground.address import TileAddress
from gateway.handlers.layermembers import Judged
from gateway.handlers.layerpictures import PictureHandler, longest
from gateway.handlers.layers import Chosen
from gateway.handlers.tiles import KEPT_COST, cost_of
from gateway.members import Layer
from gateway.tiles import parameters
from gateway.tiles.model import LayerPicture

TURN = 360.0
# Pixels that are hardly finer than those of an overview are no finer.
ALIKE = 1.02
# What comes of an overview whose file is not what was judged, or has not what is asked for, as the number of an alpha
# band, which is a mask there: then the datasets themselves are painted, or say what is wrong.
UNREAD = (VersionChanged, StorageUnavailable, NotFound, BadParameter)


class OverviewHandler(PictureHandler):
    """A picture of a layer that may be painted from its overview."""

    async def overview_for(self, layer: Layer, chosen: Chosen, how: LayerStyle, degrees: float) -> Overview | None:
        """Return the overview that a picture is painted from whose pixels have so many degrees of longitude, or None.

        Values are parts of the files themselves.
        """
        handed_out = parameters.format_of(self.named_format())
        if self.gives_file or (handed_out is not None and handed_out.carries_values):
            return None
        found = await self.overview(layer, chosen, how.style)
        return found if found is not None and degrees * ALIKE >= found.degrees else None

    async def all_under(self, layer: Layer, chosen: Chosen, overview: Overview, box: Box) -> Judged:
        """Return the overview in place of all datasets that lie under a box."""
        work, wanted = self.services.members.find, replace(chosen.wanted, limit=1)
        found = await self.looked_up(layer, work, layer, wanted, box, self.reader, self.action)
        return Judged((overview.dataset,), found.number, of_all=True)

    async def send_overviewed(
        self, layer: Layer, chosen: Chosen, how: LayerStyle, address: TileAddress, box: Box, empty: str | None
    ) -> bool:
        """Return whether a tile was sent that is painted from the overview; not where that cannot be read."""
        overview = await self.overview_for(layer, chosen, how, pixel_degrees(address, box))
        if overview is None:
            return False
        members = await self.all_under(layer, chosen, overview, box)
        if self.has_picture(members, address, how, *((empty,) if empty else ())):
            self.services.metrics.tiles.add("not-modified", how.format or "auto")
            return True
        picture = await self.tile_of(members, address, how)
        if picture is None:
            self.clear_header("ETag")
        elif picture.used or not self.told_empty(empty):
            await self.send_picture(picture, members, layer, how.style, {})
        return picture is not None

    async def tile_of(self, members: Judged, address: TileAddress, how: LayerStyle) -> LayerPicture | None:
        """Return a tile of an overview, None where its file is gone, another one, or cannot be reached or drawn."""
        metrics, began, layers = self.services.metrics, time.monotonic(), self.services.layers
        picture = layers.ready(members.datasets, address, how)
        kept = picture is not None
        metrics.tile_cache.add("hit" if kept else "miss")
        self.spend(KEPT_COST if kept else cost_of(address, how.style, how.format))
        if picture is None:
            self.clients.room.expect(longest(members.datasets, address.pixels, how))
            with suppress(*UNREAD):
                picture = await self.until(layers.tile(members.datasets, address, how))
            if picture is None or picture.left_out:
                return None
            metrics.tile_seconds.observe(time.monotonic() - began, "overview")
        metrics.tiles.add("cached" if kept else "overview", picture.encoded.format)
        return picture


def pixel_degrees(address: TileAddress, box: Box) -> float:
    """Return about how many degrees of longitude a pixel of a tile over a box is wide."""
    if address.tms == mercator.NAME:
        return TURN / (address.size << address.z)
    return ((box[2] - box[0]) % TURN or TURN) / address.size
