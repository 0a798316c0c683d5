"""The shapes of the JSON that the API sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]


def ref(name: str) -> Schema:
    """Return a reference to one of the schemas below."""
    return {"$ref": f"#/components/schemas/{name}"}


def made(properties: Mapping[str, Schema], optional: Sequence[str] = (), **more: Any) -> Schema:
    """Return the schema of an object whose properties are all there, but for the optional ones."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required, **more}


def listed(item: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": item}


def or_null(kind: str, **more: Any) -> Schema:
    """Return the schema of a value that may be null."""
    return {"type": [kind, "null"], **more}


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MOMENT: Schema = {"type": "string", "format": "date-time"}
SCALE: Schema = {"type": "string", "enum": ["public", "internal", "private"]}
# Addresses of tiles are templates.
LAYER_LINKS = listed(made({"rel": TEXT, "href": TEXT}))
LINKS = listed(made({"rel": TEXT, "href": {"type": "string", "format": "uri"}, "type": TEXT}, ("rel", "type")))
STAC_LINKS = listed(made({"rel": TEXT, "href": TEXT}, additionalProperties=True))
BAND_NUMBER: Schema = {"type": ["number", "null"]}

TILE_JSON: Mapping[str, Schema] = {
    "tilejson": {"const": "3.0.0"}, "name": TEXT, "version": TEXT, "scheme": {"const": "xyz"}, "tiles": listed(TEXT),
    "minzoom": COUNT, "maxzoom": COUNT, "bounds": listed(NUMBER), "center": listed(NUMBER), "tileSize": COUNT,
}  # fmt: skip
POINT: Mapping[str, Schema] = {
    "coordinates": listed(NUMBER), "values": listed(BAND_NUMBER), "band_names": listed(TEXT),
    "band_descriptions": listed({"type": ["string", "null"]}),
}  # fmt: skip
SEARCH: Mapping[str, Schema] = {
    "bbox": {"type": "array", "items": NUMBER, "minItems": 4, "maxItems": 6},
    "datetime": TEXT,
    "intersects": {"type": "object"},
    "ids": listed(TEXT),
    "collections": listed(TEXT),
    "sortby": listed(made({"field": TEXT, "direction": {"type": "string", "enum": ["asc", "desc"]}}, ("direction",))),
    "filter": {"type": ["object", "string"]},
    "filter-lang": {"type": "string", "enum": ["cql2-json", "cql2-text"]},
    "filter-crs": TEXT,
}
LAYERS: Mapping[str, Schema] = {
    "LayerTileJson": made(
        {
            **TILE_JSON, "days": listed({"type": "string", "format": "date"}),
            "stretch": {"type": ["array", "null"], "items": listed(NUMBER)},
        },
        description="TileJSON 3.0, the days on which datasets begin, the newest first, and the range of values of"
        " each band where `rescale` says none, null for bytes.",
    ),
    "LayerAssets": made(
        {
            "assets": listed(
                made(
                    {
                        "id": {"type": "string", "format": "uuid"}, "title": TEXT, "collection": TEXT,
                        "start_at": MOMENT, "end_at": MOMENT, "size_bytes": COUNT,
                        "bounds": {"type": ["array", "null"], "items": NUMBER, "minItems": 4, "maxItems": 4},
                        "links": LINKS,
                    }
                )
            ),
            "found": {**COUNT, "description": "How many there are in all; 10,000 stands for more."},
        },
        description="In the order in which they are painted.",
    ),
    "LayerPoint": made(
        {
            **POINT,
            "assets": listed(
                made({name: POINT[name] for name in POINT if name != "coordinates"} | {"name": TEXT})
            ),
        },
        description="`values` are those that a picture shows, `assets` those of each dataset, its id the name.",
    ),
    "SearchToStore": {
        "type": "object",
        "properties": {
            **SEARCH, "title": TEXT,
            "style": {"type": "object", "description": "Parameters of pictures, by their names."},
        },
        "description": "bbox and intersects exclude each other.",
    },
    "StoredSearch": made(
        {
            "id": {"type": "string", "pattern": "^[0-9a-f]{32}$"}, "title": or_null("string"),
            "search": {"type": "object", "description": "Its normal form."}, "style": {"type": "object"},
            "created_at": MOMENT, "links": LAYER_LINKS,
        }
    ),
}  # fmt: skip

AREA = made(
    {
        "type": {"const": "Feature"},
        "geometry": made({"type": {"enum": ["Polygon", "MultiPolygon"]}, "coordinates": {"type": "array"}}),
    },
    description="A feature of GeoJSON (RFC 7946) with a polygon, or with several.",
)
SCHEMAS: Mapping[str, Schema] = {
    "Problem": made(
        {
            "type": {"type": "string", "format": "uri-reference"},
            "title": TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": TEXT,
            "instance": {"type": "string", "description": "Id of the request, as in X-Request-ID."},
            "errors": listed(ref("Finding")),
        },
        ("detail", "errors"),
        description="RFC 9457.",
    ),
    "Finding": made(
        {
            "rule": TEXT, "message": TEXT, "ifd": or_null("integer"), "block": or_null("integer"),
            "offset": or_null("integer"),
        },
        ("ifd", "block", "offset"),
    ),
    "Report": made(
        {
            "source": TEXT,
            "valid": {"type": "boolean"},
            "depth": {"type": "string", "enum": ["header", "blocks", "full"]},
            "errors": listed(ref("Finding")),
            "warnings": listed(ref("Finding")),
            "mend": or_null("string", description="Command that makes a COG of the file."),
        }
    ),
    "Dataset": made(
        {
            "id": {"type": "string", "format": "uuid"},
            "title": TEXT,
            "visibility": SCALE,
            "download": SCALE,
            "owner": or_null("string"),
            "size_bytes": COUNT,
            "version": TEXT,
            "sha256": or_null("string", pattern="^[0-9a-f]{64}$"),
            "bounds": {"type": ["array", "null"], "items": NUMBER, "minItems": 4, "maxItems": 4},
            "crs": or_null("string"),
            "width": or_null("integer"),
            "height": or_null("integer"),
            "transform": {
                "type": ["array", "null"], "items": NUMBER, "minItems": 6, "maxItems": 6,
                "description": "a to f of x = a * column + b * row + c and y = d * column + e * row + f, in `crs`.",
            },
            "count": or_null("integer"),
            "dtype": or_null("string"),
            "nodata": {"type": ["number", "string", "null"]},
            "created_at": MOMENT,
            "updated_at": MOMENT,
            "links": LINKS,
            "downloadable": {
                "type": "boolean",
                "description": "Whether the caller has the right to the file; in the record alone, not in lists.",
            },
            "shareable": {
                "type": "boolean",
                "description": "Whether the caller may make links to it; in the record alone.",
            },
        },
        ("downloadable", "shareable"),
    ),
    "Datasets": made(
        {"datasets": listed(ref("Dataset")), "total": COUNT, "limit": COUNT, "offset": COUNT, "links": LINKS}
    ),
    "Token": made({"token": TEXT, "expires_in": COUNT, "url": {"type": "string", "format": "uri"}}),
    "TileToken": made(
        {
            "token": TEXT, "expires_in": COUNT, "url": {"type": "string", "format": "uri"},
            "tilejson": {"type": "string", "format": "uri"}, "wmts": {"type": "string", "format": "uri"},
            "tiles": listed(TEXT),
        },
        description="`tiles` are templates with {z}, {x} and {y}, as in TileJSON.",
    ),
    "TileJson": made(
        TILE_JSON,
        description="TileJSON 3.0.",
    ),
    "Info": made(
        {
            "bounds": listed(NUMBER), "crs": TEXT, "band_metadata": {"type": "array"},
            "band_descriptions": {"type": "array"}, "dtype": TEXT, "nodata_type": TEXT, "width": COUNT,
            "height": COUNT, "count": COUNT, "driver": TEXT, "overviews": listed(COUNT),
        },
        ("crs",),
        description="As TiTiler's.",
    ),
    "Feature": made(
        {"type": {"const": "Feature"}, "geometry": {"type": ["object", "null"]}, "properties": {"type": "object"}},
        description="RFC 7946.",
    ),
    "Statistics": {
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "properties": dict.fromkeys(("min", "max", "mean", "count", "sum", "std", "median"), BAND_NUMBER)
            | {"histogram": {"type": "array", "items": {"type": "array"}}},
            "required": ["min", "max", "mean", "count", "std", "histogram"],
        },
    },
    "Area": AREA,
    "Areas": {"oneOf": [ref("Area"), made({"type": {"const": "FeatureCollection"}, "features": {"type": "array"}})]},
    "WithStatistics": {
        "type": "object",
        "description": "What was sent, each feature with `statistics` in its properties: an object as GET has it.",
        "required": ["type"],
    },
    "Point": made(POINT),
    **LAYERS,
    "TileMatrixSets": made({"tileMatrixSets": listed(made({"id": TEXT, "links": LINKS}))}),
    "TileMatrixSet": made({"id": TEXT, "tileMatrices": {"type": "array"}}, additionalProperties=True),
    "ColorMaps": made({"colorMaps": listed(TEXT), "links": LINKS}),
    "ColorMap": {"type": ["object", "array"], "description": "Colours, red green blue alpha, by value or interval."},
    "StacCatalog": made(
        {
            "type": {"const": "Catalog"}, "stac_version": TEXT, "id": TEXT, "title": TEXT, "description": TEXT,
            "conformsTo": listed(TEXT), "links": STAC_LINKS,
        },
        description="STAC 1.1, STAC API 1.0.0.",
    ),
    "StacConformance": made({"conformsTo": listed(TEXT)}),
    "StacQueryables": {"type": "object", "description": "JSON schema of what can be filtered by."},
    "StacCollection": made(
        {
            "type": {"const": "Collection"}, "stac_version": TEXT, "id": TEXT, "title": TEXT, "description": TEXT,
            "license": TEXT, "keywords": listed(TEXT), "providers": listed({"type": "object"}), "created": MOMENT,
            "updated": MOMENT, "extent": {"type": "object"},
            "gateway:count": {**COUNT, "description": "How many of its datasets the caller may see."},
            "gateway:shareable": {"const": True, "description": "The caller may make links to it."},
            "links": STAC_LINKS,
        },
        ("keywords", "providers", "gateway:shareable"),
        description="Its extent and its count are those of the datasets that the caller may see.",
    ),
    "StacCollections": made(
        {"collections": listed(ref("StacCollection")), "numberReturned": COUNT, "links": STAC_LINKS}
    ),
    "StacItem": made(
        {
            "type": {"const": "Feature"}, "stac_version": TEXT, "stac_extensions": listed(TEXT), "id": TEXT,
            "collection": TEXT, "geometry": {"type": ["object", "null"]}, "bbox": listed(NUMBER),
            "properties": {"type": "object"}, "assets": {"type": "object"}, "links": STAC_LINKS,
        },
        ("bbox",),
        description="The item of a dataset; of a search with `fields` what is wanted of it.",
    ),
    "StacItems": made(
        {
            "type": {"const": "FeatureCollection"}, "features": listed({"type": "object"}),
            "numberReturned": COUNT,
            "numberMatched": {**COUNT, "description": "Left out where there are 10,000 or more."},
            "links": STAC_LINKS,
        },
        ("numberMatched",),
        description="Features are as StacItem, as far as `fields` wants them.",
    ),
    "StacSearch": {
        "type": "object",
        "properties": {
            **SEARCH,
            "limit": {"type": "integer", "minimum": 1},
            "fields": {"type": "object", "properties": {"include": listed(TEXT), "exclude": listed(TEXT)}},
            "token": TEXT,
        },
        "description": "bbox and intersects exclude each other.",
    },
    "Health": made({"status": TEXT, "parts": {"type": "object"}}, ("parts",)),
    "Document": {"type": "object", "description": "OpenAPI 3.1."},
}  # fmt: skip
