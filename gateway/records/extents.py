"""What the datasets of collections come to, from rows that tell of those which begin in one degree of longitude."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.catalogue.collections import Collection, Extent, SeenCollection
from gateway.model import utc_moment, utc_text

TURN = 360.0
# Nearer to each other than this they are one.
TOUCHING = 1e-9


def seen_of(
    collections: Iterable[Collection], rows: Iterable[Mapping[str, Any]], doubled: Iterable[Mapping[str, Any]] = ()
) -> tuple[SeenCollection, ...]:
    """Return the collections with the extents of the rows that tell of them.

    `doubled` tells by how much too many these count of each, where a reader sees a dataset by several grants.
    """
    less = {row["collection"]: row["number"] for row in doubled}
    told: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        told.setdefault(row["collection"], []).append(row)
    extents = ((each, extent_of(told.get(each.id, []))) for each in collections)
    return tuple(
        SeenCollection(each, replace(extent, count=extent.count - less.get(each.id, 0))) for each, extent in extents
    )


def extent_of(rows: Sequence[Mapping[str, Any]]) -> Extent:
    """Return what the datasets come to that the rows tell of."""
    if not rows:
        return Extent()
    first, last = min(_moment(row["first"]) for row in rows), max(_moment(row["last"]) for row in rows)
    return Extent(sum(row["number"] for row in rows), _box(rows), first, last)


def _moment(value: datetime | str) -> datetime:
    return utc_moment(value if isinstance(value, str) else utc_text(value))


def _box(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float, float, float] | None:
    placed = [row for row in rows if row["west"] is not None]
    if not placed:
        return None
    west, east = smallest_interval([(row["west"], row["east"]) for row in placed])
    return west, min(row["south"] for row in placed), east, max(row["north"] for row in placed)


def smallest_interval(intervals: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the shortest interval of longitudes that holds all intervals, west > east across the antimeridian.

    Those that are given begin within -180..180 and end unrolled.
    """
    # Two turns, so that every gap of one turn is seen whole.
    around = sorted([*intervals, *((west + TURN, east + TURN) for west, east in intervals)])
    reach, gaps = around[0][1], []
    for west, east in around[1:]:
        if west > reach + TOUCHING:
            gaps.append((west - reach, reach, west))
        reach = max(reach, east)
    if not gaps:
        return -180.0, 180.0
    # Of equal gaps that at the antimeridian, so that a box need not cross it.
    size = max(gap[0] for gap in gaps)
    widest = [gap for gap in gaps if gap[0] >= size - TOUCHING]
    _, east, west = next((gap for gap in widest if gap[1] <= 180 <= gap[2]), widest[0])
    return _within(west), _within(east)


def _within(longitude: float) -> float:
    while longitude > 180:
        longitude -= TURN
    return longitude
