"""Documents of layers for map clients: TileJSON, and WMTS capabilities with the days that there are."""

from __future__ import annotations

import math
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from gateway.catalogue.layers import Outline
from gateway.colour.model import Style, TileFormat
from gateway.colour.together import Shown, require_alike
from gateway.errors import BadParameter, CannotBeDrawn, NotFound, ObjectMissing, Unavailable, VersionChanged
from gateway.ground.bounds import GeographicBounds
from gateway.handlers.access import METADATA, access
from gateway.handlers.kvp import KVP, REQUESTS, KvpHandler, told
from gateway.handlers.layerparts import NOWHERE
from gateway.handlers.layerpoints import ValuesAtHandler
from gateway.handlers.layers import ALL_DAYS, LayerHandler
from gateway.handlers.layertiles import LayerTileHandler
from gateway.handlers.maps import ENDS, OWN, within
from gateway.handlers.tiles import DEFAULT_GRID
from gateway.handlers.wmtsstyles import named_styles
from gateway.members import FINEST, Layer, degrees_of_pixel
from gateway.model import Dataset, RasterFacts
from gateway.studio import tasks
from gateway.studio.layers import layer_stretch
from gateway.tiles import parameters
from gateway.tiles.model import Layer as MapLayer
from gateway.tiles.model import OnMap

TILE_PIXELS = 256


@dataclass(frozen=True, slots=True)
class Drawn:
    """A layer as its documents describe it to one caller; `sample` stands for all its datasets."""

    layer: Layer
    title: str
    outline: Outline
    lies: OnMap
    sample: tuple[Dataset, ...]


class LayerDocumentHandler(LayerHandler):
    """A document with templates of a layer's tiles in it."""

    async def described(self, layer_id: str, tms: str) -> Drawn:
        """Return the layer as the caller sees it; raises NotFound where nothing of it has a place."""
        layer = await self.layer(layer_id)
        members, wanted = self.services.members, self.chosen().wanted
        title = await self.searched(members.title, layer, self.reader)
        outline = await self.searched(members.outline, layer, wanted, self.reader)
        if outline.extent.bbox is None:
            raise NotFound(NOWHERE)
        sample = await self.searched(members.sample, layer, self.reader)
        bounds = GeographicBounds(*outline.extent.bbox)
        crowded = await self.crowded(layer, outline.extent.count)
        lies = await self.zooms(bounds, tms, sample, crowded)
        return Drawn(layer, title, outline, lies, sample)

    async def crowded(self, layer: Layer, count: int) -> float:
        """Return how many times as many datasets the layer has as a tile is painted of; 1 where all of them are.

        They are where there is an overview of them.
        """
        chosen, style = self.chosen(), parameters.style_of(self.request.query_arguments)
        if await self.overview(layer, chosen, style) is not None:
            return 1.0
        return count / await self.searched(self.services.members.most_painted, layer, chosen.wanted, self.reader)

    async def zooms(self, bounds: GeographicBounds, tms: str, sample: Collection[Dataset], crowded: float) -> OnMap:
        """Return where the layer lies, with the zoom levels that the query names or else those that fit it.

        The greatest is that of its finest dataset, the least that at which all of it is about one tile; where that
        tile had `crowded` times as many datasets as one is made of, a tile of the least level has as many as that.
        """
        fitting, *levels = await self.worked_out(tasks.zoom_of_box(bounds.as_tuple, tms))
        most = await self.finest(tms, sample)
        least = fitting + max(0, math.ceil(math.log(crowded, 4)))
        found = OnMap(bounds, min(least, most), most, (levels[0], levels[1]))
        ends = (parameters.integer(self.request.query_arguments, name, *found.grid_zooms) for name in ENDS)
        least, most = (
            end if given is None else given for given, end in zip(ends, (found.minzoom, found.maxzoom), strict=True)
        )
        if least > most:
            raise BadParameter("The parameter minzoom must not be greater than maxzoom.")
        return replace(found, minzoom=least, maxzoom=most)

    async def finest(self, tms: str, sample: Collection[Dataset]) -> int:
        """Return the zoom level of the finest dataset; by what is on record where no file of the finest is there.

        Raises NotFound where no dataset has a place.
        """
        finest = sorted(sample, key=degrees_of_pixel)[:FINEST]
        for dataset in finest:
            with suppress(NotFound, ObjectMissing, VersionChanged, Unavailable, CannotBeDrawn):
                return (await self.drawn(dataset, lambda source: tasks.on_map(source, tms))).maxzoom
        if not finest:
            raise NotFound(NOWHERE)
        zoom, *_ = await self.worked_out(tasks.zoom_of_box(box_of_pixels(finest[0]), tms))
        return zoom

    async def query(
        self, drawn: Drawn, left_out: Collection[str], wanted: TileFormat | None = None
    ) -> list[tuple[str, str]]:
        """Return the parameters of the templates: those of the request, and a token where it is needed."""
        arguments = self.request.query_arguments
        # What tiles would refuse is refused here.
        require_together(parameters.style_of(arguments), wanted, drawn.sample)
        parameters.integer(arguments, "tilesize", 1, parameters.MAX_TILESIZE)
        kept = [(n, v.decode("utf-8", "replace")) for n, values in arguments.items() for v in values]
        token = [] if drawn.outline.public else [("token", await self.layer_token(drawn.layer))]
        return [pair for pair in kept if pair[0].lower() not in left_out] + token

    def set_document_cache(self) -> None:
        """Keep documents out of shared caches where somebody signed in for them: a token may be in them."""
        self.set_header("Cache-Control", "private, no-store" if self.signed_in else "public, max-age=60")


