"""What each handler takes and answers, beside what its routes and its access rule tell already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tornado.web import RequestHandler

from gateway.apidocs.parameters import STYLE
from gateway.apidocs.schemas import ref
from gateway.handlers.apidocs import ApiDocsHandler, OpenApiHandler
from gateway.handlers.datasets import DatasetHandler, DatasetsHandler, ValidationHandler
from gateway.handlers.downloads import DownloadHandler
from gateway.handlers.health import LiveHandler, ReadyHandler
from gateway.handlers.links import LinkHandler, LinksHandler, LinkTokenHandler
from gateway.handlers.maps import ColormapsHandler, GridsHandler, TileJsonHandler
from gateway.handlers.owntokens import OwnTokenHandler, OwnTokensHandler
from gateway.handlers.pages import AssetHandler, ExamplesHandler, IconHandler, PageHandler
from gateway.handlers.rasters import (
    InfoGeoJsonHandler,
    InfoHandler,
    PartHandler,
    PointHandler,
    PreviewHandler,
    StatisticsHandler,
)
from gateway.handlers.stac import (
    CollectionHandler,
    CollectionsHandler,
    ConformanceHandler,
    LandingHandler,
    QueryablesHandler,
)
from gateway.handlers.stacitems import CollectionItemsHandler, ItemHandler, SearchHandler
from gateway.handlers.tiles import TileHandler
from gateway.handlers.tokens import DownloadTokenHandler, TileTokenHandler
from gateway.handlers.watching import MetricsHandler
from gateway.handlers.wmts import CatalogueWmtsHandler, WmtsHandler
from gateway.tiles.model import INFO_FORMATS

Content = Mapping[str, Any]
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/tiff", "application/x-binary")
PICTURE: Content = {kind: {} for kind in PICTURES}
TOLD: Content = {kind: {} for kind in INFO_FORMATS}
HTML: Content = {"text/html; charset=utf-8": {}}


def json(name: str, kind: str = "application/json") -> Content:
    """Return the content of a JSON answer."""
    return {kind: {"schema": ref(name)}}


@dataclass(frozen=True, slots=True)
class Operation:
    """What a handler's routes have in common; `answers` are those without an error, by status."""

    tag: str
    answers: Mapping[int, tuple[str, Content | None]]
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    # Of answers with a body.
    answer_headers: tuple[str, ...] = field(default=())
    # Of POST, which takes no query then.
    body: Content | None = None
    # Whether some of its formats carry values, which have the rules of the file.
    values: bool = False


NOT_MODIFIED = {304: ("The client has it.", None)}
CACHED = ("ETag", "Cache-Control")
VALUES = "As tif and npy, which carry values, only for those who may download; unless the server opens values to all."


def fact(name: str, *query: str) -> Operation:
    """Return the operation of a JSON fact of an open raster."""
    answers = {200: ("The facts.", json(name)), **NOT_MODIFIED}
    return Operation("maps", answers, (*query, "v"), ("If-None-Match",), (400, 422, 429, 503), CACHED)


def drawn(*query: str, more: Mapping[int, tuple[str, Content | None]] | None = None) -> Operation:
    """Return the operation of a picture, which may come as values too."""
    answers = {200: (f"The picture. {VALUES}", PICTURE), **NOT_MODIFIED, **(more or {})}
    errors = (400, 403, 422, 429, 503)
    return Operation("maps", answers, (*STYLE, *query, "v"), ("If-None-Match",), errors, CACHED, values=True)


def plain(tag: str, name: str, *query: str, errors: tuple[int, ...] = ()) -> Operation:
    """Return the operation of a JSON document."""
    return Operation(tag, {200: ("The document.", json(name))}, query, errors=errors)


def on_record(listed: str, one: str, wish: str) -> Operation:
    """Return the operation of tokens on record, which GET lists and POST makes."""
    answers = {200: ("What is on record.", json(listed)), 201: ("The new one, with its secret.", json(one))}
    return Operation("tokens", answers, errors=(400, 403, 404, 409, 429), body=json(wish))


REVOKED = Operation("tokens", {204: ("It has ended.", None)}, errors=(403, 404))


def stac(name: str, *query: str, kind: str = "application/json", body: str | None = None) -> Operation:
    """Return the operation of a document of STAC."""
    answers = {200: ("The document.", json(name, kind)), **NOT_MODIFIED}
    sent, errors = json(body) if body else None, (400,) if query else ()
    return Operation("stac", answers, query, ("If-None-Match",), errors, CACHED, body=sent)


