"""What the tables hold, the same in every database: values to columns and back."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from gateway.catalogue.collections import Collection, collection_of_root, providers_of
from gateway.catalogue.layers import StoredSearch
from gateway.catalogue.overviews import Overview, OverviewState
from gateway.dates import DatedBy, Dates
from gateway.errors import BadParameter
from gateway.model import AuditRow, Dataset, RasterFacts, Report, Scale, utc_moment, utc_text
from gateway.records.base import StoredAuditRow

Row = dict[str, Any]
# Of the year 9999, behind which there is no datetime.
LAST_SECOND = 253402300799.0
# Those columns of the table `audit` that a writer gives, in the order of `values_of`.
AUDIT_COLUMNS = (
    "at", "action", "dataset_id", "user_id", "request_id", "version", "backend", "range", "status", "bytes_expected",
    "ip", "user_agent", "token_id", "detail", "row_id",
)  # fmt: skip


# Of rasters; those that older releases did not store.
PAIRS = ("stretch", "scaling")
LATE_FACTS = ("transform", "wkt2", "scaling", "header_bytes", "bands", "colours")
# Of overviews, the columns that are what they hold.
OVERVIEW_PLAIN = ("id", "collection", "root", "key", "zoom", "members", "version", "size_bytes", "sha256")


def fold(text: str) -> str:
    """Return `text` for comparison in any case (Unicode 3.13, canonical caseless matching)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def modified_in(version: str) -> str | None:
    """Return the moment of last modification that the version of a local file names, None for any other version."""
    # Size, nanoseconds since 1970 and inode in hex: FileSource.version.
    found = re.fullmatch("[0-9a-f]{1,16}-([0-9a-f]{1,16})-[0-9a-f]{1,16}", version)
    seconds = int(found[1], 16) / 1e9 if found else math.inf
    return utc_text(datetime.fromtimestamp(seconds, UTC)) if seconds < LAST_SECOND else None


def dataset_row(dataset: Dataset) -> Row:
    """Return the columns of a dataset."""
    raster = dataset.raster
    west, south, east, north = (raster and raster.bounds) or (None,) * 4
    return {
        "id": dataset.id,
        "root": dataset.root,
        "key": dataset.key,
        "title": dataset.title,
        "owner": dataset.owner,
        "visibility": dataset.visibility.value,
        "download": dataset.download.value,
        "version": dataset.version,
        "size_bytes": dataset.size_bytes,
        "sha256": dataset.sha256,
        "origin": dataset.origin,
        "report": json.dumps(_report_json(dataset.report)),
        "raster": json.dumps(_plain(raster)) if raster else None,
        "footprint": json.dumps(raster.footprint) if raster and raster.footprint else None,
        "west": west,
        "south": south,
        "east": east,
        "north": north,
        "collection": dataset.collection,
        "start_at": utc_text(dataset.dates.start_at),
        "end_at": utc_text(dataset.dates.end_at),
        "dated_by": dataset.dates.dated_by.value,
        "properties": json.dumps(dict(dataset.properties), sort_keys=True, allow_nan=False, ensure_ascii=False),
        "created_at": utc_text(dataset.created_at),
        "updated_at": utc_text(dataset.updated_at),
    }


def _report_json(report: Report) -> Row:
    """Return a report as the table holds it: as it is printed, and when it was made."""
    told = report.as_json("")
    return told if report.checked_at is None else {**told, "checked_at": utc_text(report.checked_at)}


def _plain(raster: RasterFacts) -> Row:
    """Return the facts of a raster as JSON holds them, without what has a column of its own."""
    facts = asdict(replace(raster, small=None))
    del facts["footprint"], facts["small"]
    tagged_at = facts.pop("tagged_at")
    known = {name: value for name, value in facts.items() if value is not None or name not in LATE_FACTS}
    return known if tagged_at is None else {**known, "tagged_at": utc_text(tagged_at)}


def raster_of(text: str | None, footprint: str | None = None) -> RasterFacts | None:
    """Return the raster's facts from their JSON, and from that of its footprint."""
    if text is None:
        return None
    facts = json.loads(text)
    stretch, scaling = (tuple((a, b) for a, b in facts.pop(name, None) or ()) or None for name in PAIRS)
    transform = tuple(found) if (found := facts.pop("transform", None)) else None
    tagged_at = utc_moment(told) if (told := facts.pop("tagged_at", None)) else None
    return RasterFacts(
        **{**facts, "bounds": tuple(facts["bounds"]) if facts["bounds"] else None},
        stretch=stretch,
        scaling=scaling,
        transform=transform,
        footprint=json.loads(footprint) if footprint else None,
        tagged_at=tagged_at,
    )


def dataset_of(row: Row) -> Dataset:
    """Return the dataset of a row."""
    plain = ("id", "root", "key", "title", "owner", "version", "size_bytes", "sha256", "origin")
    return Dataset(
        **{name: row[name] for name in plain},
        visibility=Scale(row["visibility"]),
        download=Scale(row["download"]),
        report=Report.from_json(json.loads(row["report"])),
        raster=raster_of(row["raster"], row.get("footprint")),
        # A database of an older release, which is read as it is, has no such columns.
        collection=row.get("collection") or collection_of_root(row["root"]),
        dates=_dates_of(row),
        properties=json.loads(row.get("properties") or "{}"),
        created_at=utc_moment(row["created_at"]),
        updated_at=utc_moment(row["updated_at"]),
    )


