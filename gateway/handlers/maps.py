"""Documents for map clients: TileJSON, WMTS, tile matrix sets, colour maps; with a token where one is needed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from gateway.errors import BadParameter
from gateway.gatekeeper import Admitted
from gateway.ground.bounds import MERCATOR_LATITUDE, GeographicBounds
from gateway.handlers.access import CALLER, METADATA, access
from gateway.handlers.base import BaseHandler
from gateway.handlers.handed import HandingHandler
from gateway.handlers.problems import json_bytes
from gateway.handlers.tiles import DEFAULT_GRID, MapHandler
from gateway.model import Dataset, Scale
from gateway.studio import Task, tasks
from gateway.tiles import parameters
from gateway.tiles.model import OnMap

T = TypeVar("T")

ENDS = ("minzoom", "maxzoom")
# What shapes the document and not its tiles.
OWN = frozenset({"token", "tile_format", "tile_scale", "minzoom", "maxzoom", "v"})


def within(bounds: GeographicBounds, tms: str) -> GeographicBounds:
    """Return bounds as far as a tile matrix set reaches north and south."""
    if tms != DEFAULT_GRID:
        return bounds
    south, north = (max(-MERCATOR_LATITUDE, min(MERCATOR_LATITUDE, side)) for side in (bounds.south, bounds.north))
    return replace(bounds, south=south, north=north)


class StudioHandler(BaseHandler):
    """A resource that the studio has the answer of."""

    async def let_in(self) -> None:
        """Return when the caller is nobody in particular or may use tokens; raises BadCredential."""
        if self.principal.user is not None:
            await self.in_thread(self.services.gatekeeper.check_enabled, self.principal)

    async def worked_out(self, task: Task[T]) -> T:
        """Return what a task without a dataset comes to; raises Unavailable when too much waits."""
        return await self.results.expect(self.services.pictures.ask(task))


class DocumentHandler(MapHandler, HandingHandler, StudioHandler):
    """A document with a template of tiles in it."""

    async def template(self, dataset: Dataset, admitted: Admitted, path: str) -> str:
        """Return the URL of the tiles: style parameters carried along, the version, a token where it is needed."""
        query = [*self.carried(OWN), ("v", dataset.version), *await self.token_of(dataset, admitted.through_roles)]
        return f"{self.public_url(f'/datasets/{dataset.id}')}{path}?{urlencode(query)}"

    def carried(self, left_out: Collection[str]) -> list[tuple[str, str]]:
        """Return the parameters of the query that go into the addresses of a document, the size of a tile checked."""
        arguments = self.request.query_arguments
        parameters.integer(arguments, "tilesize", 1, parameters.MAX_TILESIZE)
        kept = [(n, v.decode("utf-8", "replace")) for n, values in arguments.items() for v in values]
        return [(name, value) for name, value in kept if name.lower() not in left_out]

    async def token_of(self, dataset: Dataset, through_roles: frozenset[str]) -> list[tuple[str, str]]:
        """Return the token as a parameter, none for a public dataset."""
        if dataset.visibility is Scale.PUBLIC:
            return []
        return [("token", await self.tile_token(dataset, through_roles))]

    async def on_map(self, dataset: Dataset, tms: str) -> OnMap:
        """Return where the dataset lies, with the zoom levels that the query names or else those that fit it.

        Raises NoPlace, and BadParameter for a level that the tile matrix set has not.
        """
        found = await self.drawn(dataset, lambda source: tasks.on_map(source, tms))
        await self.keep_bounds(dataset, found.bounds)
        ends = (parameters.integer(self.request.query_arguments, name, *found.grid_zooms) for name in ENDS)
        least, most = (
            end if given is None else given for given, end in zip(ends, (found.minzoom, found.maxzoom), strict=True)
        )
        if least > most:
            raise BadParameter("The parameter minzoom must not be greater than maxzoom.")
        return replace(found, minzoom=least, maxzoom=most)

    def set_private(self, dataset: Dataset) -> None:
        """Keep documents out of shared caches, and those with a token in them out of every cache."""
        public = dataset.visibility is Scale.PUBLIC and not self.credential.tokens
        self.set_header("Cache-Control", "public, max-age=60" if public else "private, no-store")


class TileJsonHandler(DocumentHandler):
    """TileJSON 3.0 of one dataset in one tile matrix set."""

    @access(METADATA)
    async def get(self, dataset_id: str, tms: str | None = None) -> None:
        """Send the document."""
        arguments = self.request.query_arguments
        parameters.style_of(arguments)
        grid = tms or DEFAULT_GRID
        wanted = parameters.format_of(parameters.text(arguments, "tile_format"), "parameter tile_format")
        scale = parameters.integer(arguments, "tile_scale", 1, parameters.MAX_SCALE) or 1
        side = (parameters.integer(arguments, "tilesize", 1, parameters.MAX_TILESIZE) or 256) * scale
        dataset, admitted = await self.viewed(dataset_id)
        lies = await self.on_map(dataset, grid)
        extension = f".{wanted}" if wanted else ""
        path = f"/tiles/{grid}/{{z}}/{{x}}/{{y}}@{scale}x{extension}"
        url = await self.template(dataset, admitted, path)
        bounds = within(lies.bounds, grid)
        self.set_private(dataset)
        self.send_json(
            {
                "tilejson": "3.0.0",
                "name": dataset.title,
                "version": "1.0.0",
                "scheme": "xyz",
                "tiles": [url],
                "minzoom": lies.minzoom,
                "maxzoom": lies.maxzoom,
                "bounds": bounds.as_line,
                "center": [*bounds.centre, lies.minzoom],
                "tileSize": side,
            }
        )

    head = get


class GridsHandler(StudioHandler):
    """The tile matrix sets."""

    @access(CALLER)
    async def get(self, name: str | None = None) -> None:
        """Send the ids of all, or one of them."""
        await self.let_in()
        if name is None:
            ids = await self.worked_out(tasks.grids())
            found: Any = [{"id": each, "links": [self.link(each)]} for each in ids]
            self.send_json({"tileMatrixSets": found})
            return
        self.send_json(await self.worked_out(tasks.grid_json(name)))

    head = get

    def link(self, name: str) -> dict[str, str]:
        """Return the link to one of them."""
        return {"href": self.public_url(f"/tileMatrixSets/{name}"), "rel": "item", "type": "application/json"}


class ColormapsHandler(StudioHandler):
    """The colour maps, and one of them as JSON or as a picture for a legend."""

    @access(CALLER)
    async def get(self, name: str | None = None) -> None:
        """Send the names of all, or the colours of one; `f=png` draws it, `rescale=low,high` labels its ends."""
        await self.let_in()
        if name is None:
            names = await self.worked_out(tasks.colormaps())
            links = [{"href": self.public_url(f"/colorMaps/{each}"), "rel": "data"} for each in names]
            self.send_json({"colorMaps": names, "links": links})
            return
        arguments = self.request.query_arguments
        form = parameters.choice(arguments, "f", ("json", "png")) or parameters.choice(
            arguments, "format", ("json", "png")
        )
        if form == "png":
            width, height = (parameters.integer(arguments, side, 1, 2048) for side in ("width", "height"))
            vertical = parameters.choice(arguments, "orientation", ("horizontal", "vertical")) == "vertical"
            long, wide = (20, 256) if vertical else (256, 20)
            ends = next(iter(parameters.rescale(arguments)), None)
            task = tasks.legend(name, width or long, height or wide, vertical=vertical, ends=ends)
            self.set_header("Content-Type", "image/png")
            self.finish(await self.worked_out(task))
            return
        found = await self.worked_out(tasks.colours(name))
        self.set_header("Content-Type", "application/json")
        self.finish(json_bytes(found))

    head = get
