"""Tiles of datasets: stored blocks, drawn ones, and rio-tiler's where the fast way does not lead."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
from rasterio._env import set_gdal_config
from rasterio._err import stack_errors
from rasterio.io import DatasetReader

from gateway.errors import BadParameter, NotFound, VersionChanged
from gateway.storage import OpenObject
from gateway.tiles.encode import encode
from gateway.tiles.grid import Frame, Grids
from gateway.tiles.handles import Handle, HandlePool, Opener, Version
from gateway.tiles.mapping import NotApplicable
from gateway.tiles.model import Colormap, Encoded, Stretch, Style, TileAddress, TileFormat
from gateway.tiles.paint import PICTURES, paint_of, picture, resolved
from gateway.tiles.passthrough import decoded_tile, stored_tile, stored_tiles
from gateway.tiles.stored import StoredTiles
from gateway.tiles.stretch import stretch_of
from gateway.tiles.warp import Request, draw

T = TypeVar("T")


class TileEngine:
    """Tiles of datasets, opened by `opener`; every method may be called from several threads at once."""

    def __init__(self, opener: Opener, *, handles: int, gdal_cache_bytes: int = 128 << 20) -> None:
        # The threads that draw are as many as there are to be.
        cv2.setNumThreads(1)
        # Of decoded blocks, for all threads: what an Env sets is gone with it, before the first block is read.
        set_gdal_config("GDAL_CACHEMAX", gdal_cache_bytes)
        self._grids = Grids()
        self._pool = HandlePool(opener, handles)
        self._opener = opener

    def tile(self, dataset: Version, address: TileAddress, style: Style, format: TileFormat | None) -> Encoded:
        """Return one tile of this very version of the dataset.

        Raises TileOutsideGrid, NotFound for a dataset without a CRS, BadParameter, VersionChanged, ObjectMissing,
        StorageUnavailable, and NotACog where a block cannot be decoded.
        """
        frame = self._grids.frame(address)
        with self._pool.use(dataset) as handle:
            if stored := stored_tile(handle, self._grids, address, style, format):
                return stored
            if not handle.view.crs and not handle.view.placed_by_points:
                raise NotFound("The dataset has no place on a map.")
            style = resolved(style, handle.view, format, lambda: _stretch(dataset, handle))
            try:
                return self._hot(handle, frame, address, style, format)
            except NotApplicable:
                return _slow(handle, address, style, format)

    def stored(self, dataset: Version, tms: str) -> StoredTiles | None:
        """Return which stored blocks of a local file are tiles of a tile matrix set; None where none is."""
        with self._pool.use(dataset) as handle:
            return stored_tiles(handle, self._grids, tms)

    def lend(self, dataset: Version, work: Callable[[DatasetReader], T]) -> T:
        """Return what `work` makes of a dataset of this very version, which is its own meanwhile."""
        with self._pool.use(dataset) as handle:
            return handle.lend(work)

    def source(self, dataset: Version) -> OpenObject:
        """Return the bytes of this very version, opened for the caller alone."""
        found = self._opener(dataset)
        if found.stat.version != dataset.version:
            found.close()
            raise VersionChanged("The file has changed just now.")
        return found

    def resolved(self, dataset: Version, style: Style, format: TileFormat | None) -> Style:
        """Return the style with bands and range of values filled in, as tiles have them; raises BadParameter."""
        with self._pool.use(dataset) as handle:
            return resolved(style, handle.view, format, lambda: _stretch(dataset, handle))

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()

    def _hot(
        self, handle: Handle, frame: Frame, address: TileAddress, style: Style, format: TileFormat | None
    ) -> Encoded:
        """Return a tile drawn the fast way; raises NotApplicable."""
        if format not in (None, *PICTURES) or address.buffer:
            raise NotApplicable("the format")
        view = handle.view
        paint = paint_of(style, view, _named_colormap)
        nodata = view.nodata if style.nodata is None else style.nodata
        request = Request(paint.bands, nodata, style.resampling, style.reproject)
        drawn = decoded_tile(handle, self._grids, address, request) or draw(handle, frame, request)
        return _blank(frame.size, format or TileFormat.PNG) if drawn is None else picture(drawn, paint, format)


def forget_errors() -> None:
    """Clear GDAL's last error of this thread: rasterio takes it for that of a later call, on another dataset."""
    with stack_errors():
        pass


def _stretch(dataset: Version, handle: Handle) -> Stretch | None:
    """Return what was taken when this version was judged, else what is found now."""
    if dataset.raster is not None and dataset.raster.stretch is not None:
        return Stretch(dataset.raster.stretch)
    return handle.once("stretch", lambda: stretch_of(handle))


def _slow(handle: Handle, address: TileAddress, style: Style, format: TileFormat | None) -> Encoded:
    # rio-tiler takes a fifth of a second to import, and most processes never need it.
    from gateway.tiles.fallback import render  # noqa: PLC0415

    return handle.lend(lambda raster: render(raster, address, style, format))


@lru_cache(maxsize=64)
def _blank(size: int, format: TileFormat) -> Encoded:
    """Return a picture of nothing: transparent, or black where the format cannot be."""
    nothing = np.zeros((size, size), np.uint8)
    pixels = np.zeros((3, size, size), np.uint8)
    return Encoded(encode(format, pixels, nothing), format, "empty")


@lru_cache(maxsize=256)
def _named_colormap(name: str) -> Colormap:
    from rio_tiler.colormap import cmap  # noqa: PLC0415

    if name not in cmap.list():
        raise BadParameter("colormap_name: there is none of that name.")
    colours = cmap.get(name)
    return tuple(colours.items() if isinstance(colours, dict) else colours)
