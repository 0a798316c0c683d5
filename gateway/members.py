"""The datasets that a layer is drawn from: which there are for a reader, and in which order."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.catalogue.layers import LayerKind, LayerName, Outline, StoredSearch, Style
from gateway.catalogue.overviews import Overview
from gateway.catalogue.search import LIMIT_MOST, MOST_COUNTED, Box, Condition, Interval, Property, Search, Sort
from gateway.errors import NotFound
from gateway.gatekeeper import ADMIN, Action, holder_of, roles_needed
from gateway.model import Dataset, Principal
from gateway.records import Crowd, Records, audiences_of
from gateway.remembered import Remembered
from gateway.stac.requests import asked_of

NO_LAYER = "There is no such layer."
# What a search asks for never changes: its id follows from it. It may be deleted, on any node, and be some megabytes.
SEARCHES, SEARCH_SECONDS = 64, 2.0
OVERVIEWS = 1024
# So many of the newest datasets are looked at for what holds for a whole layer, so often for one reader.
SAMPLED, SAMPLES, SAMPLE_SECONDS = LIMIT_MOST, 128, 60.0
# Of these one has to be there, so that it is known how fine the layer is.
FINEST = 3
# A ground is looked at in so many cells a side.
CELLS = 16
# Of a pixel that is the whole world: the least pictures are enough.
WHOLE_DEGREES = 360.0
# So many times as many as may be touched are looked at for whether enough of them have one.
LOOKED_AT = 10


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: `search` finds all its datasets, `style` is that of pictures whose request has none."""

    name: LayerName
    search: Search
    style: Style
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which datasets of a layer are wanted: at most `limit`, of a time, in an order; None is what the layer has."""

    limit: int
    datetime: Interval | None = None
    sortby: tuple[Sort, ...] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The first datasets of a layer in its order, as on record; `number` is how many there are in all.

    Beyond MOST_COUNTED it is that. What the reader may see and not have as they asked is not among the first.
    """

    datasets: tuple[Dataset, ...]
    number: int


