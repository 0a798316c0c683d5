"""WMTS 1.0.0 (OGC 07-057r7): the capabilities of one dataset or of all, tiles and values by KVP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from gateway.errors import BadParameter
from gateway.gatekeeper import Action, Admitted
from gateway.ground.bounds import GeographicBounds
from gateway.handlers.access import CALLER, METADATA, access
from gateway.handlers.datasets import LIMIT_MOST, list_query
from gateway.handlers.kvp import KVP, REQUESTS, KvpHandler, told
from gateway.handlers.maps import OWN, DocumentHandler, within
from gateway.handlers.searching import searched
from gateway.handlers.tiles import DEFAULT_GRID, SLOW_COST, TileHandler
from gateway.handlers.wmtsstyles import named_styles
from gateway.model import Dataset, Scale
from gateway.records import DatasetPage
from gateway.studio import tasks
from gateway.tiles import parameters
from gateway.tiles.model import Layer

SEARCH = frozenset({"bbox", "q", "sortby", "limit", "offset"})


class LayersHandler(KvpHandler, DocumentHandler):
    """What documents of one layer and of many share."""

    @property
    def side(self) -> int:
        """Return the pixels of a tile's side."""
        return parameters.integer(self.request.query_arguments, "tilesize", 1, parameters.MAX_TILESIZE) or 256

    @property
    def grid(self) -> str:
        """Return the tile matrix set of the document."""
        return parameters.text(self.request.query_arguments, "tile_matrix_set_id") or DEFAULT_GRID

    async def layer(
        self, dataset: Dataset, through_roles: frozenset[str], name: str, bounds: GeographicBounds
    ) -> Layer:
        """Return one layer, its style parameters, version and token in each of its addresses."""
        style = parameters.style_of(self.request.query_arguments)
        styles = named_styles(style, dataset.raster, self.public_url)
        query = [*self.carried(OWN | KVP | SEARCH), ("v", dataset.version)]
        query += await self.token_of(dataset, through_roles)
        tail = urlencode([pair for pair in query if pair[0] != "colormap_name" or len(styles) == 1])
        tail += "" if len(styles) == 1 else "&colormap_name={Style}"
        base = self.public_url(f"/datasets/{dataset.id}")
        place = (
            "tilematrixset={TileMatrixSet}&tilematrix={TileMatrix}&tilecol={TileCol}&tilerow={TileRow}&i={I}&j={J}"
        )
        return Layer(
            name,
            dataset.title,
            within(bounds, self.grid).as_line,
            f"{base}/tiles/{{TileMatrixSet}}/{{TileMatrix}}/{{TileCol}}/{{TileRow}}.png?{tail}",
            f"{base}/WMTSCapabilities.xml?service=WMTS&request=GetFeatureInfo&{place}&{tail}",
            styles,
        )


class WmtsHandler(LayersHandler, TileHandler):
    """The document of one dataset, its tiles and values by KVP."""

    @access(METADATA)
    async def get(self, dataset_id: str, *_: str | None) -> None:
        """Send the capabilities, or what a GetTile or GetFeatureInfo request names."""
        request = self.requested()
        if request != "GetCapabilities":
            self.style_by_name()
        if request == "GetTile":
            await TileHandler.get(self, dataset_id, *self.place(), None, self.named_format())
            return
        if request == "GetFeatureInfo":
            await self.get_values(dataset_id)
            return
        dataset, admitted = await self.viewed(dataset_id)
        lies = await self.on_map(dataset, self.grid)
        layer = await self.layer(dataset, admitted.through_roles, parameters.DEFAULT_STYLE, lies.bounds)
        query = [
            *self.carried(KVP | {"token", "v"} - {"tile_matrix_set_id"}),
            *await self.own_token(dataset, admitted),
        ]
        endpoint = self.public_url(f"/datasets/{dataset.id}/WMTSCapabilities.xml")
        endpoint += f"?{urlencode(query)}" if query else ""
        zooms = lies.minzoom, lies.maxzoom
        self.set_private(dataset)
        self.set_header("Content-Type", "application/xml")
        self.finish(
            await self.worked_out(
                tasks.capabilities(dataset.title, (layer,), self.grid, zooms, self.side, (endpoint, REQUESTS))
            )
        )

    head = get

    async def own_token(self, dataset: Dataset, admitted: Admitted) -> list[tuple[str, str]]:
        """Return the token that KVP addresses have."""
        return await self.token_of(dataset, admitted.through_roles)

    def named_format(self) -> str | None:
        """Return the format of the tile that a GetTile request names."""
        return self.format_by_name()

    async def get_values(self, dataset_id: str) -> None:
        """Send the values under a pixel of a tile, as `/point` has them (section 7.3)."""
        style = parameters.style_of(self.request.query_arguments)
        address, pixel, kind = self.pixel()

        async def send(dataset: Dataset) -> None:
            self.spend(SLOW_COST)
            found = await self.drawn(dataset, lambda source: tasks.feature(source, address, pixel, style))
            self.set_header("Content-Type", kind)
            self.finish(told(found, kind))

        await self.in_version(dataset_id, send)


class CatalogueWmtsHandler(LayersHandler):
    """One document with a layer for each dataset that the caller may see and that has a place on a map."""

    @access(CALLER)
    async def get(self) -> None:
        """Send the capabilities; the parameters of the list choose among the datasets."""
        if self.requested() != "GetCapabilities":
            raise BadParameter(
                "The parameter REQUEST must be GetCapabilities: tiles have the addresses of the document."
            )
        page = await searched(self, self.found)
        layers = [await self.layer_of(each) for each in page.datasets if each.raster and each.raster.bounds]
        query = self.carried(KVP - {"tile_matrix_set_id"} | {"token", "v"})
        endpoint = self.public_url("/WMTSCapabilities.xml") + (f"?{urlencode(query)}" if query else "")
        self.set_header("Cache-Control", "private, no-store")
        self.set_header("Content-Type", "application/xml")
        self.finish(
            await self.worked_out(
                tasks.capabilities("COG Gateway", tuple(layers), self.grid, None, self.side, (endpoint, REQUESTS[:1]))
            )
        )

    head = get

    def found(self) -> DatasetPage:
        """Return the datasets, for a caller whose user is not disabled."""
        query = list_query(self.request.query_arguments, self.principal)
        if "limit" not in self.request.query_arguments:
            query = replace(query, limit=LIMIT_MOST)
        self.services.gatekeeper.check_enabled(self.principal)
        return self.services.records.find_datasets(query)

    async def layer_of(self, dataset: Dataset) -> Layer:
        """Return the layer of a dataset, whose identifier is its id."""
        roles: frozenset[str] = frozenset()
        if dataset.visibility is not Scale.PUBLIC:
            gatekeeper = self.services.gatekeeper
            admitted = await self.in_thread(gatekeeper.admit, dataset.id, self.principal, Action.VIEW)
            roles = admitted.through_roles
        bounds: Any = dataset.raster and dataset.raster.bounds
        return await self.layer(dataset, roles, dataset.id, GeographicBounds.of(*bounds))
