"""What can be filtered by, as a JSON schema (OGC 19-079r2 section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.catalogue.conditions import FIELDS, Kind

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLES = {
    "id": "Id", "collection": "Collection", "title": "Title", "datetime": "Time of what it shows, the first one",
    "start_datetime": "First time of what it shows", "end_datetime": "Last time of what it shows",
    "created": "On record since", "updated": "Last change of the record", "file:size": "Size of the file in bytes",
    "gateway:valid": "Whether the file is a true COG, as of the last look at it",
    "gateway:depth": "How deep that look was", "gateway:checked_at": "When that was",
}  # fmt: skip
SCHEMAS: Mapping[Kind, dict[str, str]] = {
    Kind.TEXT: {"type": "string"},
    Kind.NUMBER: {"type": "number"},
    Kind.MOMENT: {"type": "string", "format": "date-time"},
    Kind.TRUTH: {"type": "boolean"},
}


def queryables(own: Mapping[str, frozenset[str]], address: str) -> dict[str, Any]:
    """Return the schema of all that every dataset has and of the datasets' own properties, by their JSON types."""
    fields = {name: {"title": TITLES[name], **SCHEMAS[kind]} for name, kind in FIELDS.items()}
    return {
        "$schema": DIALECT,
        "$id": address,
        "type": "object",
        "title": "Queryables",
        "properties": {**{name: _own(name, kinds) for name, kinds in own.items()}, **fields},
        "additionalProperties": False,
    }


def _own(name: str, kinds: frozenset[str]) -> dict[str, Any]:
    types = sorted(kinds)
    return {"title": name, **({"type": types[0] if len(types) == 1 else types} if types else {})}
