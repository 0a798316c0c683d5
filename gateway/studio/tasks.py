"""What can be asked of a studio: frozen values that travel to the process that does the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

from gateway.cog.parts import Part, PlannedPart, WrittenPart
from gateway.colour.model import Encoded, LayerStyle, Stretch, Style, TileFormat
from gateway.ground.address import TileAddress
from gateway.model import Dataset, Inspection, RasterFacts
from gateway.tiles.model import Layer, LayerPicture, OnMap
from gateway.tiles.stored import StoredTiles

T_co = TypeVar("T_co", covariant=True)
Size = tuple[int | None, int | None, int | None]
Bounds = tuple[float, ...]
MOST_BYTES = 256 << 20
# Bounds, and the names of their CRS and of that of the picture.
Where = tuple[Bounds, tuple[str | None, str | None]]
# Ids of datasets in their order, and the packed small picture of each, None where there is none.
Pictured = tuple[Sequence[str], Sequence[bytes | None]]


class Lane(StrEnum):
    """Tasks of one lane wait for each other alone.

    They are pictures, pictures of files in a network, verdicts over files, and parts that are written as files, each
    in a process of its own.
    """

    PAINT = "paint"
    FAR = "far"
    JUDGE = "judge"
    PART = "part"


@dataclass(frozen=True, slots=True)
class Source:
    """One version of one dataset, as a studio needs to know it; `raster` is what was found when it was judged."""

    id: str
    version: str
    root: str
    key: str
    remote: bool
    raster: RasterFacts | None = None


@dataclass(frozen=True, slots=True)
class Task(Generic[T_co]):
    """One piece of work by its name in `works.WORKS`, what it is told beside its sources, and where it waits.

    `folder` is the one that it may write into. A `crowd` has pictures of datasets beside its sources.
    """

    work: str
    sources: tuple[Source, ...] = ()
    told: tuple[Any, ...] = ()
    lane: Lane = Lane.PAINT
    folder: str = ""
    crowd: bool = False


def source_of(dataset: Dataset, *, remote: bool) -> Source:
    """Return the judged version of a dataset as a source."""
    return Source(dataset.id, dataset.version, dataset.root, dataset.key, remote, dataset.raster)


def task_of(source: Source, work: str, *told: Any) -> Task[Any]:
    """Return the task of some work over one dataset, in the lane of where its file lies."""
    return Task(work, (source,), told, Lane.FAR if source.remote else Lane.PAINT)


def tile(source: Source, address: TileAddress, style: Style, format: TileFormat | None) -> Task[Encoded]:
    """Return the task to draw one tile."""
    return task_of(source, "tile", address, style, format)


def stored(source: Source, tms: str) -> Task[StoredTiles | None]:
    """Return the task to find out which stored blocks are tiles of a tile matrix set."""
    return task_of(source, "stored", tms)


def preview(
    source: Source, style: Style, size: Size, format: TileFormat | None, dst_crs: str | None = None
) -> Task[Encoded]:
    """Return the task to draw the whole; `size` are max_size, width and height in pixels."""
    return task_of(source, "preview", dst_crs, style, size, format)


def part(
    source: Source,
    where: tuple[Bounds, tuple[str | None, str | None]],
    style: Style,
    size: Size,
    format: TileFormat | None,
    most_bytes: int = MOST_BYTES,
) -> Task[Encoded]:
    """Return the task to draw bounds (west, south, east, north), with coord_crs and dst_crs.

    Values come to PartTooLarge where they are more than `most_bytes`.
    """
    return task_of(source, "part", where, style, size, format, most_bytes)


def native_part(
    source: Source,
    bounds: Bounds,
    coord_crs: str | None,
    bands: tuple[int, ...] = (),
) -> Task[PlannedPart]:
    """Return the task to find the part of all whole pixels of some bands that `bounds` touch."""
    return task_of(source, "native_part", bounds, coord_crs, bands)


def write_part(source: Source, part: Part, folder: str) -> Task[WrittenPart]:
    """Return the task to write a part as a true COG into a folder."""
    return Task("write_part", (source,), (part, folder), Lane.PART, folder)


def info(source: Source) -> Task[dict[str, Any]]:
    """Return the task to tell what TiTiler's /info has."""
    return task_of(source, "info")


def on_map(source: Source, tms: str) -> Task[OnMap]:
    """Return the task to find where a dataset lies, and the zoom levels of a tile matrix set that fit it."""
    return task_of(source, "on_map", tms)


def statistics(
    source: Source, style: Style, size: Size, dst_crs: str | None, options: dict[str, Any]
) -> Task[dict[str, Any]]:
    """Return the task to work out the statistics of each band; `options` are rio-tiler's."""
    return task_of(source, "statistics", style, size, dst_crs, options)


def point(source: Source, place: tuple[float, ...], coord_crs: str | None, style: Style) -> Task[dict[str, Any]]:
    """Return the task to read the values of each band at x and y."""
    return task_of(source, "point", place, coord_crs, style)


def _of_all(sources: tuple[Source, ...], work: str, *told: Any, crowd: bool = False) -> Task[Any]:
    far = any(source.remote for source in sources)
    return Task(work, sources, told, Lane.FAR if far else Lane.PAINT, crowd=crowd)


def layer_tile(
    sources: tuple[Source, ...], address: TileAddress, how: LayerStyle, whole: bool
) -> Task[LayerPicture | None]:
    """Return the task to draw one tile of several datasets.

    It comes to None where pixels are missing, unless `sources` are the `whole` layer.
    """
    return _of_all(sources, "layer_tile", address, how, whole)


