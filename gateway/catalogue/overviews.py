"""Overviews of collections: one COG over all its datasets, for the zoom levels at which they are small."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.dates import DatedBy, Dates
from gateway.model import Dataset, RasterFacts, Report, Scale

# Below a root, in a folder that `ingest` passes over: what lies there is no dataset.
FOLDER = ".overviews"
# Of WebMercatorQuad at zoom level 0, in degrees of longitude.
PIXEL_DEGREES = 360 / 256


class OverviewState(StrEnum):
    """A file that is being written, the one of its collection, and one that is to be removed from its root."""

    BEGUN = "begun"
    KEPT = "kept"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Overview:
    """One file over a collection, at `zoom` of WebMercatorQuad and the levels below it.

    `members` is how many datasets the collection had. `holds` until one of them changes. What was judged of the file
    is empty until it is there. Times are UTC.
    """

    id: str
    collection: str
    root: str
    key: str
    zoom: int
    members: int
    begun_at: datetime
    state: OverviewState = OverviewState.BEGUN
    holds: bool = True
    version: str = ""
    size_bytes: int = 0
    sha256: str | None = None
    report: Report | None = None
    raster: RasterFacts | None = None
    made_at: datetime | None = None

    @property
    def degrees(self) -> float:
        """Return how many degrees of longitude a pixel is wide."""
        return PIXEL_DEGREES / (1 << self.zoom)

    @property
    def dataset(self) -> Dataset:
        """Return the file as what draws takes it: a dataset that is on no record, and that nobody may have."""
        made_at = self.made_at or self.begun_at
        return Dataset(
            *(self.id, self.root, self.key, f"Overview of {self.collection}", None, Scale.PRIVATE, Scale.PRIVATE),
            *(self.version, self.size_bytes, self.report or Report("blocks"), self.raster, made_at, made_at),
            self.sha256,
            collection=self.collection,
            dates=Dates(made_at, made_at, DatedBy.MODIFIED),
        )


def is_overview(key: str) -> bool:
    """Return whether a key of a root is that of an overview."""
    return key.startswith(f"{FOLDER}/")
