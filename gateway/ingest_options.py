"""What an operator may ask for when files are ingested."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model import Scale
from gateway.records import Change


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What the operator asked for; None keeps what is recorded, or the default of a new dataset.

    An empty `owner` takes the owner away; `depth` None is the usual one. Raises BadParameter when `download` is asked
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

    def __post_init__(self) -> None:
        # It refuses scales that contradict each other.
        self.change  # noqa: B018

    @property
    def change(self) -> Change:
        """Return what the options change in the record of a dataset."""
        return Change(self.visibility, self.download, self.title, self.owner)