class Members:
    """Finds the datasets of layers, each time under the rights of the reader."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._searches: Remembered[str, tuple[StoredSearch, Search]] = Remembered(SEARCHES, SEARCH_SECONDS)
        self._overviews: Remembered[object, tuple[Overview | None]] = Remembered(OVERVIEWS)
        self._samples: Remembered[object, tuple[str, ...]] = Remembered(SAMPLES, SAMPLE_SECONDS)

    def layer(self, name: LayerName) -> Layer:
        """Return the layer of that name; raises NotFound where there can be none.

        Whether a reader sees a collection is for `require_seen` to say.
        """
        if not name.well_formed:
            raise NotFound(NO_LAYER)
        if name.kind is LayerKind.COLLECTION:
            return Layer(name, Search(collections=(name.id,)), {})
        stored, search = self._stored(name.id)
        return Layer(name, search, stored.style, stored.title)

    def forget(self, search_id: str) -> None:
        """Look at a stored search anew when it is asked for the next time."""
        self._searches.drop(search_id)

    def stored(self, search_id: str) -> StoredSearch:
        """Return a stored search; raises NotFound."""
        return self._stored(search_id)[0]

    def _stored(self, search_id: str) -> tuple[StoredSearch, Search]:
        known = self._searches.get(search_id)
        if known is None:
            found = self._records.searches.by_id(search_id)
            if found is None:
                raise NotFound(NO_LAYER)
            known = found, asked_of(found.body).search
            self._searches.keep(search_id, known)
        return known

    def require_seen(self, layer: Layer, reader: Principal) -> None:
        """Return where the reader sees the layer; raises NotFound for a collection of which they see no dataset."""
        if layer.name.kind is LayerKind.SEARCH:
            return
        if not self._records.search(replace(layer.search, limit=1), reader).datasets:
            self._require_collection(layer.name.id, reader)

    def _require_collection(self, collection_id: str, reader: Principal) -> str:
        found = self._records.collection(collection_id, reader)
        if found is None:
            raise NotFound(NO_LAYER)
        return found.collection.title

    def title(self, layer: Layer, reader: Principal) -> str:
        """Return what the layer is called; raises NotFound as `require_seen` does."""
        if layer.name.kind is LayerKind.COLLECTION:
            return self._require_collection(layer.name.id, reader)
        return layer.title or f"Search {layer.name.id}"

    def find(self, layer: Layer, wanted: Wanted, box: Box, reader: Principal, action: Action) -> Found:
        """Return the datasets under a box that the reader may see, those alone that they may have so.

        Raises NotFound as `require_seen` does, and BadParameter as searches do.
        """
        page = self._records.search(replace(narrowed(layer.search, wanted), under=box), reader)
        if not page.datasets:
            self.require_seen(layer, reader)
        datasets = page.datasets
        if action is Action.DOWNLOAD:
            datasets = tuple(dataset for dataset in datasets if self._may_download(dataset, reader))
        return Found(datasets, MOST_COUNTED if page.matched is None else page.matched)

    def crowd(self, layer: Layer, wanted: Wanted, box: Box, reader: Principal, degrees: float) -> Crowd:
        """Return the small pictures under a box that the reader may see, at most MOST_COUNTED, in the layer's order.

        `degrees` are those of a pixel of the map; raises BadParameter as searches do.
        """
        search = replace(narrowed(layer.search, wanted), under=box, limit=MOST_COUNTED)
        return self._records.small_pictures.of_search(search, reader, degrees)

    def named(self, layer: Layer, wanted: Wanted, ids: Sequence[str], reader: Principal) -> Found:
        """Return some datasets of a layer that the reader may see, by their ids, in the layer's order."""
        if not ids:
            return Found((), 0)
        search = replace(narrowed(layer.search, wanted), ids=tuple(ids), limit=len(ids))
        datasets = self._records.search(search, reader).datasets
        return Found(datasets, len(datasets))

    def overview(self, layer: Layer, wanted: Wanted, reader: Principal) -> Overview | None:
        """Return the overview of the layer, where it is true of what is wanted and the reader sees all of it.

        That it holds is asked of the records each time; while it does, nobody sees more or less of its members.
        """
        if layer.name.kind is not LayerKind.COLLECTION or wanted.datetime is not None or wanted.sortby is not None:
            return None
        holding = self._records.overviews.holding(layer.name.id)
        if holding is None:
            return None
        key = holding, audiences_of(reader), reader.stored and reader.stored.target
        known = self._overviews.get(key)
        if known is None:
            found = self._records.overviews.for_reader(layer.name.id, reader)
            if found is not None and found.id != holding:
                return found
            known = (found,)
            self._overviews.keep(key, known)
        return known[0]

    def most_painted(self, layer: Layer, wanted: Wanted, reader: Principal) -> int:
        """Return of how many datasets a tile is painted at most: many more than files are touched, if there are some.

        That is so where more than these have small pictures, among the first of the layer.
        """
        search = replace(narrowed(layer.search, wanted), limit=min(MOST_COUNTED, LOOKED_AT * wanted.limit))
        pictures = self._records.small_pictures.of_search(search, reader, WHOLE_DEGREES)
        return MOST_COUNTED if pictures.pictured > wanted.limit else wanted.limit

    def _may_download(self, dataset: Dataset, reader: Principal) -> bool:
        standing = self._records.standing(dataset.id, holder_of(reader))
        known = standing.dataset
        return known is not None and roles_needed(known, reader, Action.DOWNLOAD, standing.grants) is not None

    def outline(self, layer: Layer, wanted: Wanted, reader: Principal) -> Outline:
        """Return what the datasets of a layer come to that a reader may see."""
        return self._records.outline(narrowed(layer.search, wanted), reader)

    def sample(self, layer: Layer, reader: Principal) -> tuple[Dataset, ...]:
        """Return datasets that stand for the layer: of the newest that the reader sees those that say most.

        That is the finest one of each number of bands, type and colours, and each whose range of values goes
        furthest. For a minute they stay the same, so that neighbouring tiles agree, unless the reader sees one of
        them no longer.
        """
        key = layer.name, reader.user, reader.roles, reader.stored and reader.stored.target
        ids = self._samples.get(key)
        if ids is not None:
            known = self.named(layer, Wanted(LIMIT_MOST), ids, reader).datasets
            if len(known) == len(ids):
                return known
        found = sampled(self._records.search(replace(layer.search, limit=SAMPLED), reader).datasets)
        self._samples.keep(key, tuple(dataset.id for dataset in found))
        return found

    def roles_of(self, layer: Layer, reader: Principal) -> frozenset[str]:
        """Return those roles of a reader by which they see something of a layer."""
        if ADMIN in reader.roles or not reader.roles:
            return reader.roles & {ADMIN}
        collection = layer.name.id if layer.name.kind is LayerKind.COLLECTION else None
        return self._records.roles_that_see(reader.roles, collection)


