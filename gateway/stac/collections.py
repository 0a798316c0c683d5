"""Collections as documents (STAC 1.1), and pages of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from gateway.catalogue.collections import Extent, SeenCollection
from gateway.model import utc_text
from gateway.stac.items import VERSION, WEB_MAP_LINKS
from gateway.stac.site import GEOJSON, JSON, SCHEMA, TITLE, Link, Site, link

QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
EVERYWHERE = [-180.0, -90.0, 180.0, 90.0]


def collection_of(seen: SeenCollection, site: Site) -> dict[str, Any]:
    """Return a collection as its reader sees it: extent and count are those of the datasets that they may see."""
    collection = seen.collection
    found: dict[str, Any] = {
        "type": "Collection",
        "stac_version": VERSION,
        "id": collection.id,
        "title": collection.title,
        # One that is empty is none in STAC.
        "description": collection.description or collection.title or collection.id,
        "license": collection.license,
        "created": utc_text(collection.created_at),
        "updated": utc_text(collection.updated_at),
        "extent": _extent(seen.extent),
        "gateway:count": seen.extent.count,
        "links": _links(collection.id, collection.title, site),
    }
    if seen.extent.bbox is not None:
        found["stac_extensions"] = [WEB_MAP_LINKS]
        found["links"] += _maps(collection.id, collection.title, site)
    if collection.keywords:
        found["keywords"] = list(collection.keywords)
    if collection.providers:
        found["providers"] = [provider.as_json() for provider in collection.providers]
    return found


def collections_page(page: Sequence[SeenCollection], site: Site, links: Sequence[Link]) -> dict[str, Any]:
    """Return one page of collections; `links` are those to this page and the next one."""
    found = [collection_of(each, site) for each in page]
    return {"collections": found, "numberReturned": len(found), "links": [*links, site.root, parent(site)]}


def parent(site: Site) -> Link:
    """Return the link from what is directly below the landing page."""
    return link("parent", site.stac(), JSON, TITLE)


def _extent(extent: Extent) -> dict[str, Any]:
    """Return the extent; the whole globe where no dataset has a place, because a collection must have a box."""
    moments = [utc_text(end) if end is not None else None for end in (extent.start_at, extent.end_at)]
    box = list(extent.bbox) if extent.bbox is not None else EVERYWHERE
    return {"spatial": {"bbox": [box]}, "temporal": {"interval": [moments]}}


def _links(collection_id: str, title: str, site: Site) -> list[Link]:
    here = site.stac("collections", collection_id)
    return [
        link("self", here, JSON, title),
        site.root,
        parent(site),
        link("items", f"{here}/items", GEOJSON, "Items"),
        link(QUERYABLES, f"{here}/queryables", SCHEMA, "Queryables"),
    ]


def _maps(collection_id: str, title: str, site: Site) -> list[Link]:
    """Return where the collection is drawn as one layer (web-map-links 1.2)."""
    layer = f"{site.base}/collections/{quote(collection_id, safe='')}"
    tiles = f"{layer}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}.png"
    wmts = link("wmts", f"{layer}/WMTSCapabilities.xml", "application/xml", f"{title} (WMTS)")
    return [
        link("tilejson", f"{layer}/tilejson.json", JSON, f"{title} (TileJSON)"),
        link("xyz", tiles, "image/png", f"{title} (XYZ)"),
        wmts | {"wmts:layer": collection_id},
    ]
