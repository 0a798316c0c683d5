"""What an act changes in the record of a dataset: only what it names, on top of what stands there at that moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gateway.dates import Dates, dates_of_file
from gateway.errors import BadParameter
from gateway.model import Dataset, Inspection, Scale


@dataclass(frozen=True, slots=True)
class Change:
    """What an operator asks for; None keeps what is on record, an empty `owner` takes the owner away.

    Raises BadParameter when `download` is asked to be wider than `visibility`.
    """

    visibility: Scale | None = None
    download: Scale | None = None
    title: str | None = None
    owner: str | None = None
    collection: str | None = None
    dates: Dates | None = None
    properties: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.visibility and self.download:
            self.scales(None)

    def scales(self, known: Dataset | None) -> tuple[Scale, Scale]:
        """Return visibility and download; raises BadParameter when `download` is asked to be the wider one.

        A new dataset is private. `download` follows `visibility` where it was never given, and is narrowed
        with it.
        """
        visibility = self.visibility or (known.visibility if known else Scale.PRIVATE)
        download = self.download or (known.download if known else visibility)
        if download.width > visibility.width:
            if self.download:
                raise BadParameter(f"download {download} would be wider than visibility {visibility}")
            download = visibility
        return visibility, download

    def of(self, known: Dataset) -> Dataset:
        """Return the dataset after the change, `updated_at` untouched; raises BadParameter as `scales` does."""
        visibility, download = self.scales(known)
        return replace(
            known,
            visibility=visibility,
            download=download,
            title=known.title if self.title is None else self.title,
            owner=known.owner if self.owner is None else self.owner or None,
            collection=self.collection or known.collection,
            dates=self.dates or known.dates,
            properties=known.properties if self.properties is None else self.properties,
        )


NO_CHANGE = Change()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was judged of one version; `sha256` is lower-case hex, None where it was not computed.

    `origin` names what a copied or converted object was made from, and is None for one that was not. `modified_at` is
    when the object was last modified (UTC), None where that is not known.
    """

    version: str
    size_bytes: int
    inspection: Inspection
    sha256: str | None = None
    origin: str | None = None
    modified_at: datetime | None = None

    def of(self, known: Dataset) -> Dataset:
        """Return the dataset with this verdict, `updated_at` untouched."""
        return replace(
            known,
            dates=self._dates(known),
            version=self.version,
            size_bytes=self.size_bytes,
            report=self.inspection.report,
            raster=self.inspection.raster,
            sha256=self.sha256,
            origin=self.origin,
        )

    def _dates(self, known: Dataset) -> Dates:
        """Return the dates of the dataset: where they are those of the file, of this version."""
        raster = self.inspection.raster
        if raster is None or self.modified_at is None or not known.dates.dated_by.of_file:
            return known.dates
        return dates_of_file(raster.tagged_at, self.modified_at)


def located(known: Dataset, bounds: tuple[float, float, float, float]) -> Verdict:
    """Return the verdict that is on record, with bounds in degrees, which records of older releases may lack."""
    raster = known.raster and replace(known.raster, bounds=bounds)
    return Verdict(known.version, known.size_bytes, Inspection(known.report, raster), known.sha256, known.origin)


def same_verdict(one: Dataset, other: Dataset) -> bool:
    """Return whether two states of one dataset hold the same verdict, whatever else differs."""
    return (one.version, one.report, one.sha256) == (other.version, other.report, other.sha256)
