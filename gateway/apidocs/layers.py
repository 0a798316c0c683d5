"""What the handlers of layers and of stored searches take and answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tornado.web import RequestHandler

from gateway.apidocs.operation import NOT_MODIFIED, PICTURE, TOLD, VALUES, Operation, drawn, fact, json, plain
from gateway.apidocs.parameters import STYLE
from gateway.handlers.layerassets import PointAssetsHandler, TileAssetsHandler
from gateway.handlers.layerdocs import LayerTileJsonHandler, LayerWmtsHandler
from gateway.handlers.layerparts import LayerPartHandler, LayerPreviewHandler, LayerStatisticsHandler
from gateway.handlers.layerpoints import LayerPointHandler
from gateway.handlers.layertiles import LayerTileHandler
from gateway.handlers.layertokens import LayerTokenHandler
from gateway.handlers.searches import SearchesHandler, StoredSearchHandler

# Which datasets, by the names in QUERY and those of the STAC API.
CHOSEN = ("stac:datetime", "time", "stac:sortby", "limit_assets", "pixel_selection")
DOCUMENT = ("tilesize", "minzoom", "maxzoom")
NOTHING = {204: ("Nothing is there, and `empty` is 204.", None)}


def of_layer(known: Operation) -> Operation:
    """Return the operation of a dataset as that of a layer: answers tell how many datasets they are made of."""
    query = (*(name for name in known.query if name != "v"), *CHOSEN)
    return replace(
        known, query=query, errors=(*known.errors, 404), answer_headers=(*known.answer_headers, "X-Assets")
    )


LAYERS: Mapping[type[RequestHandler], Operation] = {
    LayerTileHandler: of_layer(drawn("tilesize", "buffer", "empty", more=NOTHING)),
    TileAssetsHandler: of_layer(fact("LayerAssets", "tilesize", "buffer")),
    PointAssetsHandler: of_layer(fact("LayerAssets", "coord_crs")),
    LayerTileJsonHandler: plain(
        "maps", "LayerTileJson", *STYLE, *DOCUMENT, "tile_format", "tile_scale", *CHOSEN, errors=(400, 404, 422, 429)
    ),
    LayerWmtsHandler: Operation(
        "maps",
        {
            200: (f"The capabilities, or what KVP asks for. {VALUES}", {"application/xml": {}, **PICTURE, **TOLD}),
            **NOTHING,
            **NOT_MODIFIED,
        },
        (*STYLE, *DOCUMENT, "tile_matrix_set_id", "service", "request", "tilematrixset", "tilematrix", "tilecol",
         "tilerow", "format", "layer", "style", "i", "j", "infoformat", "buffer", "empty", *CHOSEN),
        ("If-None-Match",),
        (400, 403, 404, 422, 429, 503),
        values=True,
    ),
    LayerStatisticsHandler: of_layer(fact(
        "Statistics", *STYLE, "max_size", "width", "height", "dst_crs", "categorical", "c", "p", "histogram_bins",
        "histogram_range",
    )),
    LayerPointHandler: of_layer(fact("LayerPoint", *STYLE, "coord_crs")),
    LayerPreviewHandler: of_layer(drawn("max_size", "width", "height", "dst_crs")),
    LayerPartHandler: of_layer(drawn("max_size", "width", "height", "coord_crs", "dst_crs")),
    LayerTokenHandler: Operation("tokens", {200: ("The token.", json("TileToken"))}, errors=(404, 429)),
    SearchesHandler: Operation(
        "maps",
        {201: ("It is stored.", json("StoredSearch")), 200: ("It was stored before.", json("StoredSearch"))},
        errors=(400, 403, 409, 413, 429),
        body=json("SearchToStore"),
    ),
    StoredSearchHandler: plain("maps", "StoredSearch", errors=(404,)),
}  # fmt: skip
