"""The ground of a polygon in pixels: of the raster's own grid, of that grid made coarser, or of another CRS."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from affine import Affine
from rasterio.windows import Window as RasterWindow

from gateway.colour.model import Style
from gateway.ground.areas import crs_of
from gateway.ground.bounds import MERCATOR_LATITUDE, TURN
from gateway.ground.coverage import Coverage, Window, coverage_of
from gateway.ground.degrees import geographic_bounds
from gateway.ground.grid import Frame
from gateway.ground.polygons import TOLERANCE, Target, brought, polygon_edges
from gateway.ground.systems import DEGREES, Bounds, Floats, circle, known, same_ground
from gateway.reading.handles import Handle
from gateway.reading.source import Drawn, read_scaled, read_source
from gateway.tiles.drawing import check_amount, nothing, read, request_of
from gateway.tiles.pictures import Size, canvas, fitted
from gateway.tiles.warp import placed

Geometry = Mapping[str, Any]
Systems = tuple[str | None, str | None]
# Values that are read at once, and the sides of what is read, in pixels: of whole blocks.
MOST_READ, SIDES = 1 << 23, (1024, 512, 256, 128, 64)
# Of the raster round it, in parts of its size and in degrees: how far polygons are followed beyond its bounds.
MARGIN, MARGIN_DEGREES = 0.01, 0.1


class Zone(Protocol):
    """The pixels of a window round a polygon."""

    @property
    def coverage(self) -> Coverage:
        """Return which part of each pixel is covered."""

    def read(self, window: Window) -> Drawn:
        """Return the values of some of the pixels."""


@dataclass(frozen=True)
class OwnPixels:
    """A window of the raster's own grid, its values as they are stored."""

    handle: Handle
    style: Style
    coverage: Coverage

    def read(self, window: Window) -> Drawn:
        """Return the values of some of the pixels."""
        request = request_of(self.handle.view, self.style)
        place = RasterWindow(window.left, window.top, window.width, window.height)
        found = read_source(self.handle, 0, place, request.bands, request.nodata)
        return Drawn(found.pixels, found.mask)


@dataclass(frozen=True)
class CoarsePixels:
    """A window of the raster's own grid brought to other pixels, all of them at once."""

    drawn: Drawn
    coverage: Coverage

    def read(self, window: Window) -> Drawn:
        """Return the values of some of the pixels."""
        rows = slice(window.top, window.top + window.height)
        columns = slice(window.left, window.left + window.width)
        mask = self.drawn.mask
        return Drawn(self.drawn.pixels[:, rows, columns], None if mask is None else mask[rows, columns])


@dataclass(frozen=True)
class WarpedPixels:
    """Pixels of another CRS."""

    handle: Handle
    style: Style
    frame: Frame
    coverage: Coverage

    def read(self, window: Window) -> Drawn:
        """Return the values of some of the pixels."""
        right, bottom = window.left + window.width, window.top + window.height
        frame = self.frame.cut(window.left, window.top, right, bottom)
        found, _ = read(self.handle, frame, self.style)
        return found or nothing(self.handle, frame, self.style)


@dataclass(frozen=True)
class Ground:
    """A polygon on its ground: `edges` in pixels of `window`; a coarser or another one than the raster's has a size.

    `frame` is the ground of another CRS, None for the raster's own.
    """

    edges: Floats
    window: Window
    size: tuple[int, int]
    frame: Frame | None = None


# Of a polygon that has no pixel of the raster.
NOWHERE = Ground(np.empty((4, 0)), Window(0, 0, 0, 0), (0, 0))


def ground_of_polygon(
    handle: Handle, geometry: Geometry, systems: Systems, size: Size, tolerance: float = TOLERANCE
) -> Ground:
    """Return the ground of a polygon; `systems` are coord_crs and dst_crs, the raster's own where that is None.

    `tolerance` is how far its sides may lie beside their curves, in pixels.

    Raises NoPlace, and BadParameter for a geometry that is no ground.
    """
    place = handle.view.placed
    crs = crs_of(systems[0], "coord_crs") or known(DEGREES).to_wkt()
    target = crs_of(systems[1], "dst_crs")
    edges = polygon_edges(geometry, crs)
    reach = handle.once(("reach", crs), lambda: reach_of(handle, crs))
    if target is not None and not (same_ground(target, place.crs) and place.upright):
        there = brought(edges, crs, Target(target, placed(handle, target).pixel, None, _drawable(reach, crs, target)))
        return on_frame(there, canvas(handle, bounds_of(there), target, size)) if has_width(there) else NOWHERE
    there = brought(edges, crs, Target(place.crs, place.pixel, place.bounds, reach, tolerance))
    pixels = np.concatenate([np.stack(place.own_pixels(*ends)) for ends in (there[:2], there[2:])])
    window = _around(pixels, handle.view.size) if pixels.size else None
    return NOWHERE if window is None else Ground(pixels, window, fitted((window.width, window.height), size))