def _dates_of(row: Row) -> Dates:
    start_at, end_at = (utc_moment(row.get(name) or row["created_at"]) for name in ("start_at", "end_at"))
    return Dates(start_at, end_at, DatedBy(row.get("dated_by") or DatedBy.MODIFIED))


def collection_row(collection: Collection) -> Row:
    """Return the columns of a collection."""
    return {
        "id": collection.id,
        "title": collection.title,
        "description": collection.description,
        "license": collection.license,
        # Not as ASCII: what is no Unicode must be refused where it is bound, and not be met by whoever reads it.
        "keywords": json.dumps(collection.keywords, ensure_ascii=False),
        "providers": json.dumps([provider.as_json() for provider in collection.providers], ensure_ascii=False),
        "created_at": utc_text(collection.created_at),
        "updated_at": utc_text(collection.updated_at),
    }


def collection_of(row: Row) -> Collection:
    """Return the collection of a row."""
    return Collection(
        **{name: row[name] for name in ("id", "title", "description", "license")},
        keywords=tuple(json.loads(row["keywords"])),
        providers=providers_of(json.loads(row["providers"])),
        created_at=utc_moment(row["created_at"]),
        updated_at=utc_moment(row["updated_at"]),
    )


def search_row(search: StoredSearch) -> Row:
    """Return the columns of a stored search."""
    return {
        "id": search.id,
        "body": json.dumps(search.body, ensure_ascii=False),
        "title": search.title,
        "style": json.dumps(dict(search.style)),
        "owner": search.owner,
        "created_at": utc_text(search.created_at),
        "makers": json.dumps(search.makers),
    }


def stored_search_of(row: Row) -> StoredSearch:
    """Return the stored search of a row."""
    style = {name: tuple(values) for name, values in json.loads(row["style"]).items()}
    body = json.loads(row["body"])
    # In a database of an older release there is no such column.
    makers = tuple(json.loads(row.get("makers") or "[]"))
    return StoredSearch(body, row["title"], style, row["owner"], utc_moment(row["created_at"]), makers)


def overview_row(overview: Overview) -> Row:
    """Return the columns of an overview."""
    return {
        **{name: getattr(overview, name) for name in OVERVIEW_PLAIN},
        "begun_at": utc_text(overview.begun_at),
        "made_at": utc_text(overview.made_at) if overview.made_at else None,
        "state": overview.state.value,
        "holds": overview.holds,
        "report": json.dumps(_report_json(overview.report)) if overview.report else None,
        "raster": json.dumps(_plain(overview.raster)) if overview.raster else None,
    }


def overview_of(row: Row) -> Overview:
    """Return the overview of a row."""
    return Overview(
        **{name: row[name] for name in OVERVIEW_PLAIN},
        begun_at=utc_moment(row["begun_at"]),
        made_at=utc_moment(row["made_at"]) if row["made_at"] else None,
        state=OverviewState(row["state"]),
        holds=bool(row["holds"]),
        report=Report.from_json(json.loads(row["report"])) if row["report"] else None,
        raster=raster_of(row["raster"]),
    )


def storable(text: str | None) -> str | None:
    """Return the text with "?" for what is no valid Unicode or NUL: one odd header must not fail a whole batch."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.replace("\0", "?").encode("utf-8", "replace").decode()


def storable_value(value: Any) -> Any:
    """Return a value of JSON whose texts are storable."""
    if isinstance(value, dict):
        return {storable(name): storable_value(each) for name, each in value.items()}
    if isinstance(value, list):
        return [storable_value(each) for each in value]
    return storable(value) if isinstance(value, str) else value


def detail_of(row: AuditRow) -> str | None:
    """Return the text of the column `detail`; raises TypeError and ValueError for what JSON cannot hold."""
    if not row.detail:
        return None
    text = json.dumps(dict(row.detail), allow_nan=False)
    # Escapes of NUL and of lone surrogates, which not every database reads.
    return json.dumps(storable_value(json.loads(text))) if "\\u0000" in text or "\\ud" in text else text


def values_of(row: AuditRow) -> tuple[Any, ...]:
    """Return the values of a row in the order of AUDIT_COLUMNS."""
    return (
        utc_text(row.at),
        row.action,
        storable(row.dataset_id),
        storable(row.user_id),
        storable(row.request_id),
        storable(row.version),
        storable(row.backend),
        storable(row.range_header),
        row.status,
        row.bytes_expected,
        storable(row.ip),
        storable(row.user_agent),
        storable(row.token_id),
        detail_of(row),
        row.row_id,
    )


def stored_of(row: Row) -> StoredAuditRow:
    """Return the audit row of a table row."""
    number, at, detail, range_header = row.pop("id"), row.pop("at"), row.pop("detail"), row.pop("range")
    facts = json.loads(detail) if detail else {}
    # What a database of an older release will get when it is brought up to date.
    row.setdefault("row_id", f"00000000-0000-8000-8000-{number:012x}")
    return StoredAuditRow(number, AuditRow(**row, at=utc_moment(at), range_header=range_header, detail=facts))


def grantee(user: str | None, role: str | None) -> tuple[str, str]:
    """Return kind and name of whom a grant is for. Raises BadParameter unless exactly one is set."""
    if user is not None and role is None:
        return "user", user
    if role is not None and user is None:
        return "role", role
    raise BadParameter("A grant is for exactly one of a user and a role.")
