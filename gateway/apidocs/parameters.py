"""Every parameter of every route: what it is, and what it may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.catalogue.search import LIMIT_MOST as SEARCH_LIMIT_MOST
from gateway.colour.algorithm_names import ALGORITHMS, PARAMS_CHARACTERS
from gateway.colour.expressions import EXPRESSION_CHARACTERS
from gateway.colour.model import PixelSelection, TileFormat
from gateway.handlers.datasets import LIMIT_DEFAULT, LIMIT_MOST, OFFSET_MOST
from gateway.handlers.layers import LIMIT_DEFAULT as LIMIT_ASSETS
from gateway.listformats import ListFormat
from gateway.records.base import SORTINGS
from gateway.tiles import parameters
from gateway.tiles.model import INFO_FORMATS

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TRUTH: Schema = {"type": "boolean"}
CRS: Schema = {"type": "string", "pattern": "^(EPSG|OGC|ESRI|IAU_2015):[A-Za-z0-9]{1,12}$", "examples": ["EPSG:3857"]}
FORMATS = [*TileFormat, "jpg"]


def whole(least: int, most: int, default: int | None = None) -> Schema:
    """Return the schema of a whole number."""
    found: dict[str, Any] = {"type": "integer", "minimum": least, "maximum": most}
    return found if default is None else found | {"default": default}


def one_of(choices: Any, default: str | None = None) -> Schema:
    """Return the schema of a choice."""
    found: dict[str, Any] = {"type": "string", "enum": list(choices)}
    return found if default is None else found | {"default": default}


def several(item: Schema, most: int) -> Schema:
    """Return the schema of a parameter that may be given again and again."""
    return {"type": "array", "items": item, "maxItems": most}


PATH: Mapping[str, tuple[str, Schema]] = {
    "id": ("Id of the dataset, in any case.", {"type": "string", "format": "uuid"}),
    "name": ("Any name, for clients that want one in the URL.", {"type": "string", "pattern": "^[^/]+$"}),
    "tms": ("Id of a tile matrix set; see /tileMatrixSets.", {"type": "string", "examples": ["WebMercatorQuad"]}),
    "map": ("Name of a colour map; see /colorMaps.", {"type": "string", "examples": ["viridis"]}),
    "z": ("Zoom level: the tile matrix.", whole(0, 999_999_999)),
    "x": ("Column of the tile.", whole(0, 999_999_999)),
    "y": ("Row of the tile.", whole(0, 999_999_999)),
    "scale": ("How many times larger the tile is, in pixels.", whole(1, parameters.MAX_SCALE)),
    "format": ("Format of the picture; without one jpeg, or png where a pixel is masked.", one_of(FORMATS)),
    "width": ("Width in pixels.", whole(1, parameters.MAX_SIDE)),
    "height": ("Height in pixels.", whole(1, parameters.MAX_SIDE)),
    "lon": ("X in coord_crs: degrees east unless told.", {"type": "number"}),
    "lat": ("Y in coord_crs: degrees north unless told.", {"type": "number"}),
    "minx": ("Least x in coord_crs.", {"type": "number"}),
    "miny": ("Least y in coord_crs.", {"type": "number"}),
    "maxx": ("Greatest x in coord_crs.", {"type": "number"}),
    "maxy": ("Greatest y in coord_crs.", {"type": "number"}),
    "example": ("A page of the examples, or a file of one.", {"type": "string", "examples": ["leaflet.html"]}),
    "collection": ("Id of a collection.", TEXT),
    "stored": ("Id of a token on record.", {"type": "string", "format": "uuid"}),
    "list": ("Id of a list of files.", {"type": "string", "format": "uuid"}),
    "job": ("Id of a job.", {"type": "string", "format": "uuid"}),
    "listformat": ("The program that reads it.", {"type": "string", "enum": [each.value for each in ListFormat]}),
    "search": ("Id of a stored search.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}),
    "item": ("Id of an item: that of its dataset.", TEXT),
    "asset": ("Path of a file of the viewer.", TEXT),
}
NUMBERS: Schema = {"type": "string", "pattern": r"^[-+0-9.eE]+(,[-+0-9.eE]+)*$"}
QUERY: Mapping[str, tuple[str, Schema]] = {
    "bbox": ("Only datasets that touch west,south,east,north in degrees.", NUMBERS | {"examples": ["5,45,15,55"]}),
    "q": ("Only datasets whose title has this text, in any case.", TEXT),
    "collection": ("Only datasets of this collection.", TEXT),
    "datetime": (
        "Only datasets whose interval meets a moment, or an interval of two with a slash, one of them `..` at most.",
        {"type": "string", "examples": ["2026-01-01T00:00:00Z/.."]},
    ),
    "sortby": ("What the datasets are sorted by; a minus turns the order around.", one_of(SORTINGS, "created_at")),
    "limit": ("Most datasets of one page.", whole(1, LIMIT_MOST, LIMIT_DEFAULT)),
    "offset": ("Datasets that come before the page; pages far on take longer.", whole(0, OFFSET_MOST, 0)),
    "time": (
        "Only datasets of this day, or what `datetime` takes; `all` is no bound.",
        {"type": "string", "examples": ["2026-01-31"]},
    ),
    "limit_assets": ("Most datasets that a picture is made of.", whole(1, SEARCH_LIMIT_MOST, LIMIT_ASSETS)),
    "pixel_selection": ("Which value a pixel has where several have one.", one_of(PixelSelection, "first")),
    "strict": ("Whether a warning makes the file invalid.", TRUTH | {"default": False}),
    "bidx": ("Number of a band, the first being 1.", several(whole(1, parameters.MAX_BANDS), parameters.MAX_BANDS)),
    "expression": (
        "Arithmetic of bands, parts separated by semicolons.",
        {"type": "string", "maxLength": EXPRESSION_CHARACTERS, "examples": ["(b2-b1)/(b2+b1)"]},
    ),
    "nodata": ("Value that is no data, in place of the file's.", {"anyOf": [{"type": "number"}, {"const": "nan"}]}),
    "unscale": ("Whether the file's scale and offset are applied.", TRUTH | {"default": False}),
    "resampling": ("How pixels are made where the picture is coarser.", one_of(parameters.RESAMPLING, "nearest")),
    "reproject": ("How pixels are made where the CRS is another.", one_of(parameters.REPROJECT, "nearest")),
    "rescale": ("Range of values from black to white: low,high of all bands or of each.", several(NUMBERS, 512)),
    "color_formula": ("Operations on colours, as rio-color has them.", {"type": "string", "maxLength": 200}),
    "colormap_name": ("Name of a colour map; see /colorMaps.", TEXT),
    "colormap": (
        "Colours of values, or of intervals, as JSON.",
        {"type": "string", "maxLength": parameters.COLORMAP_CHARACTERS, "examples": ['{"1": "#ff0000"}']},
    ),
    "return_mask": ("Whether masked pixels are transparent.", TRUTH | {"default": True}),
    "algorithm": ("What is made of the values.", one_of(ALGORITHMS)),
    "algorithm_params": ("Its parameters, as JSON.", {"type": "string", "maxLength": PARAMS_CHARACTERS}),
    "tilesize": ("Pixels of one side of a tile, before the scale.", whole(1, parameters.MAX_TILESIZE, 256)),
    "buffer": (
        "Pixels that are added on each side.",
        {"type": "number", "minimum": 0, "maximum": parameters.MAX_BUFFER, "multipleOf": 0.5},
    ),
    "empty": (
        "What a tile outside of the data is: an empty picture, 204 or 404.",
        one_of(("200", "204", "404"), "200"),
    ),
    "v": ("Version of the dataset: makes the answer immutable for caches.", TEXT),
    "max_size": ("Most pixels of the longer side.", whole(1, parameters.MAX_SIDE)),
    "width": ("Width in pixels.", whole(1, parameters.MAX_SIDE)),
    "height": ("Height in pixels.", whole(1, parameters.MAX_SIDE)),
    "coord_crs": ("CRS of the coordinates in the path.", CRS),
    "dst_crs": ("CRS of the picture.", CRS),
    "native": (
        "Whether tif has the pixels of the file that the box touches, as a true COG, nothing resampled.",
        TRUTH | {"default": False},
    ),
    "categorical": ("Whether values are counted one by one.", TRUTH | {"default": False}),
    "c": ("A value that is counted.", several({"type": "number"}, parameters.MAX_CATEGORIES)),
    "p": ("A percentile.", several({"type": "number", "minimum": 0, "maximum": 100}, parameters.MAX_PERCENTILES)),
    "histogram_bins": ("How many bins, or their edges, comma separated.", NUMBERS | {"default": "10"}),
    "histogram_range": ("Range of the histogram: low,high.", NUMBERS),
    "tile_format": ("Format of the tiles in the template.", one_of(FORMATS)),
    "tile_scale": ("Scale of the tiles in the template.", whole(1, parameters.MAX_SCALE, 1)),
    "minzoom": ("Least zoom level, where it is not the file's own.", whole(0, 30)),
    "maxzoom": ("Greatest zoom level, where it is not the file's own.", whole(0, 30)),
    "tile_matrix_set_id": ("Tile matrix set of the document.", {"type": "string", "default": "WebMercatorQuad"}),
    "service": ("WMTS; names in any case.", one_of(("WMTS",))),
    "request": (
        "What is asked for by KVP.",
        one_of(("GetCapabilities", "GetTile", "GetFeatureInfo"), "GetCapabilities"),
    ),
    "layer": ("GetTile: the layer; a document of one dataset has one.", TEXT),
    "style": ("GetTile: a named style of the document, each a colour map, or default.", TEXT),
    "i": ("GetFeatureInfo: the column of the pixel in the tile.", whole(0, 999_999_999)),
    "j": ("GetFeatureInfo: the row of the pixel in the tile.", whole(0, 999_999_999)),
    "infoformat": ("GetFeatureInfo: media type of the answer.", one_of(INFO_FORMATS, INFO_FORMATS[0])),
    "tilematrixset": ("GetTile: the tile matrix set.", TEXT),
    "tilematrix": ("GetTile: the tile matrix.", whole(0, 999_999_999)),
    "tilecol": ("GetTile: the column.", whole(0, 999_999_999)),
    "tilerow": ("GetTile: the row.", whole(0, 999_999_999)),
    "format": ("GetTile: media type of the picture; of a colour map: json or png.", TEXT),
    "orientation": (
        "Whether the colours of a legend go from left to right, or upwards.",
        one_of(("horizontal", "vertical"), "horizontal"),
    ),
    "f": ("JSON, or a picture for a legend.", one_of(("json", "png"), "json")),
}
# Names of the STAC API that mean something else elsewhere, or are of it alone, have this before them.
STAC = "stac:"
STAC_QUERY: Mapping[str, tuple[str, Schema]] = {
    "stac:bbox": ("west,south,east,north in degrees, or six numbers with heights.", NUMBERS),
    "stac:datetime": ("A moment, or two with a slash, one of them open at most.", TEXT),
    "stac:intersects": ("A geometry of GeoJSON, not together with bbox.", TEXT),
    "stac:ids": ("Ids of items, comma separated.", TEXT),
    "stac:collections": ("Ids of collections, comma separated; without meaning within one.", TEXT),
    "stac:limit": ("Most items of one page; more than 1000 acts as 1000.", {"type": "integer", "minimum": 1}),
    "stac:sortby": ("Properties, comma separated; a minus turns the order around.", TEXT),
    "stac:fields": ("Members of items, comma separated; a minus leaves one out.", TEXT),
    "stac:filter": ("A condition in CQL2.", TEXT),
    "stac:filter-lang": ("Language of the filter.", one_of(("cql2-text", "cql2-json"), "cql2-text")),
    "stac:filter-crs": ("CRS of the filter; there is one.", TEXT),
    "stac:query": ("Refused with 400: `filter` takes its place.", TEXT),
    "stac:token": ("That of a page, from a `next` link; no credential.", TEXT),
}
HEADERS: Mapping[str, tuple[str, Schema]] = {
    "Range": ("One range of bytes (RFC 9110 section 14).", TEXT | {"examples": ["bytes=0-16383"]}),
    "If-Range": ("The range counts only for this strong ETag.", TEXT),
    "If-Match": ("Only if the file has this ETag; else 412.", TEXT),
    "If-None-Match": ("304 where the ETag is this.", TEXT),
}
STYLE = (
    "bidx", "expression", "nodata", "unscale", "resampling", "reproject", "rescale", "color_formula", "colormap_name",
    "colormap", "return_mask", "algorithm", "algorithm_params",
)  # fmt: skip
