"""Collections: what an archive groups its datasets by, and what a caller sees of them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from gateway.errors import BadParameter

ID_FORM = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# "other" until it is said (STAC 1.1 collections, field `license`).
NO_LICENSE = "other"
# An SPDX expression, as https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/ has them, or "other".
LICENSE_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+() -]{0,199}")
# https://github.com/radiantearth/stac-spec/blob/v1.1.0/commons/common-metadata.md#provider
ROLES = ("licensor", "producer", "processor", "host")


@dataclass(frozen=True, slots=True)
class Provider:
    """Who made, owns, works on or keeps the data; `roles` are of ROLES."""

    name: str
    description: str | None = None
    roles: tuple[str, ...] = ()
    url: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the provider as STAC has it: what is not known is left out."""
        return {name: list(value) if name == "roles" else value for name, value in asdict(self).items() if value}


@dataclass(frozen=True, slots=True)
class Collection:
    """A group of datasets; every dataset is in exactly one. Times are UTC, and of this record itself."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    description: str = ""
    license: str = NO_LICENSE
    keywords: tuple[str, ...] = ()
    providers: tuple[Provider, ...] = ()


@dataclass(frozen=True, slots=True)
class CollectionChange:
    """What an operator asks for; None keeps what is on record."""

    title: str | None = None
    description: str | None = None
    license: str | None = None
    keywords: tuple[str, ...] | None = None
    providers: tuple[Provider, ...] | None = None

    def __post_init__(self) -> None:
        if self.license is not None and not LICENSE_FORM.fullmatch(self.license):
            raise BadParameter(f"{self.license!r} is no SPDX identifier and not `other`.")

    def of(self, known: Collection) -> Collection:
        """Return the collection after the change, `updated_at` untouched."""
        named = ("title", "description", "license", "keywords", "providers")
        given = {name: getattr(self, name) for name in named}
        return replace(known, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, slots=True)
class Extent:
    """What the datasets of a collection that one caller may see come to.

    `count` is their number. `bbox` is west, south, east, north in degrees, west > east where it crosses the
    antimeridian (RFC 7946 section 5.2), None where none has a place. The moments are the first start and the last end
    in UTC, None where there is no dataset.
    """

    count: int = 0
    bbox: tuple[float, float, float, float] | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeenCollection:
    """A collection as one caller sees it."""

    collection: Collection
    extent: Extent


def collection_id(text: str) -> str:
    """Return the id of a collection as it was given; raises BadParameter for what is none."""
    if not ID_FORM.fullmatch(text):
        raise BadParameter(
            f"{text!r} is no id of a collection: letters, digits, . _ and - (128 at most), a letter or digit first."
        )
    return text


def collection_of_root(root: str) -> str:
    """Return the id of the collection that datasets of a storage root are in unless they are put into another one."""
    # Names of roots may begin with what no id does.
    return root if root[:1].isalnum() else f"root{root}"


def providers_of(value: Any) -> tuple[Provider, ...]:
    """Return the providers of a JSON value; raises BadParameter for what is no list of providers of STAC."""
    if not isinstance(value, list):
        raise BadParameter("Providers are a list of objects.")
    return tuple(map(_provider, value))


def _provider(value: Any) -> Provider:
    known = {"name", "description", "roles", "url"}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or not value["name"]:
        raise BadParameter("A provider is an object with a name.")
    if unknown := sorted(set(value) - known):
        raise BadParameter(f"A provider has no member {unknown[0]!r}: {', '.join(sorted(known))}.")
    roles = value.get("roles", [])
    if not isinstance(roles, list) or not all(role in ROLES for role in roles):
        raise BadParameter(f"The roles of a provider are of {', '.join(ROLES)}.")
    for name in ("description", "url"):
        if not isinstance(value.get(name, ""), str):
            raise BadParameter(f"The {name} of a provider is a text.")
    return Provider(value["name"], value.get("description"), tuple(roles), value.get("url"))