def crowd_tile(
    sources: tuple[Source, ...], address: TileAddress, crowd: Pictured, how: LayerStyle
) -> Task[LayerPicture]:
    """Return the task to draw one tile of the datasets of a crowd.

    `sources` are those whose files say how, the first one that can be drawn, and those that have no small picture.
    """
    return _of_all(sources, "crowd_tile", address, crowd, how, crowd=True)


def crowd_part(
    sources: tuple[Source, ...], where: Where, crowd: Pictured, how: LayerStyle, size: Size
) -> Task[LayerPicture]:
    """Return the task to draw a part of the datasets of a crowd, as `crowd_tile`."""
    return _of_all(sources, "crowd_part", where, crowd, how, size, crowd=True)


def crowd_statistics(
    sources: tuple[Source, ...], part: tuple[Where, Size], crowd: Pictured, how: LayerStyle, options: dict[str, Any]
) -> Task[dict[str, Any]]:
    """Return the task to work out the statistics of what a part of a crowd shows, as `crowd_tile`."""
    return _of_all(sources, "crowd_statistics", part, crowd, how, options, crowd=True)


def layer_part(
    sources: tuple[Source, ...],
    bounds: Bounds,
    systems: tuple[str | None, str | None],
    how: LayerStyle,
    size: Size,
) -> Task[LayerPicture]:
    """Return the task to draw `bounds` of several datasets; `systems` are coord_crs and dst_crs."""
    return _of_all(sources, "layer_part", (bounds, systems), how, size)


def layer_statistics(
    sources: tuple[Source, ...],
    where: tuple[Bounds, tuple[str | None, str | None]],
    how: LayerStyle,
    size: Size,
    options: dict[str, Any],
) -> Task[dict[str, Any]]:
    """Return the task to work out the statistics of what a part of several datasets shows."""
    return _of_all(sources, "layer_statistics", where, how, size, options)


def layer_point(
    sources: tuple[Source, ...], place: tuple[float, ...], coord_crs: str | None, style: Style
) -> Task[dict[str, Any]]:
    """Return the task to read the values at x and y of each of several datasets."""
    return _of_all(sources, "layer_point", place, coord_crs, style)


def default_range(source: Source) -> Task[Stretch | None]:
    """Return the task to find the default range of values of a dataset whose record has none; None for bytes."""
    return task_of(source, "default_range")


def verdict(source: Source, allow_missing_overviews: bool) -> Task[Inspection]:
    """Return the task to judge a file; the version of the source is the one that is to be judged."""
    return Task("verdict", (source,), (allow_missing_overviews,), Lane.JUDGE)


def grids() -> Task[list[str]]:
    """Return the task to list the ids of all tile matrix sets."""
    return Task("grids")


def grid_json(name: str) -> Task[dict[str, Any]]:
    """Return the task to write a tile matrix set as JSON."""
    return Task("grid_json", told=(name,))


def capabilities(
    title: str,
    layers: tuple[Layer, ...],
    grid: str,
    zooms: tuple[int, int] | None,
    side: int,
    service: tuple[str, tuple[str, ...]],
) -> Task[str]:
    """Return the task to write the WMTS capabilities of some layers; `service` are a URL and what it does by KVP."""
    return Task("capabilities", told=(title, layers, grid, zooms, side, service))


def feature(source: Source, address: TileAddress, pixel: tuple[int, int], style: Style) -> Task[dict[str, Any]]:
    """Return the task to read the values of each band under a pixel of a tile."""
    return task_of(source, "feature", address, pixel, style)


def tile_box(address: TileAddress, widened_pixels: float) -> Task[Sequence[float] | None]:
    """Return the task to find the box in degrees of a tile that is so many pixels wider.

    West is the greater one where it crosses the antimeridian. None where none of the tile is on Earth.
    """
    return Task("tile_box", told=(address, widened_pixels))


def bounds_box(bounds: Bounds, name: str) -> Task[Sequence[float] | None]:
    """Return the task to find the box in degrees of bounds in a CRS by its code."""
    return Task("bounds_box", told=(bounds, name))


def place_in_degrees(place: tuple[float, ...], name: str) -> Task[Sequence[float] | None]:
    """Return the task to find longitude and latitude of a place in a CRS by its code."""
    return Task("place_in_degrees", told=(place, name))


def place_of_pixel(address: TileAddress, pixel: tuple[int, int]) -> Task[Sequence[float] | None]:
    """Return the task to find longitude and latitude of the middle of a pixel (column, row) of a tile."""
    return Task("place_of_pixel", told=(address, pixel))


def zoom_of_box(box: Sequence[float], tms: str) -> Task[Sequence[int]]:
    """Return the task to find the finest zoom level at which a box in degrees is no larger than a tile.

    Behind it come the least and the greatest level of the tile matrix set.
    """
    return Task("zoom_of_box", told=(box, tms))


def colormaps() -> Task[list[str]]:
    """Return the task to list the names of all colour maps."""
    return Task("colormaps")


def colours(name: str) -> Task[Any]:
    """Return the task to tell the colours of a map."""
    return Task("colours", told=(name,))


def legend(
    name: str, width: int, height: int, *, vertical: bool, ends: tuple[float, float] | None = None
) -> Task[bytes]:
    """Return the task to draw the colours of a map as a PNG, from left to right or upwards, its ends labelled."""
    return Task("legend", told=(name, width, height, vertical, ends))