def on_frame(edges: Floats, frame: Frame) -> Ground:
    """Return edges in the CRS of a frame on its ground."""
    wide, high = frame.pixel
    to_pixels = ~(Affine.translation(frame.left, frame.top) * Affine.scale(wide, -high))
    pixels = np.concatenate([np.stack(_applied(to_pixels, ends)) for ends in (edges[:2], edges[2:])])
    height, width = frame.shape
    return Ground(pixels, Window(0, 0, width, height), (width, height), frame)


def has_width(edges: Floats) -> bool:
    """Return whether edges enclose something: none do that lie on one line along an axis."""
    if not edges.size:
        return False
    west, south, east, north = bounds_of(edges)
    return west < east and south < north


def bounds_of(edges: Floats) -> Bounds:
    """Return the least and greatest x and y of edges."""
    (west, east), (south, north) = ((float(edges[axis::2].min()), float(edges[axis::2].max())) for axis in (0, 1))
    return west, south, east, north


def _applied(transform: Affine, places: Floats) -> tuple[Floats, Floats]:
    x, y = places
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f


def reach_of(handle: Handle, crs: str) -> Bounds | None:
    """Return a box in a CRS that holds the raster, None where it cannot be told; a turn is the widest in degrees."""
    place, axis = handle.view.placed, circle(crs)
    if same_ground(crs, place.crs):
        return place.bounds
    if axis is None or not axis.latitudes:
        found = placed(handle, crs).extent
        return None if found is None else _widened(found, MARGIN)
    lies, unit = geographic_bounds(place), axis.turn / TURN
    west, east = lies.west - MARGIN_DEGREES, lies.unrolled_east + MARGIN_DEGREES
    if east - west >= TURN:
        west, east = (lies.west + lies.unrolled_east - TURN) / 2, (lies.west + lies.unrolled_east + TURN) / 2
    south, north = max(lies.south - MARGIN_DEGREES, -90.0), min(lies.north + MARGIN_DEGREES, 90.0)
    return west * unit, south * unit, east * unit, north * unit


def _drawable(reach: Bounds | None, crs: str, target: str) -> Bounds | None:
    """Return a box without the ground about the poles where the target is Web Mercator."""
    axis, own = circle(crs), circle(target)
    if reach is None or axis is None or not axis.latitudes or own is None or own.latitudes:
        return reach
    limit = MERCATOR_LATITUDE * axis.turn / TURN
    return reach[0], max(reach[1], -limit), reach[2], min(reach[3], limit)


def _widened(bounds: Bounds, part: float) -> Bounds:
    west, south, east, north = bounds
    wide, high = (east - west) * part, (north - south) * part
    return west - wide, south - high, east + wide, north + high


def _around(pixels: Floats, size: tuple[int, int]) -> Window | None:
    """Return the whole pixels of the raster round edges, None where these lie beside it."""
    west, south, east, north = bounds_of(pixels)
    (left, right), (top, bottom) = (
        (math.floor(min(max(low, 0), length)), math.ceil(min(max(high, 0), length)))
        for low, high, length in ((west, east, size[0]), (south, north, size[1]))
    )
    return Window(left, top, right - left, bottom - top) if left < right and top < bottom else None


def zone_of(handle: Handle, ground: Ground, style: Style) -> Zone:
    """Return the pixels of a ground; raises BadParameter for edges through too many of them, and as `read` does."""
    window, (width, height) = ground.window, ground.size
    if ground.frame is not None:
        return WarpedPixels(handle, style, ground.frame, coverage_of(ground.edges, window))
    if ground.size == (window.width, window.height):
        return OwnPixels(handle, style, coverage_of(ground.edges, window))
    check_amount(handle.view, style, height, width)
    scale = np.array([width / window.width, height / window.height] * 2)[:, None]
    edges = (ground.edges - np.array([window.left, window.top] * 2)[:, None]) * scale
    place = RasterWindow(window.left, window.top, window.width, window.height)
    request = request_of(handle.view, style)
    drawn = read_scaled(handle, place, request.bands, request.nodata, ground.size, style.resampling)
    return CoarsePixels(drawn, coverage_of(edges, Window(0, 0, width, height)))


def windows_of(window: Window, bands: int) -> Iterator[Window]:
    """Yield the parts of a window in which so many bands are read at once, of whole blocks where they can be."""
    side = next((side for side in SIDES if side * side * bands <= MOST_READ), SIDES[-1])
    for top, height in _steps(window.top, window.height, side):
        for left, width in _steps(window.left, window.width, side):
            yield Window(left, top, width, height)


def _steps(first: int, count: int, side: int) -> Iterator[tuple[int, int]]:
    at, end = first, first + count
    while at < end:
        border = min((at // side + 1) * side, end)
        yield at, border - at
        at = border
