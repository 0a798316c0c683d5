"""What is looked for among datasets, and what comes of it; free of the language in which it was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.errors import BadParameter
from gateway.model import Dataset

LIMIT_DEFAULT, LIMIT_MOST = 20, 1000
# As far as matches are counted.
MOST_COUNTED = 10_000
# west, south, east, north in degrees; west > east crosses the antimeridian (RFC 7946 section 5.2).
Box = tuple[float, float, float, float]
# A GeoJSON geometry.
Geometry = Mapping[str, Any]
# What a dataset can be sorted by, as items of STAC name it.
SORTABLES = ("datetime", "start_datetime", "end_datetime", "created", "updated", "title", "id", "collection",
             "file:size")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Interval:
    """Moments in UTC, both part of it; None is an open end. Raises BadParameter where the end comes first."""

    start_at: datetime | None = None
    end_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.start_at is not None and self.end_at is not None and self.end_at < self.start_at:
            raise BadParameter("The interval of `datetime` ends before it begins.")


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of an order; `field` is one of SORTABLES."""

    field: str
    descending: bool = False

    def __post_init__(self) -> None:
        if self.field not in SORTABLES:
            raise BadParameter(f"Datasets are not sorted by {self.field!r}: {', '.join(SORTABLES)}.")


NEWEST_FIRST = (Sort("datetime", descending=True),)


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a dataset in a condition: one of FIELDS of `gateway.catalogue.conditions`, or one of its own."""

    name: str


# What a property is compared with: a moment is a datetime in UTC.
Literal = str | float | bool | datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """An operation on conditions, properties and literals; `op` is of OPERATORS of `gateway.catalogue.conditions`."""

    op: str
    args: tuple[Operand, ...]


Operand = Condition | Property | Literal


@dataclass(frozen=True, slots=True)
class Search:
    """Which datasets are looked for; None and nothing mean any. All that is given must hold.

    `bbox` meets the box of a dataset, `intersects` its footprint. `datetime` meets its interval. `under` is the
    ground of a picture: it meets the box of a dataset, whatever else has to. `limit` is of one page. `after` is what
    the page before left as `Page.after`: with the same search the next page follows it.
    """

    bbox: Box | None = None
    datetime: Interval | None = None
    intersects: Geometry | None = None
    ids: tuple[str, ...] | None = None
    collections: tuple[str, ...] | None = None
    sortby: tuple[Sort, ...] = NEWEST_FIRST
    filter: Condition | None = None
    limit: int = LIMIT_DEFAULT
    after: tuple[str | int, ...] | None = None
    under: Box | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of datasets in the order that was asked for, of equals by their id.

    `after` is the key of the last one: the values of the sorted fields and its id; None where no other page follows.
    `matched` counts all pages, and is None from MOST_COUNTED on.
    """

    datasets: tuple[Dataset, ...]
    after: tuple[str | int, ...] | None
    matched: int | None
