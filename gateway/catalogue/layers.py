"""Layers: datasets that are drawn as one, those of a collection or of a stored search."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.catalogue.collections import ID_FORM, Extent

SEARCH_ID = re.compile("[0-9a-f]{32}")
# Of a search that is stored, with its title and style, as JSON in UTF-8.
MOST_BYTES = 64 * 1024
# Of searches that one user has stored and not deleted since.
MOST_OF_A_MAKER = 1000
# Parameters of a picture by name, each with its values.
Style = Mapping[str, tuple[str, ...]]


class LayerKind(StrEnum):
    """What a layer's datasets have in common."""

    COLLECTION = "collection"
    SEARCH = "search"


PLACES = {LayerKind.COLLECTION: "collections", LayerKind.SEARCH: "searches"}
FORMS = {LayerKind.COLLECTION: ID_FORM, LayerKind.SEARCH: SEARCH_ID}


@dataclass(frozen=True, slots=True)
class LayerName:
    """A layer by its kind and id; whether there is such a one it does not tell."""

    kind: LayerKind
    id: str

    @property
    def scope(self) -> str:
        """Return the scope of tokens that open the layer, as `collection:sheets`."""
        return f"{self.kind}:{self.id}"

    @property
    def path(self) -> str:
        """Return the path of the layer below the API's prefix."""
        return f"/{PLACES[self.kind]}/{self.id}"

    @property
    def well_formed(self) -> bool:
        """Return whether there can be a layer of that name."""
        return FORMS[self.kind].fullmatch(self.id) is not None


def layer_of_scope(scope: str) -> LayerName | None:
    """Return the layer that a token's scope names, None for what names none."""
    kind, _, name = scope.partition(":")
    if kind not in set(LayerKind):
        return None
    found = LayerName(LayerKind(kind), name)
    return found if found.well_formed else None


@dataclass(frozen=True, slots=True)
class StoredSearch:
    """A search that is a layer: `body` is its normal form, with `style` for pictures that name none.

    `owner` made it first, and `makers` are all who made it and have not deleted it since. Times are UTC.
    """

    body: Mapping[str, Any]
    title: str | None
    style: Style
    owner: str | None
    created_at: datetime
    makers: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return the id: the same for the same search, title and style, whoever makes it."""
        told = json.dumps([self.body, self.title, dict(self.style)], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    @property
    def size_bytes(self) -> int:
        """Return the size of its normal form, title and style, as JSON in UTF-8."""
        return len(json.dumps([self.body, self.title, dict(self.style)], ensure_ascii=False).encode())


@dataclass(frozen=True, slots=True)
class Outline:
    """What the datasets of a layer that one caller may see come to.

    `days` are those in UTC on which some of them begin, newest first, as YYYY-MM-DD. `public` tells whether everybody
    may see all of them.
    """

    extent: Extent
    days: tuple[str, ...]
    public: bool
