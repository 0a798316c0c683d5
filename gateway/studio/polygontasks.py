"""What can be asked of a studio about polygons of GeoJSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.catalogue.search import Geometry
from gateway.cog.parts import PlannedPart
from gateway.colour.model import Encoded, Style, TileFormat
from gateway.studio.tasks import Size, Source, Task, task_of


def zonal_statistics(
    source: Source,
    geometries: Sequence[Geometry],
    systems: tuple[str | None, str | None],
    how: tuple[Style, Size],
    most_bytes: int,
    options: dict[str, Any],
) -> Task[list[dict[str, Any]]]:
    """Return the task to work out the statistics of each band under each polygon of GeoJSON.

    `systems` are coord_crs and dst_crs; of more than `most_bytes` of decoded values it comes to PartTooLarge.
    """
    return task_of(source, "zonal_statistics", geometries, systems, how, most_bytes, options)


def feature_picture(
    source: Source,
    where: tuple[Geometry, tuple[str | None, str | None]],
    how: tuple[Style, Size, TileFormat | None],
    most_bytes: int,
) -> Task[Encoded]:
    """Return the task to draw what lies under a polygon of GeoJSON, with coord_crs and dst_crs.

    Values come to PartTooLarge where they are more than `most_bytes`.
    """
    return task_of(source, "feature_picture", where, how, most_bytes)


def native_feature(
    source: Source, geometry: Geometry, coord_crs: str | None, bands: tuple[int, ...]
) -> Task[PlannedPart]:
    """Return the task to find the part of all whole pixels of some bands that a polygon of GeoJSON covers."""
    return task_of(source, "native_feature", geometry, coord_crs, bands)
