"""What an overview will be: its zoom level, its pixels, the kind of its values, and how much that is."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.catalogue.overviews import PIXEL_DEGREES
from gateway.errors import BadParameter
from gateway.ground.mercator import MAX_ZOOM
from gateway.ground.tilecover import TileCover
from gateway.model import Dataset, RasterFacts
from gateway.overviews.members import MembersUnder
from gateway.tiles.engine import TileEngine
from gateway.tiles.overviews import SIDE, Grid, Kind, common, grid_of, kind_of

# A tile that lies over no more datasets than this is quickly painted from their files.
FEW = 8
# What is about one view.
VIEW_TILES = 4
# Before compression: what an overview may have at most, and unless a zoom level is asked for.
MOST_BYTES, USUAL_BYTES = 16 << 30, 4 << 30
# Blocks without a dataset, between those that lie far from each other or on both sides of the antimeridian. They take
# no pixels, but each has its place in the index of the file, and all are gone through for each level below.
MOST_EMPTY, USUAL_EMPTY = 1 << 18, 1 << 16
# A dataset counts as fine as a zoom level whose pixels are hardly larger.
ALIKE = 1.01


class CannotOverview(BadParameter):
    """A collection of which there is no overview; the text says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an overview will be: over how many datasets, and of how many tiles that lie under some of them."""

    collection: str
    grid: Grid
    kind: Kind
    members: int
    tiles: int

    @property
    def size_bytes(self) -> int:
        """Return how many bytes its values take before compression, those of its overviews included."""
        return self.tiles * tile_bytes(self.kind)


def tile_bytes(kind: Kind) -> int:
    """Return how many bytes a tile takes before compression, with its share of the levels below."""
    return SIDE * SIDE * kind.pixel_bytes * 4 // 3


def plan_of(collection: str, members: MembersUnder, engine: TileEngine, zoom: int | None) -> Plan:
    """Return what the overview is to be, at a fitting zoom level unless one is given.

    Raises CannotOverview, Differs and Unreadable.
    """
    boxes, kinds, finest = [], dict[object, Dataset](), 0
    for dataset in members.every():
        raster = dataset.raster
        if raster is None or raster.bounds is None:
            continue
        boxes.append(raster.bounds)
        finest = max(finest, zoom_of(raster))
        kinds.setdefault((raster.count, raster.dtype, str(raster.nodata), raster.scaling), dataset)
    if not boxes:
        raise CannotOverview(f"no dataset of {collection} can be drawn on a map")
    kind, cover = common((each.id, kind_of(engine, each)) for each in kinds.values()), TileCover(boxes)
    chosen = fitting_zoom(cover, finest, USUAL_BYTES // tile_bytes(kind)) if zoom is None else zoom
    if chosen > finest:
        raise CannotOverview(
            f"the finest dataset of {collection} is of zoom level {finest}: give that or a lower one"
        )
    depth, tiles = cover.depth(chosen), cover.range(chosen)
    size = None if depth is None else depth.tiles * tile_bytes(kind)
    if depth is None or tiles is None or size is None or size > MOST_BYTES:
        told = "far more" if size is None else f"{size / 1e9:.1f} GB before compression"
        limit = f"the limit is {MOST_BYTES / 1e9:.1f} GB"
        raise CannotOverview(f"zoom level {chosen} takes {told}; {limit}: give a lower one")
    grid = grid_of(tiles, chosen)
    if grid.blocks - depth.tiles > MOST_EMPTY:
        told = f"{grid.blocks - depth.tiles} blocks between datasets that lie far from each other"
        raise CannotOverview(f"zoom level {chosen} takes {told}; the limit is {MOST_EMPTY}: give a lower one")
    return Plan(collection, grid, kind, len(boxes), depth.tiles)


def zoom_of(raster: RasterFacts) -> int:
    """Return the zoom level that a raster is as fine as."""
    if raster.bounds is None:
        return 0
    west, _, east, _ = raster.bounds
    degrees = ((east - west) % 360 or 360.0) / raster.width
    return next((zoom for zoom in range(MAX_ZOOM) if PIXEL_DEGREES / 2**zoom <= degrees * ALIKE), MAX_ZOOM)


def fitting_zoom(cover: TileCover, finest: int, most_tiles: int) -> int:
    """Return the greatest zoom level at which a tile lies over more than FEW datasets, of few enough tiles.

    Where no tile does, the greatest at which all is about one view. Never one finer than the finest dataset.
    """
    crowded: int | None = None
    view = 0
    for zoom in range(finest + 1):
        depth = cover.depth(zoom)
        if depth is None or depth.tiles > most_tiles or (crowded is not None and depth.deepest <= FEW):
            break
        tiles = cover.range(zoom)
        if tiles is not None and grid_of(tiles, zoom).blocks - depth.tiles > USUAL_EMPTY:
            break
        view = zoom if depth.tiles <= VIEW_TILES else view
        crowded = zoom if depth.deepest > FEW else crowded
    return view if crowded is None else crowded
