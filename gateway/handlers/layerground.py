"""Where a request of a layer lies, in degrees: what the datasets under it are looked for by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.catalogue.geometries import Area
from gateway.catalogue.search import Box
from gateway.ground import mercator
from gateway.ground.address import TileAddress
from gateway.ground.bounds import check_degrees
from gateway.handlers.layermembers import MembersHandler
from gateway.handlers.rasters import numbers
from gateway.model import Dataset
from gateway.studio import tasks
from gateway.studio.tasks import Task
from gateway.tiles import parameters


class GroundHandler(MembersHandler):
    """A resource of the datasets at a place, under a tile or in a part of a layer."""

    async def in_degrees(self, task: Task[Sequence[float] | None]) -> Box | None:
        """Return the box that a task comes to."""
        found = await self.worked_out(task)
        if found is None:
            return None
        west, south, east, north = found
        return west, south, east, north

    async def box_of(self, address: TileAddress) -> Box | None:
        """Return the ground of a tile in degrees; raises TileOutsideGrid, and NotFound for an unknown grid."""
        wider = address.buffer - mercator.EDGE_PIXELS if address.buffer else -mercator.EDGE_PIXELS
        if address.tms == mercator.NAME:
            return mercator.tile_box(address, wider)
        return await self.in_degrees(tasks.tile_box(address, wider))

    async def place_of_pixel(self, address: TileAddress, pixel: tuple[int, int]) -> tuple[float, float] | None:
        """Return longitude and latitude of the middle of a pixel of a tile; raises TileOutsideGrid."""
        if address.tms == mercator.NAME:
            mercator.tile_box(address, 0)
            return mercator.place_of(address, pixel)
        found = await self.worked_out(tasks.place_of_pixel(address, pixel))
        return None if found is None else (found[0], found[1])

    async def box_of_bounds(self, bounds: tuple[float, ...], coord_crs: str | None) -> Box | None:
        """Return bounds in degrees; raises BadParameter."""
        if coord_crs is not None:
            return await self.in_degrees(tasks.bounds_box(bounds, coord_crs))
        west, south, east, north = bounds
        return round_the_globe(west), max(south, -90.0), round_the_globe(east), min(north, 90.0)

    async def place_of(self, lon: str, lat: str) -> tuple[tuple[float, ...], str | None, tuple[float, float] | None]:
        """Return a place as it is asked for, the code of its CRS, and its longitude and latitude.

        These are None where that is nowhere on Earth. Raises BadParameter.
        """
        place = numbers((lon, lat))
        crs = parameters.crs(self.request.query_arguments, "coord_crs")
        if crs is None:
            check_degrees(*place)
            return place, None, (round_the_globe(place[0]), max(-90.0, min(90.0, place[1])))
        found = await self.worked_out(tasks.place_in_degrees(place, crs))
        return place, crs, None if found is None else (found[0], found[1])


def round_the_globe(longitude: float) -> float:
    """Return the same longitude within -180..180."""
    return longitude if -180 <= longitude <= 180 else (longitude + 180) % 360 - 180


def box_at(place: tuple[float, float] | None) -> Box | None:
    """Return the box of a place."""
    return None if place is None else (*place, *place)


def lies_at(place: tuple[float, float] | None) -> Callable[[Dataset], bool]:
    """Return what tells whether a dataset lies at a place: its footprint, else its box."""
    if place is None:
        return lambda dataset: False
    area = Area({"type": "Point", "coordinates": list(place)})

    def meets(dataset: Dataset) -> bool:
        where = dataset.footprint or (dataset.raster.bounds if dataset.raster else None)
        return where is not None and area.meets(where)

    return meets
