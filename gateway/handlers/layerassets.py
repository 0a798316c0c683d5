"""The datasets that lie somewhere in a layer, each with where its file is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.catalogue.search import Box
from gateway.handlers.access import METADATA, access
from gateway.handlers.layerground import GroundHandler, box_at, lies_at
from gateway.handlers.problems import json_bytes
from gateway.handlers.tiles import DEFAULT_GRID, KEPT_COST, tag_of
from gateway.members import Layer
from gateway.model import Dataset, utc_text
from gateway.tiles import parameters

Meets = Callable[[Dataset], bool]


class AssetsHandler(GroundHandler):
    """A list of the datasets under some ground, in the order in which they are painted."""

    async def send_assets(self, layer: Layer, box: Box | None, meets: Meets = lambda dataset: True) -> None:
        """Send those datasets under a box that meet what is asked for, unless the client has the list."""
        members = await self.members(layer, self.chosen().wanted, box)
        found = [dataset for dataset in members.datasets if meets(dataset)]
        number = members.number - len(members.datasets) + len(found)
        self.set_layer_cache(lasting=members.trouble is None)
        if self.has_it(tag_of("assets", number, [(each.id, each.version, each.updated_at) for each in found])):
            return
        self.spend(KEPT_COST)
        self.set_header("X-Assets", f"{len(found)}/{number}")
        self.set_header("Content-Type", "application/json")
        self.finish(json_bytes({"assets": [self.asset(dataset) for dataset in found], "found": number}))

    def asset(self, dataset: Dataset) -> dict[str, Any]:
        """Return what is told of one dataset: no path and no bucket."""
        raster, base = dataset.raster, f"/datasets/{dataset.id}"
        paths = {"self": base, "download": f"{base}/download/cog", "tilejson": f"{base}/tilejson.json"}
        return {
            "id": dataset.id,
            "title": dataset.title,
            "collection": dataset.collection,
            "start_at": utc_text(dataset.dates.start_at),
            "end_at": utc_text(dataset.dates.end_at),
            "bounds": list(raster.bounds) if raster and raster.bounds else None,
            "size_bytes": dataset.size_bytes,
            "links": [{"rel": rel, "href": self.public_url(path)} for rel, path in paths.items()],
        }


class TileAssetsHandler(AssetsHandler):
    """The datasets under one tile of a layer."""

    @access(METADATA)
    async def get(self, layer_id: str, tms: str | None, z: str, x: str, y: str) -> None:
        """Send the datasets in the order in which they are painted, at most `limit_assets` of them."""
        layer = await self.layer(layer_id)
        address = parameters.address_of(tms or DEFAULT_GRID, (z, x, y), None, self.request.query_arguments)
        await self.send_assets(layer, await self.box_of(address))

    head = get


class PointAssetsHandler(AssetsHandler):
    """The datasets at one place of a layer."""

    @access(METADATA)
    async def get(self, layer_id: str, lon: str, lat: str) -> None:
        """Send the datasets whose footprint holds the place, in the order in which they are painted."""
        layer = await self.layer(layer_id)
        _, _, place = await self.place_of(lon, lat)
        await self.send_assets(layer, box_at(place), lies_at(place))

    head = get
