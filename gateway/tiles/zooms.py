"""Zoom levels that fit a ground of any size."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.ground.bounds import MERCATOR_LATITUDE, TURN
from gateway.ground.extent import extent
from gateway.ground.systems import DEGREES, transform_of
from gateway.tiles.wmts import grid

MERCATOR = "WebMercatorQuad"


def zoom_of_box(box: Sequence[float], name: str) -> tuple[int, int, int]:
    """Return the finest zoom level at which a box in degrees is no larger than a tile, and the ends of the grid's.

    West > east crosses the antimeridian. The coarsest level of all where the box has no bounds in the CRS of the
    grid, or is larger than any tile. Raises NotFound.
    """
    west, south, east, north = box
    found, limit = grid(name), MERCATOR_LATITUDE if name == MERCATOR else 90.0
    if west > east:
        # As large as one that does not cross it.
        west, east = west - TURN / 2, east + TURN / 2
    south, north = max(south, -limit), min(north, limit)
    coarsest, finest = int(found.minzoom), int(found.maxzoom)
    lies = extent(transform_of(DEGREES, found.crs.to_wkt()), (west, south, east, north))
    if lies is None:
        return coarsest, coarsest, finest
    side = max(lies[2] - lies[0], lies[3] - lies[1])
    levels = {zoom: found.matrix(zoom) for zoom in range(coarsest, finest + 1)}
    fitting = [zoom for zoom, level in levels.items() if level.cellSize * level.tileWidth >= side]
    return max(fitting, default=coarsest), coarsest, finest
