"""Tiles of datasets: stored blocks and drawn ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import cv2
from rasterio._env import set_gdal_config

from gateway.colour.model import Encoded, Stretch, Style, TileFormat
from gateway.colour.paint import resolved
from gateway.colour.stretch import stretch_of
from gateway.errors import VersionChanged
from gateway.ground.address import TileAddress
from gateway.ground.grid import Frame, Grids
from gateway.reading.blockmemory import BlockMemory
from gateway.reading.handles import Handle, HandlePool, Opener, Version
from gateway.storage import OpenObject
from gateway.tiles.drawing import drawn_tile, request_of
from gateway.tiles.passthrough import stored_tile, stored_tiles, tile_of_blocks
from gateway.tiles.stored import StoredTiles

T = TypeVar("T")


class TileEngine:
    """Tiles of datasets, opened by `opener`; every method may be called from several threads at once."""

    def __init__(
        self, opener: Opener, *, handles: int, cache_bytes: int = 128 << 20, memory: BlockMemory | None = None
    ) -> None:
        # The threads that draw are as many as there are to be.
        cv2.setNumThreads(1)
        # Decoded blocks, for all threads: what an Env sets is gone with it, before the first block is read. A half
        # is for those that GDAL decodes, a half for those that are decoded here, unless there is memory for them.
        set_gdal_config("GDAL_CACHEMAX", cache_bytes // 2)
        self._grids = Grids()
        self._pool = HandlePool(opener, handles, memory or BlockMemory(cache_bytes // 2))
        self._opener = opener

    def tile(self, dataset: Version, address: TileAddress, style: Style, format: TileFormat | None) -> Encoded:
        """Return one tile of this very version of the dataset.

        Raises TileOutsideGrid, NoPlace, BadParameter, CannotBeDrawn, VersionChanged, ObjectMissing and
        StorageUnavailable.
        """
        frame = self._grids.frame(address)
        with self._pool.use(dataset) as handle:
            if stored := stored_tile(handle, self._grids, address, style, format):
                return stored
            style = resolved(style, handle.view, format, lambda: _stretch(dataset, handle))
            plain = not (style.expression or address.buffer)
            block = tile_of_blocks(handle, self._grids, address, request_of(handle.view, style)) if plain else None
            return drawn_tile(handle, frame.widened(address.buffer), style, format, block)

    @property
    def grids(self) -> Grids:
        """Return the tile matrix sets."""
        return self._grids

    def frame(self, address: TileAddress) -> Frame:
        """Return where a tile lies; raises TileOutsideGrid, and NotFound for an unknown tile matrix set."""
        return self._grids.frame(address)

    def stored(self, dataset: Version, tms: str) -> StoredTiles | None:
        """Return which stored blocks of a local file are tiles of a tile matrix set; None where none is."""
        with self._pool.use(dataset) as handle:
            return stored_tiles(handle, self._grids, tms)

    def lend(self, dataset: Version, work: Callable[[Handle], T]) -> T:
        """Return what `work` makes of the opened dataset of this very version."""
        with self._pool.use(dataset) as handle:
            return work(handle)

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

    def warm(self) -> None:
        """Load the tile matrix sets."""
        self._grids.zooms("WebMercatorQuad")

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()


def _stretch(dataset: Version, handle: Handle) -> Stretch | None:
    """Return what was taken when this version was judged, else what is found now."""
    if dataset.raster is not None and dataset.raster.stretch is not None:
        return Stretch(dataset.raster.stretch)
    return handle.once("stretch", lambda: stretch_of(handle))
