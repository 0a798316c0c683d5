"""What a search asks for: the members of a body, checked, as a search and the fields that are wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.catalogue.filters import filter_of_json, filter_of_text
from gateway.catalogue.jsontext import is_number
from gateway.catalogue.moments import interval_of
from gateway.catalogue.search import LIMIT_DEFAULT, LIMIT_MOST, NEWEST_FIRST, Box, Condition, Search, Sort
from gateway.errors import BadParameter
from gateway.stac.fields import Fields

# Of ids, of collections, of fields: what one statement can hold, whoever asks.
MOST_IDS, MOST_COLLECTIONS, MOST_FIELDS = 1000, 100, 200
TEXT, JSON = "cql2-text", "cql2-json"
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
DIRECTIONS = {"asc": False, "desc": True}
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A search without its place among the pages, the fields that are wanted, None for all, and the page's token."""

    search: Search
    fields: Fields | None = None
    token: str | None = None


def asked_of(body: Any, collection: str | None = None) -> Asked:
    """Return what the members of a search body ask for, of one collection or of all.

    Raises BadParameter naming what cannot be read. Members that are null are not there.
    """
    if not isinstance(body, Mapping):
        raise BadParameter("The body of a search is a JSON object.")
    # What null members of `fields` mean is told by them alone.
    told = {name: value for name, value in body.items() if value is not None or name == "fields"}
    if "query" in told:
        raise BadParameter("The parameter query is not known here: `filter` takes CQL2.")
    if "bbox" in told and "intersects" in told:
        raise BadParameter("The parameters bbox and intersects exclude each other.")
    collections = texts_of(told, "collections", MOST_COLLECTIONS)
    search = Search(
        bbox=_of(told, "bbox", box_of),
        datetime=_of(told, "datetime", lambda value: interval_of(_text("datetime", value))),
        intersects=_of(told, "intersects", _geometry),
        ids=texts_of(told, "ids", MOST_IDS),
        collections=collections if collection is None else (collection,),
        sortby=_of(told, "sortby", sorts_of) or NEWEST_FIRST,
        filter=_filter(told),
        limit=limit_of(told.get("limit", LIMIT_DEFAULT)),
    )
    return Asked(search, _of(told, "fields", fields_of), _of(told, "token", lambda value: _text("token", value)))


def _of(told: Body, name: str, read: Callable[[Any], Any]) -> Any:
    return read(told[name]) if name in told else None


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise BadParameter(f"The parameter {name} must be a text.")
    return value


def texts_of(told: Body, name: str, most: int) -> tuple[str, ...] | None:
    """Return the texts of a list, each once, None where there is none; raises BadParameter."""
    if name not in told:
        return None
    value = told[name]
    if not isinstance(value, list) or len(value) > most:
        raise BadParameter(f"The parameter {name} must be a list of at most {most} texts.")
    return tuple(dict.fromkeys(_text(name, each) for each in value))


def limit_of(value: Any) -> int:
    """Return how many items a page has: a larger number acts as LIMIT_MOST. Raises BadParameter."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadParameter("The parameter limit must be a whole number from 1.")
    return min(value, LIMIT_MOST)


def box_of(value: Any) -> Box:
    """Return west, south, east, north of 4 numbers, or of 6 with heights, which no dataset has."""
    if not isinstance(value, list) or len(value) not in (4, 6) or not all(map(is_number, value)):
        raise BadParameter(
            "The parameter bbox must be 4 numbers, west,south,east,north in degrees, or 6 with heights."
        )
    half = len(value) // 2
    (west, south), (east, north) = value[:2], value[half : half + 2]
    if max(abs(west), abs(east)) > 180 or not -90 <= south <= north <= 90:
        raise BadParameter("The parameter bbox must lie within 180 and 90 degrees, south below north.")
    if half == 3 and value[2] > value[5]:
        raise BadParameter("The parameter bbox must have its least height first.")
    return float(west), float(south), float(east), float(north)


def _geometry(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadParameter("The parameter intersects must be a geometry of GeoJSON.")
    return value


def sorts_of(value: Any) -> tuple[Sort, ...]:
    """Return the keys of an order: what stands behind the id, or a second time, decides nothing."""
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise BadParameter("The parameter sortby must be a list of objects with field and direction.")
    found: dict[str, Sort] = {}
    for each in value:
        field, direction = (_text("sortby", each.get(*named)) for named in (("field",), ("direction", "asc")))
        if direction not in DIRECTIONS:
            raise BadParameter("The direction of sortby is asc or desc.")
        sort = Sort(field.removeprefix("properties."), DIRECTIONS[direction])
        if "id" not in found:
            found.setdefault(sort.field, sort)
    return tuple(found.values())


def fields_of(value: Any) -> Fields:
    """Return which members of items are wanted, null ones as empty ones; raises BadParameter."""
    if not isinstance(value, Mapping):
        raise BadParameter("The parameter fields must be an object with include and exclude.")
    told = {name: [] if each is None else each for name, each in value.items()}
    return Fields(texts_of(told, "include", MOST_FIELDS), texts_of(told, "exclude", MOST_FIELDS) or ())


def _filter(told: Body) -> Condition | None:
    if told.get("filter-crs", CRS84) != CRS84:
        raise BadParameter(f"The parameter filter-crs can only be {CRS84}.")
    if "filter" not in told:
        return None
    value = told["filter"]
    language = told.get("filter-lang", TEXT if isinstance(value, str) else JSON)
    if language == TEXT and isinstance(value, str):
        return filter_of_text(value)
    if language == JSON and not isinstance(value, str):
        return filter_of_json(value)
    raise BadParameter(f"The parameter filter-lang must be {TEXT} with a text as filter, or {JSON} with an object.")
