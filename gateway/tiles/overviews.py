"""One COG over many datasets: a base of tiles of Web Mercator, painted one after the other, and overviews of it.

The tiles of the base have the pixels that a layer's tiles of that zoom level have. No more than one of them is held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import rasterio
from rasterio.enums import ColorInterp
from rasterio.io import DatasetReader, DatasetWriter
from rasterio.transform import from_origin
from rasterio.windows import Window

from gateway.cog.convert import lay_out, require_room
from gateway.colour.model import LayerStyle, Style, TileFormat
from gateway.errors import BadParameter, GatewayError
from gateway.ground.address import TileAddress
from gateway.ground.grid import Grids
from gateway.ground.mercator import NAME
from gateway.ground.tilecover import TileRange
from gateway.reading.colormap import Colormap
from gateway.reading.foreign import Translated
from gateway.reading.handles import Handle, Version
from gateway.reading.source import OPAQUE, Drawn, Pixels
from gateway.tiles.engine import TileEngine
from gateway.tiles.painting import Blocks, Painting

T = TypeVar("T")

SIDE = 256
# A pyramid by powers of two has a third of the pixels of its full image. GDAL writes it beside the COG and then into
# it, and the base is a file of its own before.
WRITTEN = 2 + 2 / 3
HOW = LayerStyle(Style(), TileFormat.NPY)
# The base is read once, and gone then.
BASE = {
    "driver": "GTiff", "tiled": True, "blockxsize": SIDE, "blockysize": SIDE, "interleave": "pixel",
    "compress": "deflate", "zlevel": 1, "sparse_ok": True, "bigtiff": "yes",
}  # fmt: skip
# From 8 bits a sample on neighbours are near in value, unless they are numbers of colours.
PREDICTED = "uif"


class Differs(BadParameter):
    """A dataset that cannot be in one file with the others; the text says which and why."""


class Unreadable(GatewayError):
    """A dataset that cannot be read now, without which the overview would not be true; the text says which."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What the values of a dataset are; those of one overview are of one kind.

    `descriptions` are of bands, None for one that has none; `colours` are the kinds of bands as GDAL has them.
    """

    dtype: str
    bands: int
    colormap: Colormap | None
    nodata: float | None
    scales: tuple[tuple[float, float], ...]
    descriptions: tuple[str | None, ...]
    colours: tuple[ColorInterp, ...]

    @property
    def numbers(self) -> np.dtype[Any]:
        """Return the type of the values."""
        return np.dtype(self.dtype)

    @property
    def masked(self) -> bool:
        """Return whether a mask tells where there is no value, as no value does."""
        return self.nodata is None

    @property
    def pixel_bytes(self) -> int:
        """Return how many bytes a pixel takes before compression, its mask included."""
        return self.bands * self.numbers.itemsize + self.masked


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixels of an overview: the tiles of its base, aligned to those of its least level, and how many levels."""

    zoom: int
    tiles: TileRange
    levels: int

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height of the base in pixels."""
        return (self.tiles.right - self.tiles.left) * SIDE, (self.tiles.bottom - self.tiles.top) * SIDE

    @property
    def blocks(self) -> int:
        """Return how many blocks the base has, painted or not."""
        return (self.tiles.right - self.tiles.left) * (self.tiles.bottom - self.tiles.top)

    def window(self, address: TileAddress) -> Window:
        """Return where a tile of the base lies."""
        return Window((address.x - self.tiles.left) * SIDE, (address.y - self.tiles.top) * SIDE, SIDE, SIDE)


def grid_of(tiles: TileRange, zoom: int) -> Grid:
    """Return the grid of an overview whose base has these tiles: its least level has two tiles a side at most."""
    levels = min((tiles.side - 1).bit_length(), zoom)
    return Grid(zoom, tiles.aligned(levels), levels)


def kind_of(engine: TileEngine, source: Version) -> Kind:
    """Return the kind of a dataset; raises Differs for one that is in no overview, and Unreadable."""
    return _lent(engine, source, _kind_of)


def _kind_of(handle: Handle) -> Kind:
    view = handle.view
    if view.mixed or view.numbers.kind == "c":
        raise BadParameter("its bands are of different types" if view.mixed else "its values are complex numbers")

    def told(raster: DatasetReader) -> tuple[tuple[str | None, ...], tuple[ColorInterp, ...]]:
        return tuple(raster.descriptions), tuple(raster.colorinterp)

    descriptions, colours = (tuple(each[band - 1] for band in view.bands) for each in handle.lend(told))
    scales = tuple(view.scales[band - 1] for band in view.bands)
    return Kind(view.dtype, len(view.bands), view.colormap, view.nodata, scales, descriptions, colours)


def common(kinds: Iterable[tuple[str, Kind]]) -> Kind:
    """Return what holds for all of some kinds, each with the id of a dataset that is of it.

    Where their nodata values differ, NaN or a mask tells where there is no value. Raises Differs.
    """
    found = list(kinds)
    (_, kind), *_ = found
    for id, other in found:
        _require_alike(kind, id, other)
    merged = replace(
        kind,
        nodata=_same(each.nodata for _, each in found),
        scales=_same(each.scales for _, each in found) or ((1.0, 0.0),) * kind.bands,
        descriptions=_same(each.descriptions for _, each in found) or (None,) * kind.bands,
        colours=_same(each.colours for _, each in found) or (),
    )
    return replace(merged, nodata=float("nan")) if merged.masked and kind.numbers.kind == "f" else merged


def _same(values: Iterable[Any]) -> Any:
    """Return the value that all are, else None; NaN is like NaN."""
    found = {repr(value): value for value in values}
    return next(iter(found.values())) if len(found) == 1 else None


def _require_alike(kind: Kind, id: str, other: Kind) -> None:
    """Return where both may be in one file; raises Differs."""
    for name, one, another in (
        ("bands", kind.bands, other.bands), ("values of type", kind.dtype, other.dtype),
        ("colours of its own", kind.colormap, other.colormap),
    ):  # fmt: skip
        if one != another:
            told = f"{another} {name}, others {one}" if name == "bands" else f"{name} {another}, others {one}"
            raise Differs(f"dataset {id} has {told if name != 'colours of its own' else f'other {name}'}")


def _lent(engine: TileEngine, source: Version, work: Callable[[Handle], T]) -> T:
    """Return what `work` makes of a dataset; raises Differs and Unreadable with its id, and why."""
    try:
        with Translated():
            return engine.lend(source, work)
    except Differs:
        raise
    except GatewayError as error:
        told = f"dataset {source.id}: {str(error).rstrip('.')}"
        raise Differs(told) if isinstance(error, BadParameter) else Unreadable(told) from error


class Base:
    """The full image of an overview, in a file that is being written tile by tile."""

    def __init__(self, raster: DatasetWriter, engine: TileEngine, grid: Grid, kind: Kind) -> None:
        self._raster, self._engine = raster, engine
        self._grid, self._kind = grid, kind

    def paint(self, address: TileAddress, sources: Iterable[Version]) -> None:
        """Paint one tile of datasets in their order, until no pixel is missing; raises Differs, Unreadable."""
        grids: Grids = self._engine.grids
        painting = Painting(self._engine.frame(address), HOW, Blocks(grids, address))
        for source in sources:
            if painting.full:
                break
            _lent(self._engine, source, partial(self._add, painting, source))
        found = painting.canvas.drawn() if painting.canvas is not None else None
        if found is not None:
            self._write(self._grid.window(address), found, painting.used)

    def _add(self, painting: Painting, source: Version, handle: Handle) -> None:
        _require_alike(self._kind, source.id, handle.once("kind", lambda: _kind_of(handle)))
        painting.add(source.id, handle)

    def _write(self, window: Window, found: Drawn, used: list[str]) -> None:
        valid = np.ones((1, *found.pixels.shape[1:]), bool) if found.mask is None else (found.mask == OPAQUE)[None]
        if found.lacking is not None:
            if self._kind.masked:
                told = "have pixels of which some bands lack a value, and their nodata values differ"
                raise Differs(f"datasets {', '.join(used)} {told}")
            valid = valid & ~found.lacking
        if not valid.any():
            return
        fill = 0 if self._kind.masked else self._kind.nodata
        pixels: Pixels = np.where(valid, found.pixels, np.asarray(fill, found.pixels.dtype))
        self._raster.write(pixels, window=window)
        if self._kind.masked:
            self._raster.write_mask(valid[0], window=window)


@contextmanager
def base_in(path: Path, engine: TileEngine, grid: Grid, kind: Kind) -> Iterator[Base]:
    """Yield the base of an overview, in a new file; blocks that are never painted take no room."""
    width, height = grid.size
    frame = engine.frame(TileAddress(NAME, grid.zoom, grid.tiles.left, grid.tiles.top))
    profile = {
        **BASE, "width": width, "height": height, "count": kind.bands, "dtype": kind.dtype, "nodata": kind.nodata,
        "crs": "EPSG:3857", "transform": from_origin(frame.left, frame.top, *frame.pixel),
    }  # fmt: skip
    if kind.colours[:3] == (ColorInterp.red, ColorInterp.green, ColorInterp.blue):
        profile["photometric"] = "RGB"
    # Nothing in a file beside it.
    options = {"GDAL_TIFF_INTERNAL_MASK": True, "GDAL_PAM_ENABLED": False}
    with rasterio.Env(**options), rasterio.open(path, "w", **profile) as raster:
        _tell(raster, kind)
        if kind.masked:
            # It says that nothing is there, even where no tile has a pixel.
            raster.write_mask(np.zeros((SIDE, SIDE), bool), window=Window(0, 0, SIDE, SIDE))
        yield Base(raster, engine, grid, kind)


def _tell(raster: DatasetWriter, kind: Kind) -> None:
    """Write what is told of bands."""
    if kind.colormap is not None:
        raster.write_colormap(1, dict(kind.colormap))
    for band, description in enumerate(kind.descriptions, 1):
        if description is not None:
            raster.set_band_description(band, description)
    if any(scale != (1, 0) for scale in kind.scales):
        raster.scales, raster.offsets = zip(*kind.scales, strict=True)


def room_for(tiles: int, kind: Kind, folder: Path) -> None:
    """Return where a folder has room for an overview of so many tiles, before compression; raises NoRoom."""
    require_room(int(tiles * SIDE * SIDE * kind.pixel_bytes * WRITTEN), folder)


def finish(base_path: Path, target_path: Path, grid: Grid, kind: Kind) -> None:
    """Write the COG: the blocks of each level are tiles of its zoom level. Raises CannotConvert and NoRoom."""
    predicted = kind.colormap is None and kind.numbers.kind in PREDICTED
    options = {
        "BLOCKSIZE": str(SIDE), "COMPRESS": "DEFLATE", "PREDICTOR": "YES" if predicted else "NO",
        "BIGTIFF": "IF_SAFER", "SPARSE_OK": "TRUE", "NUM_THREADS": "ALL_CPUS", "RESAMPLING": "NEAREST",
        "OVERVIEWS": "IGNORE_EXISTING" if grid.levels else "NONE",
    }  # fmt: skip
    if grid.levels:
        options["OVERVIEW_COUNT"] = str(grid.levels)
    lay_out(base_path, target_path, options)
