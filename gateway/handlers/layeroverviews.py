"""Tiles of far zooms painted from the overview of a collection: one file in place of many."""

from __future__ import annotations

import time
from dataclasses import replace

from gateway.catalogue.overviews import Overview
from gateway.catalogue.search import Box
from gateway.colour.model import MEDIA_TYPES, LayerStyle
from gateway.errors import StorageUnavailable, VersionChanged
from gateway.ground import mercator
from gateway.ground.address import TileAddress
from gateway.handlers.layerpictures import PictureHandler, longest
from gateway.handlers.layers import Chosen
from gateway.handlers.tiles import KEPT_COST, cost_of, tag_of
from gateway.members import Layer
from gateway.tiles.model import LayerPicture

TURN = 360.0
# Pixels that are hardly finer than those of an overview are no finer.
ALIKE = 1.02


class OverviewHandler(PictureHandler):
    """A picture of a layer that may be painted from its overview."""

    async def send_overviewed(
        self, layer: Layer, chosen: Chosen, how: LayerStyle, address: TileAddress, box: Box, empty: str | None
    ) -> bool:
        """Return whether a tile was sent that is painted from the overview; not where that cannot be read."""
        values = self.gives_file or (how.format is not None and how.format.carries_values)
        found = None if values else await self.overview(layer, chosen, how.style)
        if found is None or pixel_degrees(address, box) * ALIKE < found.degrees:
            return False
        work, wanted = self.services.members.find, replace(chosen.wanted, limit=1)
        number = (await self.looked_up(layer, work, layer, wanted, box, self.reader, self.action)).number
        self.set_layer_cache()
        if self.has_it(tag_of("overview", found.id, found.version, address, how, *((empty,) if empty else ()))):
            self.services.metrics.tiles.add("not-modified", how.format or "auto")
            return True
        picture = await self.of_overview(found, address, how)
        if picture is None:
            self.clear_header("ETag")
            return False
        if picture.used or not self.told_empty(empty):
            self.set_header("X-Assets", f"{number if picture.used else 0}/{number}")
            self.set_header("Content-Type", MEDIA_TYPES[picture.encoded.format])
            self.finish(picture.body)
        return True

    async def of_overview(self, overview: Overview, address: TileAddress, how: LayerStyle) -> LayerPicture | None:
        """Return a tile of an overview, None where its file is gone, another one, or cannot be reached or drawn."""
        metrics, began, layers = self.services.metrics, time.monotonic(), self.services.layers
        members = (overview.dataset,)
        picture = layers.ready(members, address, how)
        kept = picture is not None
        metrics.tile_cache.add("hit" if kept else "miss")
        self.spend(KEPT_COST if kept else cost_of(address, how.style, how.format))
        if picture is None:
            self.clients.room.expect(longest(members, address.pixels, how))
            try:
                picture = await self.until(layers.tile(members, address, how))
            except (VersionChanged, StorageUnavailable):
                return None
            if picture.left_out:
                return None
            metrics.tile_seconds.observe(time.monotonic() - began, "overview")
        metrics.tiles.add("cached" if kept else "overview", picture.encoded.format)
        return picture


def pixel_degrees(address: TileAddress, box: Box) -> float:
    """Return about how many degrees of longitude a pixel of a tile over a box is wide."""
    if address.tms == mercator.NAME:
        return TURN / (address.size << address.z)
    return ((box[2] - box[0]) % TURN or TURN) / address.size
