"""Every endpoint, one line each."""

from __future__ import annotations

import re

from tornado.web import RequestHandler

from gateway.handlers.apidocs import ApiDocsHandler, OpenApiHandler
from gateway.handlers.datasets import DatasetHandler, DatasetsHandler, ValidationHandler
from gateway.handlers.downloads import DownloadHandler
from gateway.handlers.features import FeatureHandler
from gateway.handlers.filelists import FileListHandler, FileListsHandler
from gateway.handlers.health import LiveHandler, ReadyHandler
from gateway.handlers.jobs import JobHandler, JobResultHandler
from gateway.handlers.layerassets import PointAssetsHandler, TileAssetsHandler
from gateway.handlers.layerdocs import LayerTileJsonHandler, LayerWmtsHandler
from gateway.handlers.layerparts import LayerPartHandler, LayerPreviewHandler, LayerStatisticsHandler
from gateway.handlers.layerpoints import LayerPointHandler
from gateway.handlers.layertiles import LayerTileHandler
from gateway.handlers.layertokens import LayerTokenHandler
from gateway.handlers.links import LinkHandler, LinksHandler, LinkTokenHandler
from gateway.handlers.maps import ColormapsHandler, GridsHandler, TileJsonHandler
from gateway.handlers.owntokens import OwnTokenHandler, OwnTokensHandler
from gateway.handlers.pages import AssetHandler, ElsewhereHandler, ExamplesHandler, IconHandler, PageHandler
from gateway.handlers.rasters import (
    InfoGeoJsonHandler,
    InfoHandler,
    PartHandler,
    PointHandler,
    PreviewHandler,
)
from gateway.handlers.searches import SearchesHandler, StoredSearchHandler
from gateway.handlers.signin import IssuerHandler, SignInHandler
from gateway.handlers.stac import (
    CollectionHandler,
    CollectionsHandler,
    ConformanceHandler,
    LandingHandler,
    QueryablesHandler,
)
from gateway.handlers.stacitems import CollectionItemsHandler, ItemHandler, SearchHandler
from gateway.handlers.statistics import StatisticsHandler
from gateway.handlers.tiles import TileHandler
from gateway.handlers.tokens import DownloadTokenHandler, TileTokenHandler
from gateway.handlers.watching import MetricsHandler
from gateway.handlers.wmts import CatalogueWmtsHandler, WmtsHandler

# Of a collection as a layer, and of a stored search.
LAYER_ROUTES: tuple[tuple[str, type[RequestHandler]], ...] = (
    ("/tiles/{tms?}{z}/{x}/{y}{@scale}{.format}", LayerTileHandler),
    ("/tiles/{tms?}{z}/{x}/{y}/assets", TileAssetsHandler),
    ("/tilejson.json", LayerTileJsonHandler),
    ("/{tms}/tilejson.json", LayerTileJsonHandler),
    ("/WMTSCapabilities.xml", LayerWmtsHandler),
    ("/statistics", LayerStatisticsHandler),
    ("/point/{lon},{lat}", LayerPointHandler),
    ("/point/{lon},{lat}/assets", PointAssetsHandler),
    ("/preview{/size}{.format}", LayerPreviewHandler),
    ("/bbox/{minx},{miny},{maxx},{maxy}{/size}{.format}", LayerPartHandler),
)
# {id} takes any one path segment: whether it is an id is for the gatekeeper to say, after the credential.
# {name} is free: the same resource under a file name that clients like.
API_ROUTES: tuple[tuple[str, type[RequestHandler]], ...] = (
    ("/datasets", DatasetsHandler),
    ("/datasets/{id}", DatasetHandler),
    ("/datasets/{id}/validation", ValidationHandler),
    ("/datasets/{id}/download/cog", DownloadHandler),
    ("/datasets/{id}/download/{name}.tif", DownloadHandler),
    ("/datasets/{id}/tiles/{tms?}{z}/{x}/{y}{@scale}{.format}", TileHandler),
    ("/datasets/{id}/tilejson.json", TileJsonHandler),
    ("/datasets/{id}/{tms}/tilejson.json", TileJsonHandler),
    ("/datasets/{id}/WMTSCapabilities.xml", WmtsHandler),
    ("/datasets/{id}/info", InfoHandler),
    ("/datasets/{id}/info.geojson", InfoGeoJsonHandler),
    ("/datasets/{id}/statistics", StatisticsHandler),
    ("/datasets/{id}/point/{lon},{lat}", PointHandler),
    ("/datasets/{id}/preview{/size}{.format}", PreviewHandler),
    ("/datasets/{id}/bbox/{minx},{miny},{maxx},{maxy}{/size}{.format}", PartHandler),
    ("/datasets/{id}/feature{/size}{.format}", FeatureHandler),
    ("/WMTSCapabilities.xml", CatalogueWmtsHandler),
    ("/tileMatrixSets", GridsHandler),
    ("/tileMatrixSets/{tms}", GridsHandler),
    ("/colorMaps", ColormapsHandler),
    ("/colorMaps/{map}", ColormapsHandler),
    ("/auth/download-token/{id}", DownloadTokenHandler),
    ("/auth/tile-token/{id}", TileTokenHandler),
    ("/auth/issuer", IssuerHandler),
    ("/auth/link-token", LinkTokenHandler),
    ("/auth/tokens", OwnTokensHandler),
    ("/auth/tokens/{stored}", OwnTokenHandler),
    ("/links", LinksHandler),
    ("/links/{stored}", LinkHandler),
    ("/downloads", FileListsHandler),
    ("/downloads/{list}.{listformat}", FileListHandler),
    *(
        (f"{layer}{template}", handler)
        for layer in ("/collections/{collection}", "/searches/{search}")
        for template, handler in LAYER_ROUTES
    ),
    ("/searches", SearchesHandler),
    ("/searches/{search}", StoredSearchHandler),
    ("/auth/tile-token/collections/{collection}", LayerTokenHandler),
    ("/auth/tile-token/searches/{search}", LayerTokenHandler),
    ("/stac", LandingHandler),
    ("/stac/conformance", ConformanceHandler),
    ("/stac/queryables", QueryablesHandler),
    ("/stac/search", SearchHandler),
    ("/stac/collections", CollectionsHandler),
    ("/stac/collections/{collection}", CollectionHandler),
    ("/stac/collections/{collection}/queryables", QueryablesHandler),
    ("/stac/collections/{collection}/items", CollectionItemsHandler),
    ("/stac/collections/{collection}/items/{item}", ItemHandler),
    ("/jobs/{job}", JobHandler),
    ("/jobs/{job}/result.tif", JobResultHandler),
    ("/openapi.json", OpenApiHandler),
    ("/docs", ApiDocsHandler),
)
ROOT_ROUTES: tuple[tuple[str, type[RequestHandler]], ...] = (
    ("/livez", LiveHandler),
    ("/.well-known/oauth-protected-resource", SignInHandler),
    ("/readyz", ReadyHandler),
    ("/metrics", MetricsHandler),
    ("/", PageHandler),
    ("/static/{asset}", AssetHandler),
    ("/examples/", ExamplesHandler),
    ("/examples/{example}", ExamplesHandler),
    ("/favicon.ico", IconHandler),
)

