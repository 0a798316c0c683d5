"""What each handler takes and answers, beside what its routes and its access rule tell already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tornado.web import RequestHandler

from gateway.apidocs.layers import LAYERS
from gateway.apidocs.operation import (
    CACHED,
    GEOJSON,
    HTML,
    JOB,
    JOB_RESULT,
    LATER,
    NOT_MODIFIED,
    PICTURE,
    REVOKED,
    TOLD,
    VALUES,
    Operation,
    drawn,
    fact,
    json,
    on_record,
    part,
    plain,
    stac,
    under_polygons,
)  # fmt: skip
from gateway.apidocs.parameters import STYLE
from gateway.handlers.apidocs import ApiDocsHandler, OpenApiHandler
from gateway.handlers.datasets import DatasetHandler, DatasetsHandler, ValidationHandler
from gateway.handlers.downloads import DownloadHandler
from gateway.handlers.features import FeatureHandler
from gateway.handlers.filelists import FileListHandler, FileListsHandler
from gateway.handlers.health import LiveHandler, ReadyHandler
from gateway.handlers.jobs import JobHandler, JobResultHandler
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
)
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
from gateway.listformats import LANGUAGES

# By the names in QUERY.
IN_COLLECTION = tuple(
    f"stac:{name}" for name in ("bbox", "datetime", "intersects", "ids", "sortby", "fields", "filter", "filter-lang",
                                "filter-crs", "limit", "token", "query", "collections")
)  # fmt: skip
DOCUMENT = ("tilesize", "minzoom", "maxzoom")
SIZE, COUNTED = ("max_size", "width", "height"), ("categorical", "c", "p", "histogram_bins", "histogram_range")
TILE = drawn("tilesize", "buffer", "empty", more={204: ("Nothing is there, and `empty` is 204.", None)})
OPERATIONS: Mapping[type[RequestHandler], Operation] = {
    **LAYERS,
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
            303: ("Somebody opened it in a browser without a token: the page of the dataset.", None),
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
    StatisticsHandler: replace(
        fact("Statistics", *STYLE, *SIZE, "dst_crs", *COUNTED),
        post=under_polygons(
            {200: ("The features, with statistics.", json("WithStatistics", GEOJSON))}, *SIZE, *COUNTED, body="Areas"
        ),
    ),
    FeatureHandler: under_polygons(
        {200: (f"The picture, or the part. {VALUES}", PICTURE), **LATER}, *SIZE, "native", body="Area", values=True
    ),
    PointHandler: fact("Point", *STYLE, "coord_crs"),
    PreviewHandler: drawn("max_size", "width", "height", "dst_crs"),
    PartHandler: part("max_size", "width", "height", "coord_crs", "dst_crs"),
    GridsHandler: plain("maps", "TileMatrixSets", errors=(404,)),
    ColormapsHandler: Operation(
        "maps", {200: ("The colours.", {**json("ColorMap"), "image/png": {}})},
        ("f", "format", "width", "height", "orientation", "rescale"),
        errors=(400, 404),
    ),
    DownloadTokenHandler: Operation("tokens", {200: ("The token.", json("Token"))}, errors=(403, 429)),
    TileTokenHandler: Operation("tokens", {200: ("The token.", json("TileToken"))}, errors=(429,)),
    IssuerHandler: Operation("tokens", {200: ("Its endpoints.", json("Issuer"))}, errors=(404, 503)),
    LinkTokenHandler: Operation("tokens", {200: ("The token.", json("LinkToken"))}, errors=(404, 429)),
    OwnTokensHandler: on_record("OwnTokens", "NewOwnToken", "OwnTokenWish"),
    OwnTokenHandler: REVOKED,
    LinksHandler: on_record("Links", "NewLink", "LinkWish"),
    LinkHandler: REVOKED,
    FileListsHandler: Operation(
        "downloads",
        {201: ("The list, with its addresses.", json("FileList")), 200: ("`dry_run`.", json("FileListSize"))},
        errors=(400, 403, 404, 409, 429),
        body=json("FileListWish"),
    ),
    FileListHandler: Operation(
        "downloads",
        {200: ("The list.", {language.media_type: {} for language in LANGUAGES.values()})},
        errors=(404,),
    ),
    LandingHandler: stac("StacCatalog"),
    ConformanceHandler: stac("StacConformance"),
    QueryablesHandler: stac("StacQueryables", kind="application/schema+json"),
    CollectionsHandler: stac("StacCollections", "stac:limit", "stac:token"),
    CollectionHandler: stac("StacCollection"),
    CollectionItemsHandler: stac("StacItems", *IN_COLLECTION, kind=GEOJSON),
    ItemHandler: stac("StacItem", kind=GEOJSON),
    SearchHandler: stac("StacItems", *IN_COLLECTION, kind=GEOJSON, body="StacSearch"),
    JobHandler: JOB,
    JobResultHandler: JOB_RESULT,
    OpenApiHandler: plain("about", "Document"),
    ApiDocsHandler: Operation("about", {200: ("The page.", HTML), **NOT_MODIFIED}),
    SignInHandler: plain("about", "SignIn"),
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
