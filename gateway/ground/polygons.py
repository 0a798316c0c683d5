"""Polygons of GeoJSON as edges on the ground of a raster: judged, and brought into its CRS as they run.

A side of GeoJSON is a straight line between two positions of its own CRS (RFC 7946 section 3.1.1). In another CRS it
is a curve, which is followed there to less than a pixel can show.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from gateway.errors import BadParameter
from gateway.ground.coverage import held_in
from gateway.ground.systems import Bounds, Circle, Floats, Transform, circle, same_ground, transform_of

# Of a pixel, how far an edge may lie beside the curve that it stands for; and where that takes too many edges.
TOLERANCE, COARSE = 1e-8, 1e-3
# So many steps between neighbouring floats are what PROJ leaves of a straight line.
FLOAT_STEPS = 64
# Edges after that; and how often each is cut in three.
MOST_EDGES, ROUNDS = 1 << 18, 12
# A part of a turn round the globe that is followed at once.
STEP = 1 / 16
LOST = "The geometry cannot be brought into the CRS of the dataset, or into dst_crs."


@dataclass(frozen=True, slots=True)
class Target:
    """Ground that edges are brought to: its CRS (WKT), and width and height of a pixel there.

    `bounds` are in that CRS; None where edges lie wherever they come to lie. `reach` is a box that holds the ground
    in the CRS of the edges: what lies outside of it does not matter. Both go on beyond the end of a turn. `tolerance`
    is how far an edge may lie beside its curve, in pixels.
    """

    crs: str
    pixel: tuple[float, float]
    bounds: Bounds | None = None
    reach: Bounds | None = None
    tolerance: float = TOLERANCE


def polygon_edges(geometry: Mapping[str, Any], crs: str) -> Floats:
    """Return x, y, x, y of both ends of each side of a Polygon or MultiPolygon of GeoJSON, (4, edges).

    Shells run in one sense, holes in the other. Raises BadParameter for a geometry whose sides cross.
    """
    # It takes a while and some memory, and few painters are asked for a geometry.
    import shapely  # noqa: PLC0415
    from shapely.geometry import shape  # noqa: PLC0415

    found = shape(geometry)
    if not found.is_valid:
        raise BadParameter(f"The geometry is not valid: {shapely.is_valid_reason(found).partition('[')[0].lower()}.")
    axis = circle(crs)
    if axis is not None:
        _require_globe(found.bounds, axis)
    parts = shapely.get_parts(found)
    parts = parts if axis is None else _on_one_turn(parts, axis.turn, shapely)
    edges = []
    for part in parts:
        for index, ring in enumerate(shapely.get_rings(part)):
            places = shapely.get_coordinates(ring)
            if shapely.is_ccw(ring) != (index == 0):
                places = places[::-1]
            edges.append(np.concatenate([places[:-1].T, places[1:].T]))
    return np.concatenate(edges, axis=1)


def _require_globe(bounds: Bounds, axis: Circle) -> None:
    """Return for bounds on the globe, a turn beyond its ends at most; raises BadParameter."""
    west, south, east, north = bounds
    highest = axis.turn / 4 if axis.latitudes else axis.turn
    if max(abs(west), abs(east)) > axis.turn or max(abs(south), abs(north)) > highest * (1 + 1e-9):
        raise BadParameter(
            f"The geometry lies beyond the globe: x is from {-axis.turn:g} to {axis.turn:g} in coord_crs, "
            f"y from {-highest:g} to {highest:g}."
        )


def _on_one_turn(parts: Any, turn: float, shapely: Any) -> Any:
    """Return parts of a geometry side by side that lie on both sides of the antimeridian (RFC 7946 section 3.1.9)."""
    bounds = shapely.bounds(parts)
    western = bounds[:, 2] <= 0
    if western.all() or not western.any():
        return parts
    moved = bounds + np.where(western[:, None], np.array([turn, 0, turn, 0]), 0)
    if not _width(moved) < min(_width(bounds), turn / 2):
        return parts
    return [
        shapely.transform(part, lambda places: places + np.array([turn, 0])) if west else part
        for part, west in zip(parts, western, strict=True)
    ]


def _width(bounds: Floats) -> float:
    return float(bounds[:, 2].max() - bounds[:, 0].min())


def brought(edges: Floats, crs: str, target: Target) -> Floats:
    """Return edges of a CRS (WKT) on the ground of a target, on each turn of its CRS that lies there.

    Raises BadParameter for what has no place there, and for edges whose curves take too many pieces.
    """
    same = same_ground(crs, target.crs)
    pieces = [piece for piece in _turned(edges, crs, target) if piece.size]
    if same:
        return np.concatenate(pieces, axis=1) if pieces else np.empty((4, 0))
    way = _way(crs, target)
    found = [_followed(piece, crs, way, target) for piece in pieces]
    everywhere = np.concatenate(found, axis=1) if found else np.empty((4, 0))
    own = circle(target.crs)
    if own is None or target.bounds is None or not everywhere.size:
        return everywhere
    turns = [
        everywhere + np.array([own.turn * count, 0.0] * 2)[:, None]
        for count in _turns(everywhere, target.bounds, own.turn)
    ]
    return np.concatenate(turns, axis=1) if turns else np.empty((4, 0))


def _turns(edges: Floats, box: Bounds, turn: float) -> range:
    """Return by how many turns edges have to be moved to meet a box."""
    x = edges[0::2]
    slack = 1e-9
    return range(math.ceil((box[0] - x.max()) / turn + slack), math.floor((box[2] - x.min()) / turn - slack) + 1)


def _turned(edges: Floats, crs: str, target: Target) -> Iterator[Floats]:
    """Yield the edges as far as they matter, on each turn of their own CRS."""
    reach = target.reach
    if reach is None:
        yield edges
        return
    axis = circle(crs)
    for count in (0,) if axis is None else _turns(edges, reach, axis.turn):
        moved = edges if axis is None else edges + np.array([axis.turn * count, 0.0] * 2)[:, None]
        yield held_in(moved, reach)


def _way(crs: str, target: Target) -> Transform:
    """Return the transform of places; where the globe comes round again, x goes on as it does in the first CRS."""
    there, axis, own = transform_of(crs, target.crs), circle(crs), circle(target.crs)
    middle = (target.bounds[0] + target.bounds[2]) / 2 if target.bounds else 0.0

    def way(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        found, other = there(x, y)
        if not (np.isfinite(found).all() and np.isfinite(other).all()):
            raise BadParameter(LOST)
        if own is not None:
            expected = middle if axis is None else x * (own.turn / axis.turn)
            found = found + own.turn * np.round((expected - found) / own.turn)
        return found, other

    return way


def _followed(edges: Floats, crs: str, way: Transform, target: Target) -> Floats:
    """Return edges on the curves that these are elsewhere: each is cut in three until it lies on its curve."""
    axis = circle(crs)
    if axis is not None:
        edges = _shortened(edges, axis.turn * STEP)
    ends = np.stack([*way(*edges[:2]), *way(*edges[2:])])
    noise = FLOAT_STEPS * float(np.spacing(np.abs(ends).max(initial=1.0))) / min(target.pixel)
    found, count = [], 0
    for _ in range(ROUNDS):
        steps = [edges[:2] + (edges[2:] - edges[:2]) * part for part in (0, 1 / 3, 2 / 3, 1)]
        there = [ends[:2], *(np.stack(way(*step)) for step in steps[1:3]), ends[2:]]
        off = np.maximum(*(_beside(ends, places, target.pixel) for places in there[1:3]))
        bent = off > max(target.tolerance, noise)
        if count + len(off) + 2 * np.count_nonzero(bent) > MOST_EDGES:
            if off.max() > COARSE:
                raise BadParameter("The sides of the geometry are too long to be followed in another CRS.")
            break
        found.append(ends[:, ~bent])
        edges, ends = (_between([each[:, bent] for each in places]) for places in (steps, there))
        count += found[-1].shape[1]
        if not edges.size:
            break
    return np.concatenate([*found, ends], axis=1)


def _beside(ends: Floats, places: Floats, pixel: tuple[float, float]) -> Floats:
    """Return how many pixels places lie beside their edges."""
    unit = np.array(pixel)[:, None]
    along, away = (ends[2:] - ends[:2]) / unit, (places - ends[:2]) / unit
    length = (along**2).sum(axis=0)
    part = np.clip((along * away).sum(axis=0) / np.where(length, length, 1.0), 0, 1)
    found: Floats = np.hypot(*(away - along * part))
    return found


def _between(places: list[Floats]) -> Floats:
    """Return the edges from each of some places to the next one."""
    return np.concatenate([np.concatenate(pair) for pair in pairwise(places)], axis=1)


def _shortened(edges: Floats, longest: float) -> Floats:
    """Return edges cut into equal pieces no longer than so much along x."""
    counts = np.maximum(1, np.ceil(np.abs(edges[2] - edges[0]) / longest)).astype(np.intp)
    if counts.max(initial=1) == 1:
        return edges
    each = np.repeat(np.arange(len(counts)), counts)
    piece = np.arange(len(each)) - np.repeat(np.cumsum(counts) - counts, counts)
    begin, step = edges[:2, each], (edges[2:] - edges[:2])[:, each] / counts[each]
    last = piece + 1 == counts[each]
    return np.concatenate([begin + step * piece, np.where(last, edges[2:, each], begin + step * (piece + 1))])