GEOJSON = "application/geo+json"
# By the names in QUERY.
IN_COLLECTION = tuple(
    f"stac:{name}" for name in ("bbox", "datetime", "intersects", "ids", "sortby", "fields", "filter", "filter-lang",
                                "filter-crs", "limit", "token", "query", "collections")
)  # fmt: skip
DOCUMENT = ("tilesize", "minzoom", "maxzoom")
TILE = drawn("tilesize", "buffer", "empty", more={204: ("Nothing is there, and `empty` is 204.", None)})
OPERATIONS: Mapping[type[RequestHandler], Operation] = {
    DatasetsHandler: plain(
        *("datasets", "Datasets", "bbox", "q", "collection", "datetime", "sortby", "limit", "offset"), errors=(400,)
    ),
    DatasetHandler: plain("datasets", "Dataset"),
    ValidationHandler: plain("datasets", "Report", "strict", errors=(400,)),
    DownloadHandler: Operation(
        "downloads",
        {
            200: ("The whole file.", {"image/tiff": {}}),
            206: ("One range of it.", {"image/tiff": {}}),
            302: ("The file lies in a store: a presigned URL.", None),
            **NOT_MODIFIED,
        },
        headers=("Range", "If-Range", "If-Match", "If-None-Match"),
        errors=(403, 412, 416, 422, 503),
        answer_headers=("ETag", "Last-Modified", "Content-Disposition", "Accept-Ranges", "Repr-Digest"),
    ),
    TileHandler: TILE,
    TileJsonHandler: plain(
        "maps", "TileJson", *STYLE, *DOCUMENT, "tile_format", "tile_scale", errors=(400, 422, 429, 503)
    ),
    WmtsHandler: Operation(
        "maps",
        {
            200: (f"The capabilities, or what KVP asks for. {VALUES}", {"application/xml": {}, **PICTURE, **TOLD}),
            204: ("Nothing is there, and `empty` is 204.", None),
            **NOT_MODIFIED,
        },
        (*STYLE, *DOCUMENT, "tile_matrix_set_id", "service", "request", "tilematrixset", "tilematrix", "tilecol",
         "tilerow", "format", "layer", "style", "i", "j", "infoformat", "buffer", "empty", "v"),
        ("If-None-Match",),
        (400, 403, 422, 429, 503),
        values=True,
    ),
    CatalogueWmtsHandler: Operation(
        "maps",
        {200: ("The capabilities: a layer for each dataset that the caller may see.", {"application/xml": {}})},
        (*STYLE, "tilesize", "tile_matrix_set_id", "service", "request", "bbox", "q", "collection", "datetime",
         "sortby", "limit", "offset"),
        errors=(400, 404, 429, 503),
    ),
    InfoHandler: fact("Info"),
    InfoGeoJsonHandler: Operation(
        "maps", {200: ("The facts.", json("Feature", "application/geo+json")), **NOT_MODIFIED}, ("v",),
        ("If-None-Match",), (422, 429, 503), CACHED,
    ),
    StatisticsHandler: fact(
        "Statistics", *STYLE, "max_size", "width", "height", "dst_crs",
        "categorical", "c", "p", "histogram_bins", "histogram_range"
    ),
    PointHandler: fact("Point", *STYLE, "coord_crs"),
    PreviewHandler: drawn("max_size", "width", "height", "dst_crs"),
    PartHandler: drawn("max_size", "width", "height", "coord_crs", "dst_crs"),
    GridsHandler: plain("maps", "TileMatrixSets", errors=(404,)),
    ColormapsHandler: Operation(
        "maps", {200: ("The colours.", {**json("ColorMap"), "image/png": {}})},
        ("f", "format", "width", "height", "orientation", "rescale"),
        errors=(400, 404),
    ),
    DownloadTokenHandler: Operation("tokens", {200: ("The token.", json("Token"))}, errors=(403, 429)),
    TileTokenHandler: Operation("tokens", {200: ("The token.", json("TileToken"))}, errors=(429,)),
    LinkTokenHandler: Operation("tokens", {200: ("The token.", json("LinkToken"))}, errors=(404, 429)),
    OwnTokensHandler: on_record("OwnTokens", "NewOwnToken", "OwnTokenWish"),
    OwnTokenHandler: REVOKED,
    LinksHandler: on_record("Links", "NewLink", "LinkWish"),
    LinkHandler: REVOKED,
    LandingHandler: stac("StacCatalog"),
    ConformanceHandler: stac("StacConformance"),
    QueryablesHandler: stac("StacQueryables", kind="application/schema+json"),
    CollectionsHandler: stac("StacCollections", "stac:limit", "stac:token"),
    CollectionHandler: stac("StacCollection"),
    CollectionItemsHandler: stac("StacItems", *IN_COLLECTION, kind=GEOJSON),
    ItemHandler: stac("StacItem", kind=GEOJSON),
    SearchHandler: stac("StacItems", *IN_COLLECTION, kind=GEOJSON, body="StacSearch"),
    OpenApiHandler: plain("about", "Document"),
    ApiDocsHandler: Operation("about", {200: ("The page.", HTML), **NOT_MODIFIED}),
    LiveHandler: plain("about", "Health"),
    ReadyHandler: Operation(
        "about", {200: ("Ready.", json("Health")), 503: ("Not ready: what fails is named.", json("Health"))}
    ),
    MetricsHandler: Operation("about", {200: ("The metrics.", {"text/plain": {}})}, errors=(403,)),
    PageHandler: Operation("about", {200: ("The viewer.", HTML), **NOT_MODIFIED}),
    AssetHandler: Operation("about", {200: ("A file of the viewer.", {"*/*": {}}), **NOT_MODIFIED}, errors=(404,)),
    ExamplesHandler: Operation(
        "about", {200: ("An example.", {**HTML, "*/*": {}}), **NOT_MODIFIED}, errors=(404,)
    ),
    IconHandler: Operation("about", {200: ("The icon.", {"image/x-icon": {}}), **NOT_MODIFIED}),
}  # fmt: skip
# Without the last part of the path these list all.
LISTS: Mapping[str, str] = {"/tileMatrixSets": "TileMatrixSets", "/colorMaps": "ColorMaps"}
