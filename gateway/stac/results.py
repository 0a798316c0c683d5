"""One page of the items that were found (GeoJSON, RFC 7946)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from gateway.catalogue.search import Page
from gateway.stac.fields import Fields
from gateway.stac.items import item_of
from gateway.stac.site import GEOJSON, Link, Site, link


def results(page: Page, fields: Fields | None, site: Site, links: Sequence[Link]) -> dict[str, Any]:
    """Return the page; `numberMatched` is left out where matches are not counted as far."""
    items = [item_of(dataset, site) for dataset in page.datasets]
    features = [fields.of(item) for item in items] if fields is not None else items
    found: dict[str, Any] = {"type": "FeatureCollection", "features": features, "links": list(links)}
    if page.matched is not None:
        found["numberMatched"] = page.matched
    return {**found, "numberReturned": len(features)}


def next_by_query(address: str, query: Mapping[str, str], token: str, kind: str = GEOJSON) -> Link:
    """Return the link to the page of a token, for GET."""
    told = urlencode({**query, "token": token})
    return link("next", f"{address}?{told}", kind) | {"method": "GET"}


def next_by_body(address: str, token: str) -> Link:
    """Return the link to the page of a token, for POST with the body that was sent and this in it."""
    return link("next", address, GEOJSON) | {"method": "POST", "body": {"token": token}, "merge": True}
