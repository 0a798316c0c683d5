"""WMTS 1.0.0 (OGC 07-057r7): the capabilities of one dataset or of all, tiles and values by KVP."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import urlencode

from gateway.colour.model import Style
from gateway.errors import BadParameter
from gateway.gatekeeper import Action, Admitted
from gateway.ground.bounds import GeographicBounds
from gateway.handlers.access import CALLER, METADATA, access
from gateway.handlers.datasets import LIMIT_MOST, list_query
from gateway.handlers.maps import OWN, DocumentHandler, within
from gateway.handlers.problems import json_bytes
from gateway.handlers.searching import searched
from gateway.handlers.tiles import DEFAULT_GRID, SLOW_COST, TileHandler
from gateway.model import Dataset, Scale
from gateway.records import DatasetPage
from gateway.studio import tasks
from gateway.tiles import parameters
from gateway.tiles.model import INFO_FORMATS, Layer

# Names of KVP, which say what is asked for and not how it looks.
KVP = frozenset({
    "service", "request", "version", "layer", "style", "format", "tilematrixset", "tilematrix", "tilecol", "tilerow",
    "i", "j", "infoformat", "tile_matrix_set_id",
})  # fmt: skip
SEARCH = frozenset({"bbox", "q", "sortby", "limit", "offset"})
# Offered as named styles of one band; all others go by colormap_name.
STYLES = ("viridis", "magma", "cividis", "terrain", "gray", "rdylgn", "blues")
REQUESTS = ("GetCapabilities", "GetTile", "GetFeatureInfo")


class LayersHandler(DocumentHandler):
    """What documents of one layer and of many share."""

    def asked(self) -> dict[str, str]:
        """Return the parameters of KVP, whose names have no case."""
        return {name.lower(): values[-1].decode("latin-1") for name, values in self.request.query_arguments.items()}

    def requested(self) -> str:
        """Return what is asked for; raises BadParameter for what is not offered."""
        asked = self.asked()
        if asked.get("service", "WMTS").upper() != "WMTS":
            raise BadParameter("The parameter SERVICE must be WMTS.")
        if (request := asked.get("request", REQUESTS[0])) not in REQUESTS:
            raise BadParameter(f"The parameter REQUEST must be one of {', '.join(REQUESTS)}.")
        return request

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
        styles = self.styles(dataset)
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

    def styles(self, dataset: Dataset) -> tuple[tuple[str, str | None], ...]:
        """Return the named styles of a layer: those of one band, where the document's address names no colours."""
        style = parameters.style_of(self.request.query_arguments)
        one = len(style.bidx) == 1 or (not style.bidx and dataset.raster is not None and dataset.raster.count == 1)
        ends = ends_of(style, dataset)
        if style.colormap_name:
            return ((parameters.DEFAULT_STYLE, self.legend(style.colormap_name, ends)),)
        if not one or style.colormap or style.expression or style.algorithm or style.color_formula:
            return ((parameters.DEFAULT_STYLE, None),)
        return ((parameters.DEFAULT_STYLE, None), *((name, self.legend(name, ends)) for name in STYLES))

    def legend(self, name: str, ends: tuple[float, float] | None) -> str:
        """Return the URL of a colour map's picture, labelled with its ends where they are known."""
        labels = {"rescale": f"{ends[0]},{ends[1]}"} if ends else {}
        return self.public_url(f"/colorMaps/{name}?{urlencode({'f': 'png', 'width': 256, 'height': 20, **labels})}")


def ends_of(style: Style, dataset: Dataset) -> tuple[float, float] | None:
    """Return the values of the first and the last colour of one band, or None where they are not on record."""
    if style.rescale:
        return style.rescale[0]
    if dataset.raster is None or style.expression or style.algorithm or style.unscale:
        return None
    if dataset.raster.dtype == "uint8":
        return 0, 255
    band = style.bidx[0] if style.bidx else 1
    return dataset.raster.stretch[band - 1] if dataset.raster.stretch and band <= dataset.raster.count else None


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
        asked = self.asked()
        return asked.get("format", "image/png").removeprefix("image/") if asked.get("request") == "GetTile" else None

    def style_by_name(self) -> None:
        """Take the style of KVP for a colour map, where it is not the default one."""
        name = self.asked().get("style", "")
        if name and name != parameters.DEFAULT_STYLE:
            self.request.query_arguments["colormap_name"] = [name.encode("latin-1")]

    def place(self) -> tuple[str | None, str, str, str]:
        """Return tile matrix set, z, x and y of KVP (OGC 07-057r7 section 8.2); raises BadParameter."""
        asked = self.asked()
        z, x, y = (self.whole(asked, name) for name in ("tilematrix", "tilecol", "tilerow"))
        return asked.get("tilematrixset"), z, x, y

    def whole(self, asked: dict[str, str], name: str) -> str:
        """Return a whole number as text; raises BadParameter."""
        value = asked.get(name, "")
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            raise BadParameter(f"The parameter {name.upper()} must be a whole number.")
        return value

    async def get_values(self, dataset_id: str) -> None:
        """Send the values under a pixel of a tile, as `/point` has them (section 7.3)."""
        arguments, asked = self.request.query_arguments, self.asked()
        tms, *place = self.place()
        style = parameters.style_of(arguments)
        address = parameters.address_of(tms or DEFAULT_GRID, (place[0], place[1], place[2]), None, arguments)
        pixel = int(self.whole(asked, "i")), int(self.whole(asked, "j"))
        if max(pixel) >= address.size:
            raise BadParameter(f"The parameters I and J must be less than {address.size}.")
        # A client that does not encode the plus sign sends a space.
        kind = asked.get("infoformat", INFO_FORMATS[0]).replace(" ", "+")
        if kind not in INFO_FORMATS:
            raise BadParameter(f"The parameter INFOFORMAT must be one of {', '.join(INFO_FORMATS)}.")

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


def told(found: dict[str, Any], kind: str) -> bytes | str:
    """Return the values of a point in one of the formats of GetFeatureInfo; as GeoJSON a feature (RFC 7946)."""
    if kind == "application/json":
        return json_bytes(found)
    pairs = list(zip(found["band_descriptions"], found["values"], strict=True))
    if kind == "application/geo+json":
        point = {"type": "Point", "coordinates": found["coordinates"]}
        distinct = len(set(found["band_descriptions"])) == len(pairs)
        names = found["band_descriptions" if distinct else "band_names"]
        feature = {"type": "Feature", "geometry": point, "properties": dict(zip(names, found["values"], strict=True))}
        return json_bytes({"type": "FeatureCollection", "features": [feature]})
    if kind == "text/plain":
        return "".join(f"{name}: {'no data' if value is None else value}\n" for name, value in pairs)
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{'no data' if value is None else value}</td></tr>"
        for name, value in pairs
    )
    return f"<!doctype html><title>Values</title><table>{rows}</table>"
