"""The normal form of a search: one text for all bodies that ask for the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.catalogue.geometries import Area, parts_of
from gateway.catalogue.jsontext import require_unicode
from gateway.catalogue.search import NEWEST_FIRST, Condition, Geometry, Interval, Operand, Property, Search
from gateway.errors import BadParameter
from gateway.stac.requests import JSON, asked_of

# Of a page of results, and without meaning for a layer.
OF_PAGES = ("limit", "token", "fields")


def normal_form(body: Any) -> dict[str, Any]:
    """Return the body that asks for the same as `body`, page by page or not; raises BadParameter naming a member."""
    search = asked_of(body).search
    if search.intersects is not None:
        Area(search.intersects)
    found: dict[str, Any] = {
        "bbox": None if search.bbox is None else list(search.bbox),
        "datetime": None if search.datetime is None else _interval(search.datetime),
        "intersects": None if search.intersects is None else _geometry(search.intersects),
        "ids": None if search.ids is None else sorted(search.ids),
        "collections": None if search.collections is None else sorted(search.collections),
        "sortby": None if search.sortby == NEWEST_FIRST else _order(search),
    }
    if search.filter is not None:
        found |= {"filter": _filter(search.filter), "filter-lang": JSON}
    told = {name: value for name, value in found.items() if value is not None}
    try:
        require_unicode(told)
    except ValueError as error:
        raise BadParameter(f"The search cannot be stored: {error}.") from None
    return told


def _moment(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _geometry(found: Geometry) -> dict[str, Any]:
    """Return a geometry without the members that say nothing of where it lies."""
    name = parts_of(found)
    parts = found[name] if name == "coordinates" else [_geometry(each) for each in found[name]]
    return {"type": found["type"], name: parts}


def _interval(found: Interval) -> str:
    ends = [".." if end is None else _moment(end) for end in (found.start_at, found.end_at)]
    return ends[0] if ends[0] == ends[1] else "/".join(ends)


def _order(search: Search) -> list[dict[str, str]]:
    return [{"field": sort.field, "direction": "desc" if sort.descending else "asc"} for sort in search.sortby]


def _filter(operand: Operand) -> Any:
    """Return a condition in CQL2 JSON (OGC 21-065r2)."""
    if isinstance(operand, Property):
        return {"property": operand.name}
    if isinstance(operand, datetime):
        return {"timestamp": _moment(operand)}
    if not isinstance(operand, Condition):
        return operand
    args = [_filter(each) for each in operand.args]
    return {"op": operand.op, "args": [args[0], args[1:]] if operand.op == "in" else args}
