"""The one door to tiles: kept ones, stored ones, drawn ones, and rio-tiler's where the fast way does not lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

import cv2
import numpy as np
from rasterio._env import set_gdal_config
from rasterio.io import DatasetReader

from gateway.errors import BadParameter, NotFound
from gateway.model import Dataset
from gateway.storage import Storage
from gateway.tiles.cache import TileCache
from gateway.tiles.encode import encode
from gateway.tiles.grid import Frame, Grids
from gateway.tiles.handles import Handle, HandlePool
from gateway.tiles.mapping import NotApplicable
from gateway.tiles.model import Colormap, Encoded, Stretch, Style, TileAddress, TileFormat
from gateway.tiles.paint import PICTURES, paint_of, picture, resolved
from gateway.tiles.passthrough import decoded_tile, ready_tile, stored_tile
from gateway.tiles.stretch import stretch_of
from gateway.tiles.warp import Request, draw


class TileEngine:
    """Tiles of the datasets of some storages; every method may be called from several threads at once."""

    def __init__(
        self, storages: Mapping[str, Storage], *, cache_bytes: int, handles: int, gdal_cache_bytes: int = 128 << 20
    ) -> None:
        # The threads that draw are as many as there are to be.
        cv2.setNumThreads(1)
        # Of decoded blocks, for all threads: what an Env sets is gone with it, before the first block is read.
        set_gdal_config("GDAL_CACHEMAX", gdal_cache_bytes)
        self._grids = Grids()
        self._cache = TileCache(cache_bytes)
        self._pool = HandlePool(storages, handles)

    def tile(self, dataset: Dataset, address: TileAddress, style: Style, format: TileFormat | None) -> Encoded:
        """Return one tile of this very version of the dataset.

        Raises TileOutsideGrid, NotFound for a dataset without a CRS, BadParameter, VersionChanged, ObjectMissing,
        StorageUnavailable, and NotACog where a block cannot be decoded.
        """
        if (found := self.ready(dataset, address, style, format)) is not None:
            return found
        frame = self._grids.frame(address)
        key = dataset.id, dataset.version, address, style, format
        return self._cache.get_or_make(key, lambda: self._made(dataset, frame, address, style, format))

    def ready(
        self, dataset: Dataset, address: TileAddress, style: Style, format: TileFormat | None
    ) -> Encoded | None:
        """Return a tile that is kept or lies in an open local file as it is, else None: nothing is waited for.

        Fit for the event loop. Raises TileOutsideGrid.
        """
        frame = self._grids.frame(address)
        with self._pool.use_open(dataset) as handle:
            if handle is None:
                return None
            kept = self._cache.get((dataset.id, dataset.version, address, style, format))
            return kept or (None if address.buffer else ready_tile(handle, frame, style, format))

    @contextmanager
    def opened(self, dataset: Dataset) -> Iterator[DatasetReader]:
        """Yield a kept dataset of this very version, for the caller alone while it holds it."""
        with self._pool.use(dataset) as handle, handle.lock:
            yield handle.level(0)

    def stretch(self, dataset: Dataset) -> Stretch | None:
        """Return the default range of values of each band; None for bytes."""
        with self._pool.use(dataset) as handle:
            return _stretch(dataset, handle)

    def resolved(self, dataset: Dataset, style: Style, format: TileFormat | None) -> Style:
        """Return the style with bands and range of values filled in, as tiles have them; raises BadParameter."""
        with self._pool.use(dataset) as handle:
            return resolved(style, handle.view, format, lambda: _stretch(dataset, handle))

    @property
    def cached_bytes(self) -> int:
        """Return how much memory the kept tiles take."""
        return self._cache.size_bytes

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()

    def _made(
        self, dataset: Dataset, frame: Frame, address: TileAddress, style: Style, format: TileFormat | None
    ) -> Encoded:
        with self._pool.use(dataset) as handle:
            if not address.buffer and (stored := stored_tile(handle, frame, style, format)):
                return stored
            if not handle.view.crs and not handle.view.placed_by_points:
                raise NotFound("The dataset has no place on a map.")
            style = resolved(style, handle.view, format, lambda: _stretch(dataset, handle))
            try:
                return _hot(handle, frame, address, style, format)
            except NotApplicable:
                return _slow(handle, address, style, format)


def _stretch(dataset: Dataset, handle: Handle) -> Stretch | None:
    """Return what was taken when this version was judged, else what is found now."""
    if dataset.raster is not None and dataset.raster.stretch is not None:
        return Stretch(dataset.raster.stretch)
    return handle.once("stretch", lambda: stretch_of(handle))


def _hot(handle: Handle, frame: Frame, address: TileAddress, style: Style, format: TileFormat | None) -> Encoded:
    """Return a tile drawn the fast way; raises NotApplicable."""
    if format not in (None, *PICTURES) or address.buffer:
        raise NotApplicable("the format")
    view = handle.view
    paint = paint_of(style, view, _named_colormap)
    nodata = view.nodata if style.nodata is None else style.nodata
    request = Request(paint.bands, nodata, style.resampling, style.reproject)
    drawn = decoded_tile(handle, frame, request) or draw(handle, frame, request)
    return _blank(frame.size, format or TileFormat.PNG) if drawn is None else picture(drawn, paint, format)


def _slow(handle: Handle, address: TileAddress, style: Style, format: TileFormat | None) -> Encoded:
    # rio-tiler takes a fifth of a second to import, and most processes never need it.
    from gateway.tiles.fallback import render  # noqa: PLC0415

    with handle.lock:
        return render(handle.level(0), address, style, format)


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