# Two letters first: the fraction of a number is no format.
FORMAT = r"(?:\.([a-z]{2,}[0-9]*))?"
NUMBER = r"([-+0-9.eE]+?)"
PARTS = {
    "{collection}": "([^/]+)", "{search}": "([^/]+)", "{item}": "([^/]+)", "{stored}": "([^/]+)",
    "{list}": "([^/.]+)", "{job}": "([^/]+)", "{listformat}": "(metalink|aria2|curl|urls|ndjson)",
    "{id}": "([^/]+)", "{asset}": "([A-Za-z0-9._/-]+)", "{example}": "([a-z.]+)", "{name}": "[^/]+",
    "{tms}": r"(\w+)", "{map}": r"(\w+)", "{tms?}": r"(?:(\w+)/)?", "{z}": "([0-9]{1,9})",
    "{x}": "([0-9]{1,9})", "{y}": "([0-9]{1,9})", "{@scale}": "(?:@([0-9]{1,3})x)?", "{.format}": FORMAT,
    "{/size}": "(?:/([0-9]{1,5})x([0-9]{1,5}))?", "{lon}": NUMBER, "{lat}": NUMBER, "{minx}": NUMBER,
    "{miny}": NUMBER, "{maxx}": NUMBER, "{maxy}": NUMBER,
}  # fmt: skip


def pattern(template: str) -> str:
    """Return the regular expression of a route's template, over the percent-encoded path."""
    pieces = re.split(r"(\{[^}]+\})", template)
    return "".join(PARTS[piece] if piece in PARTS else re.escape(piece) for piece in pieces)


def templates() -> dict[type[RequestHandler], str]:
    """Return the first template of each handler, by which its requests are counted."""
    return {handler: template for template, handler in reversed((*API_ROUTES, *ROOT_ROUTES))}


def all_routes(prefix: str) -> list[tuple[str, type[RequestHandler]]]:
    """Return every route's pattern and handler, those of the API below `prefix`, and what leads to them."""
    routes = [(prefix + template, handler) for template, handler in API_ROUTES]
    guessed = [
        "/examples",
        "/examples/{example}/",
        f"{prefix}/docs/",
        f"{prefix}/stac/",
        *((prefix, f"{prefix}/") if prefix else ()),
    ]
    routes += [*ROOT_ROUTES, *((path, ElsewhereHandler) for path in guessed)]
    return [(pattern(template), handler) for template, handler in routes]