class LayerTileJsonHandler(LayerDocumentHandler):
    """TileJSON 3.0 of one layer in one tile matrix set."""

    @access(METADATA)
    async def get(self, layer_id: str, tms: str | None = None) -> None:
        """Send the document; `days` are those on which its datasets begin, the newest first, for `time`.

        `stretch` is the range of values of each band where `rescale` says none, null for bytes.
        """
        arguments = self.request.query_arguments
        grid = tms or DEFAULT_GRID
        wanted = parameters.text(arguments, "tile_format")
        format = parameters.format_of(wanted, "parameter tile_format")
        scale = parameters.integer(arguments, "tile_scale", 1, parameters.MAX_SCALE) or 1
        side = (parameters.integer(arguments, "tilesize", 1, parameters.MAX_TILESIZE) or 256) * scale
        drawn = await self.described(layer_id, grid)
        query = await self.query(drawn, OWN, format)
        path = f"{drawn.layer.name.path}/tiles/{grid}/{{z}}/{{x}}/{{y}}@{scale}x{f'.{wanted}' if wanted else ''}"
        bounds = within(drawn.lies.bounds, grid)
        stretch = await self.stretch(drawn.layer, unscale=parameters.style_of(arguments).unscale)
        self.set_document_cache()
        self.send_json(
            {
                "tilejson": "3.0.0",
                "name": drawn.title,
                "version": "1.0.0",
                "scheme": "xyz",
                "tiles": [f"{self.public_url(path)}{f'?{urlencode(query)}' if query else ''}"],
                "minzoom": drawn.lies.minzoom,
                "maxzoom": drawn.lies.maxzoom,
                "bounds": bounds.as_line,
                "center": [*bounds.centre, drawn.lies.minzoom],
                "tileSize": side,
                "days": list(drawn.outline.days),
                "stretch": None if stretch is None else stretch.bands,
            }
        )

    head = get


