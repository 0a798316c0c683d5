"""Extents of a box in another CRS: exact, or not known. A sample along the sides alone is neither."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.ground.systems import Bounds, Floats, Transform

# Points along one side of a box, and of the net inside it.
SIDE, NET = 65, 17
# At half the distance of points three quarters of the bow of a smooth curve between them are gone, of a jump nothing.
SMOOTH = 0.5
# A bow of so little of the whole is none.
STRAIGHT = 1e-12
# A step of so little of the whole is where PROJ goes over to another datum shift, and no seam of the map.
STEP = 1e-3
ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Ring:
    """The sides of a box in order, as positions from 0 to 4: each whole number is a corner."""

    box: Bounds

    def at(self, positions: Floats) -> tuple[Floats, Floats]:
        """Return x and y."""
        west, south, east, north = self.box
        corners = np.array([[west, north], [east, north], [east, south], [west, south], [west, north]])
        side = np.clip(np.floor(positions).astype(int), 0, 3)
        along = (positions - side)[:, None]
        points = corners[side] + (corners[side + 1] - corners[side]) * along
        return points[:, 0], points[:, 1]


def extent(transform: Transform, box: Bounds) -> Bounds | None:
    """Return bounds that hold a box after a transform, exact where it is smooth; None where they cannot be told.

    They cannot where a side has no place or a break in it, and where what lies inside the box comes to lie outside of
    its sides (a pole, a seam of the map).
    """
    ring = Ring(box)
    positions = np.linspace(0, 4, 4 * (SIDE - 1) + 1)
    x, y = transform(*ring.at(positions))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    sides = []
    for axis, values in enumerate((x, y)):
        bow, smooth = _bow(values)
        if not smooth and bow > STEP * np.ptp(values):
            return None
        for sign in (-1, 1):
            found = _furthest(transform, ring, positions, sign * values, (axis, sign), bow) if smooth else None
            sides.append(sign * (float((sign * values).max()) + 2 * bow if found is None else found))
    bounds = sides[0], sides[2], sides[1], sides[3]
    return bounds if _holds(transform, box, bounds) else None


def _bow(values: Floats) -> tuple[float, bool]:
    """Return how far a curve may run beside the line between two of its points, and whether it is smooth."""
    coarse, fine = (_deviation(values[::step]) for step in (2, 1))
    still = STRAIGHT * max(float(np.abs(values).max()), 1e-300)
    return fine, fine <= max(SMOOTH * coarse, still)


def _deviation(values: Floats) -> float:
    """Return the largest distance of a point from the middle between its neighbours, corners left out."""
    side = (len(values) - 1) // 4
    pieces = [values[side * n : side * (n + 1) + 1] for n in range(4)]
    return max(float(np.abs(piece[1:-1:2] - (piece[:-2:2] + piece[2::2]) / 2).max()) for piece in pieces)


def _furthest(
    transform: Transform, ring: Ring, positions: Floats, values: Floats, wanted: tuple[int, int], bow: float
) -> float | None:
    """Return the largest value along the ring, between the sampled positions too; None where a point is lost."""
    axis, sign = wanted
    best = float(values.max())
    pieces = np.flatnonzero(np.maximum(values[:-1], values[1:]) >= best - 2 * bow)
    starts, ends = positions[pieces], positions[pieces + 1]
    for _ in range(ROUNDS):
        steps = np.linspace(starts, ends, 9, axis=1)
        found = sign * transform(*ring.at(steps.ravel()))[axis].reshape(steps.shape)
        if not np.isfinite(found).all():
            return None
        best = max(best, float(found.max()))
        bows = np.abs(found[:, 1:-1:2] - (found[:, :-2:2] + found[:, 2::2]) / 2).max(axis=1)
        kept = (bows > STRAIGHT * abs(best)) & (found.max(axis=1) >= best - 4 * bows)
        if not kept.any():
            break
        highest = np.clip(found[kept].argmax(axis=1), 1, 7)
        rows = np.arange(len(highest))
        starts, ends = steps[kept][rows, highest - 1], steps[kept][rows, highest + 1]
    return best


def _holds(transform: Transform, box: Bounds, bounds: Bounds) -> bool:
    """Return whether all that lies inside the box lies within the bounds."""
    x, y = transform(*net(box, NET))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return False
    slack_x, slack_y = 1e-9 * (bounds[2] - bounds[0]), 1e-9 * (bounds[3] - bounds[1])
    return bool(
        x.min() >= bounds[0] - slack_x
        and x.max() <= bounds[2] + slack_x
        and y.min() >= bounds[1] - slack_y
        and y.max() <= bounds[3] + slack_y
    )


def net(box: Bounds, count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return x and y of `count` x `count` points over a box, its corners among them, as (rows, cols)."""
    west, south, east, north = box
    x, y = np.meshgrid(np.linspace(west, east, count), np.linspace(north, south, count))
    return x, y