def sampled(datasets: Sequence[Dataset]) -> tuple[Dataset, ...]:
    """Return those that differ from all others in what holds for a whole layer."""
    extremes: dict[object, tuple[float, Dataset]] = {}

    def offer(key: object, value: float, dataset: Dataset) -> None:
        if key not in extremes or value < extremes[key][0]:
            extremes[key] = value, dataset

    for dataset in datasets:
        raster = dataset.raster
        if raster is None or raster.bounds is None:
            continue
        offer((raster.count, raster.dtype, raster.bands, raster.colours), degrees_of_pixel(dataset), dataset)
        for band, (low, high) in enumerate(raster.stretch or ()):
            scaling = raster.scaling[band] if raster.scaling else None
            offer((band, "low", scaling), low, dataset)
            offer((band, "high", scaling), -high, dataset)
    # More than one: the file of one may be gone.
    finest = heapq.nsmallest(FINEST, datasets, key=degrees_of_pixel)
    chosen = {dataset.id for dataset in (*finest, *(dataset for _, dataset in extremes.values()))}
    return tuple(dataset for dataset in datasets if dataset.id in chosen)


def degrees_of_pixel(dataset: Dataset) -> float:
    """Return about how many degrees of latitude the side of a pixel is long, of a dataset with a place."""
    raster = dataset.raster
    if raster is None or raster.bounds is None:
        return math.inf
    high = raster.bounds[3] - raster.bounds[1]
    _, b, _, d, e, _ = raster.transform or (1, 0, 0, 0, 1, 0)
    # The box of a rotated raster is higher than so many pixels.
    return high * math.hypot(b, e) / (abs(d) * raster.width + abs(e) * raster.height or 1.0)


def cover(datasets: Iterable[Dataset], box: Box) -> bool:
    """Return whether the boxes of datasets cover another one, as far as the middles of its cells tell."""
    west, south, east, north = box
    wide, high = (east - west) % 360 or 360.0, north - south
    left = (1 << CELLS * CELLS) - 1
    for raster in (dataset.raster for dataset in datasets):
        if raster is None or raster.bounds is None:
            continue
        start, bottom, end, top = raster.bounds
        rows = [row for row in range(CELLS) if bottom <= south + (row + 0.5) * high / CELLS <= top]
        longest = (end - start) % 360 or 360.0
        columns = sum(
            1 << column for column in range(CELLS) if (west + (column + 0.5) * wide / CELLS - start) % 360 <= longest
        )
        for row in rows:
            left &= ~(columns << row * CELLS)
    return not left


def narrowed(search: Search, wanted: Wanted) -> Search:
    """Return the search for what is wanted of a layer; the layer's own time holds beside another one."""
    found = replace(search, limit=wanted.limit, sortby=wanted.sortby or search.sortby)
    if wanted.datetime is None:
        return found
    own = _during(search.datetime or Interval())
    conditions = (*own, *(() if search.filter is None else (search.filter,)))
    filter = conditions[0] if len(conditions) == 1 else Condition("and", conditions) if conditions else None
    return replace(found, datetime=wanted.datetime, filter=filter)


def _during(interval: Interval) -> Iterator[Condition]:
    """Yield the conditions that an interval is met."""
    if interval.end_at is not None:
        yield Condition("<=", (Property("start_datetime"), interval.end_at))
    if interval.start_at is not None:
        yield Condition(">=", (Property("end_datetime"), interval.start_at))
