"""The properties that operators give datasets beside those that every dataset has."""

from __future__ import annotations

import json
import re
from typing import Any

from gateway.catalogue.jsontext import is_deeper, require_unicode, value_of
from gateway.errors import BadParameter

NAME_FORM = re.compile("[A-Za-z_][A-Za-z0-9_:.-]{0,99}")
MOST_CHARACTERS = 64_000
# Of objects and lists in one another: every database, client and writer of JSON goes as deep.
MOST_DEPTH = 32
# What STAC 1.1 and the extensions that are written here say of a dataset's item.
RESERVED = frozenset({
    "id", "type", "geometry", "bbox", "collection", "links", "assets", "stac_version", "stac_extensions",
    "properties", "title", "description", "datetime", "start_datetime", "end_datetime", "created", "updated",
    "license", "providers", "keywords", "bands", "nodata", "data_type", "statistics", "unit",
})  # fmt: skip
RESERVED_PREFIXES = ("proj:", "file:", "raster:", "auth:", "gateway:", "properties.")


def properties_of(text: str) -> dict[str, Any]:
    """Return the properties of a JSON object; raises BadParameter for what is none and for reserved names."""
    if len(text) > MOST_CHARACTERS:
        raise BadParameter(f"Properties are JSON of at most {MOST_CHARACTERS} characters.")
    try:
        found = value_of(text)
        require_unicode(found)
    except (ValueError, RecursionError) as error:
        raise BadParameter(f"The properties are no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise BadParameter("The properties are no JSON object.")
    for name in found:
        if name in RESERVED or name.startswith(RESERVED_PREFIXES):
            raise BadParameter(f"The property name {name!r} is reserved.")
        if not NAME_FORM.fullmatch(name):
            raise BadParameter(f"{name!r} is no name of a property: letters, digits, _ : . and -, 100 at most.")
    if is_deeper(found, MOST_DEPTH):
        raise BadParameter(f"The properties are nested deeper than {MOST_DEPTH}.")
    if "\\u0000" in json.dumps(found):
        raise BadParameter("The properties hold a NUL, which cannot be stored.")
    return found
