"""The query of a search by GET as the body that asks for the same by POST, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.catalogue.jsontext import value_of
from gateway.catalogue.search import LIMIT_MOST
from gateway.errors import BadParameter
from gateway.stac.requests import JSON, TEXT

# Of a number; a longer one would be read in a time that grows faster than it.
MOST_DIGITS = 12


def body_of(query: Mapping[str, str]) -> dict[str, Any]:
    """Return the members of the body that asks for the same as a query; raises BadParameter.

    What is given without a value is not there, but for `fields`.
    """
    told = {name: text for name, text in query.items() if text or name == "fields"}
    found: dict[str, Any] = {name: READ[name](text) for name, text in told.items() if name in READ}
    if "filter" in found and told.get("filter-lang", TEXT) == JSON:
        found["filter"] = _json("filter", told["filter"])
    return found


def _plain(text: str) -> str:
    return text


def _listed(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",", 7)]
    except ValueError:
        raise BadParameter("The parameter bbox must be numbers with commas between them.") from None


def limit(text: str) -> int:
    """Return the number of a `limit`, LIMIT_MOST for a very long one; raises BadParameter."""
    if not (text.isascii() and text.isdigit()):
        raise BadParameter("The parameter limit must be a whole number from 1.")
    return int(text) if len(text) <= MOST_DIGITS else LIMIT_MOST


def _json(name: str, text: str) -> Any:
    try:
        return value_of(text)
    except (ValueError, RecursionError):
        raise BadParameter(f"The parameter {name} must be JSON.") from None


def _sorts(text: str) -> list[dict[str, str]]:
    """Return the keys of an order; a plus that was not percent-encoded came as a space."""
    directions = {"-": "desc", "+": "asc", " ": "asc"}
    parts = [part for part in text.split(",") if part.strip("+- ")]
    return [
        {"field": part[1:] if part[0] in directions else part, "direction": directions.get(part[0], "asc")}
        for part in parts
    ]


def _fields(text: str) -> dict[str, list[str]]:
    names = _listed(text)
    include = [name.lstrip("+ ") for name in names if not name.startswith("-")]
    return {"include": include, "exclude": [name[1:] for name in names if name.startswith("-")]}


READ: Mapping[str, Callable[[str], Any]] = {
    "bbox": _numbers,
    "datetime": _plain,
    "intersects": lambda text: _json("intersects", text),
    "ids": _listed,
    "collections": _listed,
    "limit": limit,
    "sortby": _sorts,
    "fields": _fields,
    "filter": _plain,
    "filter-lang": _plain,
    "filter-crs": _plain,
    "query": _plain,
    "token": _plain,
}
