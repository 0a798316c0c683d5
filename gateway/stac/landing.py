"""The landing page, and what the API conforms to."""

from __future__ import annotations

from typing import Any

from gateway.stac.collections import QUERYABLES
from gateway.stac.items import VERSION
from gateway.stac.site import GEOJSON, HTML, JSON, OPENAPI, SCHEMA, TITLE, Link, Site, link

STAC, OGC = "https://api.stacspec.org/v1.0.0", "http://www.opengis.net/spec"
CONFORMS_TO = (
    f"{STAC}/core",
    f"{STAC}/collections",
    f"{STAC}/ogcapi-features",
    f"{STAC}/item-search",
    f"{STAC}/item-search#sort",
    f"{STAC}/ogcapi-features#sort",
    f"{STAC}/item-search#fields",
    f"{STAC}/ogcapi-features#fields",
    # Of the filter extension this is the last version.
    "https://api.stacspec.org/v1.0.0-rc.3/item-search#filter",
    "https://api.stacspec.org/v1.0.0-rc.3/ogcapi-features#filter",
    f"{OGC}/ogcapi-features-1/1.0/conf/core",
    f"{OGC}/ogcapi-features-1/1.0/conf/geojson",
    f"{OGC}/ogcapi-features-3/1.0/conf/filter",
    f"{OGC}/ogcapi-features-3/1.0/conf/features-filter",
    f"{OGC}/ogcapi-features-3/1.0/conf/queryables",
    f"{OGC}/cql2/1.0/conf/cql2-text",
    f"{OGC}/cql2/1.0/conf/cql2-json",
    f"{OGC}/cql2/1.0/conf/basic-cql2",
    f"{OGC}/cql2/1.0/conf/advanced-comparison-operators",
)
CATALOG_ID = "cog-gateway"
DESCRIPTION = (
    "Cloud-Optimized GeoTIFFs. Each item says whether its file is a true COG, when that was looked at, and how deep."
)


def landing(site: Site) -> dict[str, Any]:
    """Return the landing page, the same for all readers."""
    return {
        "type": "Catalog",
        "stac_version": VERSION,
        "id": CATALOG_ID,
        "title": TITLE,
        "description": DESCRIPTION,
        "conformsTo": list(CONFORMS_TO),
        "links": _links(site),
    }


def conformance() -> dict[str, list[str]]:
    """Return the conformance classes."""
    return {"conformsTo": list(CONFORMS_TO)}


def _links(site: Site) -> list[Link]:
    search = site.stac("search")
    return [
        link("self", site.stac(), JSON, TITLE),
        site.root,
        link("conformance", site.stac("conformance"), JSON, "Conformance classes"),
        link("data", site.stac("collections"), JSON, "Collections"),
        link("search", search, GEOJSON, "Search") | {"method": "GET"},
        link("search", search, GEOJSON, "Search") | {"method": "POST"},
        link(QUERYABLES, site.stac("queryables"), SCHEMA, "Queryables"),
        link("service-desc", f"{site.base}/openapi.json", OPENAPI, "Description of the API (OpenAPI)"),
        link("service-doc", f"{site.base}/docs", HTML, "Documentation of the API"),
    ]
