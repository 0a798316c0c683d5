"""What an operator may ask for when files are ingested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.catalogue.dating import NamePattern
from gateway.dates import Dates
from gateway.model import Scale
from gateway.records import Change


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What the operator asked for; None keeps what is recorded, or the default of a new dataset.

    An empty `owner` takes the owner away; `depth` None is the usual one. `pattern` gives a file its dates by its
    name, where it is in that. Raises BadParameter when `download` is asked
    to be wider than `visibility`.
    """

    visibility: Scale | None = None
    download: Scale | None = None
    title: str | None = None
    owner: str | None = None
    convert: bool = False
    copy_to: str | None = None
    dry_run: bool = False
    depth: str | None = None
    collection: str | None = None
    dates: Dates | None = None
    pattern: NamePattern | None = None
    properties: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        # It refuses scales that contradict each other.
        self.change  # noqa: B018

    @property
    def change(self) -> Change:
        """Return what the options change in the record of any dataset."""
        return Change(
            self.visibility, self.download, self.title, self.owner, self.collection, self.dates, self.properties
        )

    def change_of(self, name: str) -> Change:
        """Return what the options change in the record of the dataset of a file with this name."""
        dates = self.pattern.dates(name) if self.pattern is not None and self.dates is None else None
        return replace(self.change, dates=dates) if dates is not None else self.change
