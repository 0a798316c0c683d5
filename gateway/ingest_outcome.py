"""What became of the sources that are ingested."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.errors import GatewayError
from gateway.model import Finding, Report


class IngestStatus(StrEnum):
    """What became of one source."""

    REGISTERED = "registered"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Conversion:
    """The COG that was made of a source: its name for people, and whether it was made just now."""

    name: str
    fresh: bool

    @property
    def told(self) -> str:
        """Return a sentence about it."""
        return f"converted to {self.name}" if self.fresh else f"its conversion {self.name} is registered"


@dataclass(frozen=True, slots=True)
class Ingested:
    """The outcome for one source; `id` is None where no dataset came of it.

    `mend` is the command line that makes a COG of a source that was refused, where there is one. `report` is that of
    the dataset, else of the source; None where nothing could be judged. `conversion` is set where the dataset is what
    was made of the source. `is_outside` tells that the source lies below no root.
    """

    source: str
    status: IngestStatus
    id: str | None = None
    findings: tuple[Finding, ...] = ()
    message: str | None = None
    mend: str | None = None
    report: Report | None = None
    conversion: Conversion | None = None
    is_outside: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as `ingest --json` prints it."""
        told = {
            "source": self.source,
            "status": self.status.value,
            "id": self.id,
            "findings": [f.as_json() for f in self.findings],
            "mend": self.mend,
            "report": self.report.as_json(self.source) if self.report else None,
        }
        message = self.message or (self.conversion.told if self.conversion else None)
        return told | ({"message": message} if message else {})


class CannotIngest(GatewayError):
    """A source that cannot become a dataset for a reason that is not its content; `detail` says which."""


class OutsideRoots(CannotIngest):
    """A source that lies below no root and is not to be copied into one."""