class LayerWmtsHandler(KvpHandler, LayerDocumentHandler, LayerTileHandler, ValuesAtHandler):
    """WMTS of one layer with its days, its tiles and values by KVP."""

    @access(METADATA)
    async def get(self, layer_id: str, *_: str | None) -> None:
        """Send the capabilities, or what a GetTile or GetFeatureInfo request names."""
        request = self.requested()
        if request != "GetCapabilities":
            self.style_by_name()
            self.time_by_name()
        if request == "GetTile":
            await LayerTileHandler.get(self, layer_id, *self.place(), None, self.named_format())
        elif request == "GetFeatureInfo":
            await self.send_values(layer_id)
        else:
            await self.send_capabilities(layer_id)

    head = get

    def named_format(self) -> str | None:
        """Return the format of the tile that a GetTile request names."""
        return self.format_by_name()

    def time_by_name(self) -> None:
        """Take the dimension of KVP, whose names have no case, for the parameter."""
        if (day := self.asked().get("time")) is not None:
            self.request.query_arguments["time"] = [day.encode("latin-1")]

    async def send_capabilities(self, layer_id: str) -> None:
        """Send the document."""
        arguments = self.request.query_arguments
        side = parameters.integer(arguments, "tilesize", 1, parameters.MAX_TILESIZE) or 256
        grid = parameters.text(arguments, "tile_matrix_set_id") or DEFAULT_GRID
        drawn = await self.described(layer_id, grid)
        query = await self.query(drawn, OWN | KVP | {"time"})
        base = self.public_url(drawn.layer.name.path)
        lies, own = drawn.lies, [pair for pair in query if pair[0] != "token"]
        own += [("tile_matrix_set_id", grid)] if grid != DEFAULT_GRID else []
        token = [pair for pair in query if pair[0] == "token"]
        endpoint = f"{base}/WMTSCapabilities.xml"
        endpoint += f"?{urlencode(own + token)}" if own + token else ""
        layer = self.map_layer(drawn, grid, base, query)
        self.set_document_cache()
        self.set_header("Content-Type", "application/xml")
        zooms = lies.minzoom, lies.maxzoom
        self.finish(
            await self.worked_out(tasks.capabilities(drawn.title, (layer,), grid, zooms, side, (endpoint, REQUESTS)))
        )

    def map_layer(self, drawn: Drawn, grid: str, base: str, query: list[tuple[str, str]]) -> MapLayer:
        """Return the layer of the document: style parameters, day and token in each of its addresses."""
        style = parameters.style_of(self.request.query_arguments)
        styles = named_styles(style, raster_of(drawn.sample), self.public_url)
        tail = urlencode([pair for pair in query if pair[0] != "colormap_name" or len(styles) == 1])
        tail = f"time={{Time}}{'&' if tail else ''}{tail}"
        tail += "" if len(styles) == 1 else "&colormap_name={Style}"
        place = (
            "tilematrixset={TileMatrixSet}&tilematrix={TileMatrix}&tilecol={TileCol}&tilerow={TileRow}&i={I}&j={J}"
        )
        return MapLayer(
            drawn.layer.name.id,
            drawn.title,
            within(drawn.lies.bounds, grid).as_line,
            f"{base}/tiles/{{TileMatrixSet}}/{{TileMatrix}}/{{TileCol}}/{{TileRow}}.png?{tail}",
            f"{base}/WMTSCapabilities.xml?service=WMTS&request=GetFeatureInfo&{place}&{tail}",
            styles,
            (ALL_DAYS, drawn.outline.days),
        )

    async def send_values(self, layer_id: str) -> None:
        """Send the values under a pixel of a tile."""
        layer = await self.layer(layer_id)
        address, pixel, kind = self.pixel()
        degrees = await self.place_of_pixel(address, pixel)
        if degrees is None:
            raise NotFound("That lies outside of the data.")
        found = await self.values_at(layer, self.chosen(), (degrees, None), degrees)
        if found is not None:
            self.set_header("Content-Type", kind)
            self.finish(told(found, kind))


def require_together(style: Style, format: TileFormat | None, sample: Collection[Dataset]) -> None:
    """Return where datasets make one layer, by their records; raises BadParameter as its tiles would."""
    known = [
        (dataset.id, Shown(raster.bands, raster.colours))
        for dataset in sample
        if (raster := dataset.raster) is not None and raster.bands is not None
    ]
    for dataset_id, shown in known[1:]:
        require_alike(style, format, known[0][1], shown, dataset_id)


def raster_of(sample: Collection[Dataset]) -> RasterFacts | None:
    """Return the facts of a raster that has the range of values of the whole layer."""
    first = next((dataset.raster for dataset in sample if dataset.raster is not None), None)
    stretch = layer_stretch(sample)
    return first and replace(first, stretch=None if stretch is None else stretch.bands)


def box_of_pixels(dataset: Dataset) -> tuple[float, float, float, float]:
    """Return a box in degrees about as large as the pixels of a tile in a dataset with a place."""
    side = TILE_PIXELS * degrees_of_pixel(dataset)
    west, south, _, north = dataset.raster.bounds if dataset.raster and dataset.raster.bounds else (0, 0, 0, 0)
    middle = max(-90.0, min(90.0 - side, (south + north - side) / 2))
    return west, middle, west + side, middle + side
