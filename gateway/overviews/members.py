"""The datasets of a collection in the order of its layer, and the tiles that lie under them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gateway.catalogue.search import Box, Search
from gateway.ground.address import TileAddress
from gateway.ground.mercator import EDGE_PIXELS, NAME, tile_box
from gateway.model import Dataset
from gateway.records import Records
from gateway.stac.assets import has_place

# Datasets that are read from the records at once, and held while their tiles are painted.
PAGE = 1000
# A tile, and the datasets that it is painted from.
Tile = tuple[TileAddress, Iterable[Dataset]]


class MembersUnder:
    """The datasets of a collection, those alone that tiles of its layer are painted from."""

    def __init__(self, records: Records, collection: str) -> None:
        self._records = records
        self._search = Search(collections=(collection,), limit=PAGE)

    def every(self) -> Iterator[Dataset]:
        """Yield all of them, page by page."""
        yield from self._pages(self._search)

    def tiles(self, zoom: int) -> Iterator[Tile]:
        """Yield the tiles of a zoom level of Web Mercator that lie under some of them, and these."""
        yield from self._below(TileAddress(NAME, 0, 0, 0), zoom, None)

    def _below(self, address: TileAddress, zoom: int, known: Sequence[Dataset] | None) -> Iterator[Tile]:
        """Yield the tiles that are part of one; `known` are all that lie there, None where they are too many."""
        # As far from its edges as the tiles of that level are from theirs: some of them begin there.
        box = tile_box(address, -EDGE_PIXELS / (1 << zoom - address.z))
        search = replace(self._search, under=box)
        if known is None:
            page = self._records.search(search, None)
            known = list(filter(has_place, page.datasets)) if page.after is None else None
        else:
            known = [dataset for dataset in known if _meets(dataset, box)]
        if known is not None and not known:
            return
        if address.z == zoom:
            yield address, self._pages(search) if known is None else known
            return
        for down in (0, 1):
            for across in (0, 1):
                part = TileAddress(NAME, address.z + 1, 2 * address.x + across, 2 * address.y + down)
                yield from self._below(part, zoom, known)

    def _pages(self, search: Search) -> Iterator[Dataset]:
        while True:
            page = self._records.search(search, None)
            yield from filter(has_place, page.datasets)
            if page.after is None:
                return
            search = replace(search, after=page.after)


def _meets(dataset: Dataset, box: Box) -> bool:
    """Return whether the bounds of a dataset meet the box of a tile, which crosses no antimeridian."""
    if dataset.raster is None or dataset.raster.bounds is None:
        return False
    west, south, east, north = dataset.raster.bounds
    if south > box[3] or north < box[1]:
        return False
    if west <= east:
        return west <= box[2] and east >= box[0]
    return west <= box[2] or east >= box[0]
