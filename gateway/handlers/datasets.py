"""The list of datasets, one record, and its last validation report."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from gateway.catalogue.moments import interval_of
from gateway.errors import BadParameter
from gateway.gatekeeper import Action, roles_needed
from gateway.handlers.access import CALLER, METADATA, access
from gateway.handlers.base import BaseHandler
from gateway.handlers.searching import searched
from gateway.issuing import is_offered
from gateway.model import Dataset, Principal, TokenKind, utc_text
from gateway.records import SORTINGS, DatasetPage, DatasetQuery
from gateway.tiles import parameters

Arguments = dict[str, list[bytes]]
LIMIT_DEFAULT, LIMIT_MOST = 20, 1000
# SQLite's integers end here.
OFFSET_MOST = 2**63 - 1
# What links to other pages keep of a search.
KEPT = ("bbox", "q", "collection", "datetime", "sortby")


class JsonHandler(BaseHandler):
    """A handler whose answers depend on who asks."""

    def send_private(self, value: object) -> None:
        """Finish with JSON that no shared cache may keep."""
        if not self.credential.in_url:
            self.set_header("Cache-Control", "private, no-cache")
        self.send_json(value, HTTPStatus.OK)

    def record(self, dataset: Dataset) -> dict[str, Any]:
        """Return the public record of a dataset: no path and no bucket in it."""
        return {**record_of(dataset), "links": self.links(dataset.id)}

    def links(self, dataset_id: str) -> list[dict[str, str]]:
        """Return where the dataset's resources are."""
        paths = {
            "self": "", "download": "/download/cog", "validation": "/validation", "tilejson": "/tilejson.json",
            "wmts": "/WMTSCapabilities.xml", "preview": "/preview",
        }  # fmt: skip
        return [{"rel": rel, "href": self.public_url(f"/datasets/{dataset_id}{path}")} for rel, path in paths.items()]


class DatasetsHandler(JsonHandler):
    """The datasets that the caller may see, page by page."""

    @access(CALLER)
    async def get(self) -> None:
        """Send one page: bbox=west,south,east,north in degrees, q in titles, collection, datetime, sortby, limits."""
        query = list_query(self.request.query_arguments, self.principal)
        page = await searched(self, self.find, query)
        self.send_private(
            {
                "datasets": [self.record(dataset) for dataset in page.datasets],
                "total": page.total,
                "limit": query.limit,
                "offset": query.offset,
                "links": self.pages(query, page.total),
            }
        )

    head = get

    def find(self, query: DatasetQuery) -> DatasetPage:
        """Return the page, for a caller whose user is not disabled."""
        self.services.gatekeeper.check_enabled(self.principal)
        return self.services.records.find_datasets(query)

    def pages(self, query: DatasetQuery, total: int) -> list[dict[str, str]]:
        """Return links to this page and those beside it, with the same search."""
        offsets = {"self": query.offset}
        if query.offset + query.limit < total:
            offsets["next"] = query.offset + query.limit
        if query.offset > 0:
            offsets["prev"] = max(0, query.offset - query.limit)
        kept = {name: one(self.request.query_arguments, name) for name in KEPT}
        kept = {name: value for name, value in kept.items() if value is not None}
        return [
            {
                "rel": rel,
                "href": self.public_url("/datasets?" + urlencode({**kept, "limit": query.limit, "offset": offset})),
            }
            for rel, offset in offsets.items()
        ]


class DatasetHandler(JsonHandler):
    """One dataset's record."""

    @access(METADATA)
    async def get(self, dataset_id: str) -> None:
        """Send the record, and whether the caller may have the file, and share the dataset by links."""
        admitted = await self.in_thread(self.services.gatekeeper.admit, dataset_id, self.principal, Action.VIEW)
        rights = roles_needed(admitted.dataset, self.principal, Action.DOWNLOAD, admitted.standing.grants)
        downloadable = rights is not None and self.principal.kind is not TokenKind.TILES
        told = {"downloadable": downloadable, "shareable": is_offered(self.principal, admitted.dataset)}
        self.send_private({**self.record(admitted.dataset), **told})

    head = get


class ValidationHandler(JsonHandler):
    """The last verdict of the COG check."""

    @access(METADATA)
    async def get(self, dataset_id: str) -> None:
        """Send the report as `check --json` prints it, under the dataset's id; with `strict` a warning fails too."""
        strict = parameters.flag(self.request.query_arguments, "strict", default=False)
        admitted = await self.in_thread(self.services.gatekeeper.admit, dataset_id, self.principal, Action.VIEW)
        report = admitted.dataset.report
        told = report.as_json(admitted.dataset.id)
        self.send_private(told | {"valid": report.valid and not (strict and report.warnings)})

    head = get


def record_of(dataset: Dataset) -> dict[str, Any]:
    """Return the fields of a dataset that clients may know; raster fields are null for what is no true COG."""
    raster = dataset.raster
    return {
        "id": dataset.id,
        "title": dataset.title,
        "collection": dataset.collection,
        "start_at": utc_text(dataset.dates.start_at),
        "end_at": utc_text(dataset.dates.end_at),
        "dated_by": dataset.dates.dated_by,
        "properties": dict(dataset.properties),
        "visibility": dataset.visibility,
        "download": dataset.download,
        "owner": dataset.owner,
        "size_bytes": dataset.size_bytes,
        "version": dataset.version,
        "sha256": dataset.sha256,
        "bounds": list(raster.bounds) if raster and raster.bounds else None,
        "crs": raster.crs if raster else None,
        "width": raster.width if raster else None,
        "height": raster.height if raster else None,
        "transform": list(raster.transform) if raster and raster.transform else None,
        "count": raster.count if raster else None,
        "dtype": raster.dtype if raster else None,
        "nodata": raster.nodata if raster else None,
        "created_at": utc_text(dataset.created_at),
        "updated_at": utc_text(dataset.updated_at),
    }


def list_query(arguments: Arguments, principal: Principal) -> DatasetQuery:
    """Return the query of a list request; raises BadParameter naming what cannot be read."""
    return DatasetQuery(
        principal=principal,
        bbox=_bbox(one(arguments, "bbox")),
        q=one(arguments, "q") or None,
        collection=one(arguments, "collection"),
        when=interval_of(told) if (told := one(arguments, "datetime")) is not None else None,
        limit=_integer(arguments, "limit", LIMIT_DEFAULT, 1, LIMIT_MOST),
        offset=_integer(arguments, "offset", 0, 0, OFFSET_MOST),
        sortby=parameters.choice(arguments, "sortby", SORTINGS) or SORTINGS[0],
    )


def one(arguments: Arguments, name: str) -> str | None:
    """Return the only value of a query parameter; raises BadParameter for several or for broken UTF-8."""
    values = arguments.get(name, [])
    if len(values) > 1:
        raise BadParameter(f"The parameter {name} is given more than once.")
    try:
        return values[0].decode() if values else None
    except UnicodeDecodeError:
        raise BadParameter(f"The parameter {name} is no UTF-8.") from None


def _integer(arguments: Arguments, name: str, default: int, least: int, most: int) -> int:
    text = one(arguments, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and least <= int(text) <= most):
        raise BadParameter(f"The parameter {name} must be a whole number from {least} to {most}.")
    return int(text)


def _bbox(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise BadParameter("The parameter bbox must be west,south,east,north in degrees.") from None
    inside = all(map(math.isfinite, (west, south, east, north))) and max(abs(west), abs(east)) <= 180
    if not inside or not -90 <= south <= north <= 90:
        raise BadParameter("The parameter bbox must lie within 180 and 90 degrees, south below north.")
    return west, south, east, north
