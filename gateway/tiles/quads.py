"""Small pictures unpacked, and the quadrilaterals of a map on which they lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.cog.smallpictures import HEAD, unpacked
from gateway.colour.together import Shown
from gateway.errors import BadParameter
from gateway.ground.grid import Frame
from gateway.ground.systems import circle, transform_of
from gateway.reading.source import Pixels, held_by_band

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.intp]
TURN = 360.0


@dataclass(frozen=True)
class Group:
    """Pictures of one form: `order` are their numbers in the layer, `values` (pictures, bands, rows * cols).

    `valid` is (pictures, 1 or bands, rows * cols), None where all are; `net` (pictures, cells + 1, cells + 1, 2) is
    longitudes and latitudes; `shape` is rows and columns.
    """

    order: Counts
    shape: tuple[int, int]
    values: Pixels
    valid: npt.NDArray[np.bool_] | None
    net: Floats


@dataclass(frozen=True)
class Quads:
    """Quadrilaterals in the layer's order: `corners` (quads, 4, 2) in pixels of a tile, the upper left one first.

    `picture` is the number of the picture, found in a `row` of a `group`; of its net, of `cells` by `cells`, it is
    the `cell` (column, row). `shape` is rows and columns of the picture.
    """

    corners: Floats
    picture: Counts
    group: Counts
    row: Counts
    cell: Counts
    cells: Counts
    shape: Counts

    def taken(self, at: Counts | slice) -> Quads:
        """Return some of them."""
        return Quads(*(getattr(self, each.name)[at] for each in fields(self)))


def groups_of(
    bodies: Sequence[bytes | None],
    bands: Sequence[int],
    nodata: float | None,
    check: Callable[[int, Shown], None],
) -> list[Group]:
    """Return some bands, counted from 1, of packed pictures, those that are None left out.

    `nodata` takes the place of that of each of them. `check` is told the number of a picture of each kind, and what
    that shows when nothing is said. Raises BadParameter for a picture that has not these bands.
    """
    kinds: dict[bytes, list[tuple[int, bytes]]] = {}
    for number, body in enumerate(bodies):
        if body is None:
            continue
        plain = unpacked(body)
        kinds.setdefault(plain[: HEAD.size], []).append((number, plain))
    for head, found in kinds.items():
        check(found[0][0], _shown(head))
    return [_group(head, found, bands, nodata) for head, found in kinds.items()]


def _shown(head: bytes) -> Shown:
    *_, bands, colours = HEAD.unpack(head)
    return Shown(bands, colours.hex() if any(colours) else None)


def _group(head: bytes, found: list[tuple[int, bytes]], bands: Sequence[int], nodata: float | None) -> Group:
    name, count, rows, columns, cells, masked, has_nodata, own, *_ = HEAD.unpack(head)
    if max(bands) > count:
        raise BadParameter(f"bidx: a dataset of the layer has {count} bands: name those that are to be shown.")
    dtype, points = np.dtype(name.rstrip(b"\0").decode()), (cells + 1) ** 2 * 2
    whole = np.frombuffer(b"".join(plain for _, plain in found), np.uint8).reshape(len(found), -1)
    ends = np.cumsum([HEAD.size, points * 8, count * rows * columns * dtype.itemsize])
    net, values = (
        np.ascontiguousarray(whole[:, start:end]).view(kind)
        for start, end, kind in ((ends[0], ends[1], np.dtype("<f8")), (ends[1], ends[2], dtype))
    )
    pixels = values.reshape(len(found), count, -1)[:, [band - 1 for band in bands]]
    valid = whole[:, None, ends[2] :] > 0 if masked else None
    if (seen := held_by_band(pixels, own if nodata is None and has_nodata else nodata)) is not None:
        seen = seen[:, :1] if bool((seen == seen[:, :1]).all()) else seen
        valid = seen if valid is None else valid & seen
    order = np.array([number for number, _ in found])
    return Group(order, (rows, columns), pixels, valid, net.reshape(-1, cells + 1, cells + 1, 2))


def quads_of(groups: Sequence[Group], frame: Frame) -> Quads:
    """Return the quadrilaterals of all pictures on the map of a tile, on each turn that it has."""
    axis = circle(frame.crs)
    turns = (0.0,) if axis is None else (0.0, -axis.turn, axis.turn)
    parts = [
        _quads(number, group, *_placed(group, frame, turn)) for number, group in enumerate(groups) for turn in turns
    ]
    if not parts:
        return Quads(np.zeros((0, 4, 2)), *(np.zeros(size, np.intp) for size in (0, 0, 0, (0, 2), 0, (0, 2))))
    joined = [np.concatenate(columns) for columns in zip(*map(_columns, parts), strict=True)]
    return Quads(*joined).taken(np.argsort(joined[1], kind="stable"))


def _columns(quads: Quads) -> list[npt.NDArray[Any]]:
    return [getattr(quads, each.name) for each in fields(quads)]


def _placed(group: Group, frame: Frame, turn: float) -> tuple[Counts, Floats]:
    """Return the rows of those pictures that may lie on a tile, and their nets in its pixels, so far to the east."""
    longitudes, latitudes = group.net[..., 0], group.net[..., 1]
    x, y = transform_of("EPSG:4326", frame.crs)(longitudes, latitudes)
    if (axis := circle(frame.crs)) is not None:
        # Beyond the antimeridian it goes on.
        with np.errstate(invalid="ignore"):
            x = x + axis.turn * np.round((longitudes / TURN * axis.turn - x) / axis.turn)
    wide, high = frame.pixel
    net = np.stack([(x + turn - frame.left) / wide, (frame.top - y) / high], axis=-1)
    with np.errstate(invalid="ignore"):
        near = (net.max(axis=(1, 2)) > 0).all(axis=1) & (net.min(axis=(1, 2)) < frame.shape[::-1]).all(axis=1)
    rows = np.flatnonzero(near)
    return rows, net[rows]


def _quads(number: int, group: Group, rows: Counts, net: Floats) -> Quads:
    cells = net.shape[1] - 1
    corners = np.stack([net[:, :-1, :-1], net[:, :-1, 1:], net[:, 1:, 1:], net[:, 1:, :-1]], axis=3)
    each, square = len(rows) * cells**2, cells**2
    row = np.repeat(rows, square)
    cell = np.stack(np.meshgrid(np.arange(cells), np.arange(cells)), axis=-1).reshape(-1, 2)
    return Quads(
        corners=corners.reshape(each, 4, 2),
        picture=group.order[row],
        group=np.full(each, number),
        row=row,
        cell=np.tile(cell, (len(rows), 1)),
        cells=np.full(each, cells),
        shape=np.tile(np.array(group.shape), (each, 1)),
    )


def inverse(corners: Floats) -> Floats:
    """Return for each quadrilateral the projective map onto the unit square: its matrix row by row, (9, quads).

    It is the inverse of that from the square (Heckbert, Fundamentals of Texture Mapping and Image Warping, 2.2.3).
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.transpose(1, 2, 0)
    across, down = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    right, below = (x1 - x2, y1 - y2), (x3 - x2, y3 - y2)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = right[0] * below[1] - below[0] * right[1]
        g = (across * below[1] - below[0] * down) / whole
        h = (right[0] * down - across * right[1]) / whole
        a, b, d, e = x1 - x0 + g * x1, x3 - x0 + h * x3, y1 - y0 + g * y1, y3 - y0 + h * y3
        c, f = x0, y0
        return np.stack([
            e - f * h, c * h - b, b * f - c * e,
            f * g - d, a - c * g, c * d - a * f,
            d * h - e * g, b * g - a * h, a * e - b * d,
        ])  # fmt: skip
