"""The item of a dataset (STAC 1.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from gateway.dates import Dates
from gateway.ground.bounds import GeographicBounds
from gateway.model import Dataset, utc_text
from gateway.stac.assets import assets, has_place
from gateway.stac.projection import projection
from gateway.stac.site import GEOJSON, JSON, Link, Site, link

VERSION = "1.1.0"
EXTENSIONS = "https://stac-extensions.github.io"
PROJECTION = f"{EXTENSIONS}/projection/v2.0.0/schema.json"
FILE = f"{EXTENSIONS}/file/v2.1.0/schema.json"
RASTER = f"{EXTENSIONS}/raster/v2.0.0/schema.json"
AUTHENTICATION = f"{EXTENSIONS}/authentication/v1.1.0/schema.json"
WEB_MAP_LINKS = f"{EXTENSIONS}/web-map-links/v1.2.0/schema.json"


def item_of(dataset: Dataset, site: Site) -> dict[str, Any]:
    """Return the item of a dataset: GeoJSON, whose geometry is null where the dataset has no place."""
    found: dict[str, Any] = {
        "type": "Feature",
        "stac_version": VERSION,
        "stac_extensions": [],
        "id": dataset.id,
        "collection": dataset.collection,
        **_place(dataset),
        "properties": _properties(dataset),
        "links": list(_links(dataset, site)),
        "assets": assets(dataset, site),
    }
    if any("auth:refs" in each for each in (*found["links"], *found["assets"].values())):
        found["properties"]["auth:schemes"] = site.schemes
    found["stac_extensions"] = list(_extensions(found))
    return found


def _place(dataset: Dataset) -> dict[str, Any]:
    bounds = dataset.raster.bounds if dataset.raster is not None else None
    if bounds is None:
        return {"geometry": None}
    return {"geometry": dataset.footprint or GeographicBounds.of(*bounds).geometry, "bbox": list(bounds)}


def _properties(dataset: Dataset) -> dict[str, Any]:
    return {
        **dataset.properties,
        "title": dataset.title,
        **_moments(dataset.dates),
        "created": utc_text(dataset.created_at),
        "updated": utc_text(dataset.updated_at),
        **(projection(dataset.raster) if dataset.raster is not None else {}),
    }


def _moments(dates: Dates) -> dict[str, str | None]:
    first, last = utc_text(dates.start_at), utc_text(dates.end_at)
    if first == last:
        return {"datetime": first}
    return {"datetime": None, "start_datetime": first, "end_datetime": last}


def _links(dataset: Dataset, site: Site) -> Iterator[Link]:
    within, refs = site.stac("collections", dataset.collection), site.refs_to_view(dataset)
    yield link("self", site.stac("collections", dataset.collection, "items", dataset.id), GEOJSON) | refs
    yield site.root
    yield link("parent", within, JSON)
    yield link("collection", within, JSON)
    yield link("describedby", site.dataset(dataset.id, "/validation"), JSON, "Report of the COG check") | refs
    if has_place(dataset):
        tiles = site.dataset(dataset.id, "/tiles/WebMercatorQuad/{z}/{x}/{y}.png")
        tiles += f"?v={quote(dataset.version, safe='')}"
        capabilities = site.dataset(dataset.id, "/WMTSCapabilities.xml")
        # Clients list them by their titles alone.
        titled = {kind: f"{dataset.title} ({kind})" for kind in ("TileJSON", "XYZ", "WMTS")}
        yield link("tilejson", site.dataset(dataset.id, "/tilejson.json"), JSON, titled["TileJSON"]) | refs
        yield link("xyz", tiles, "image/png", titled["XYZ"]) | refs
        yield link("wmts", capabilities, "application/xml", titled["WMTS"]) | {"wmts:layer": "default"} | refs


def _extensions(item: Mapping[str, Any]) -> Iterator[str]:
    """Yield the schemas of the extensions whose fields an item has."""
    if "proj:shape" in item["properties"]:
        yield PROJECTION
    yield FILE
    if any("raster:scale" in band for band in item["assets"]["data"].get("bands", ())):
        yield RASTER
    if "auth:schemes" in item["properties"]:
        yield AUTHENTICATION
    if any(each["rel"] == "tilejson" for each in item["links"]):
        yield WEB_MAP_LINKS
