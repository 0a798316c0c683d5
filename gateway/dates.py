"""When what a dataset shows was so, and what says it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DatedBy(StrEnum):
    """What gave a dataset its dates: an option, a pattern on the file's name, TIFFTAG_DATETIME, the file itself."""

    OPTION = "option"
    PATTERN = "pattern"
    TAG = "tag"
    MODIFIED = "modified"

    @property
    def of_file(self) -> bool:
        """Return whether the dates are those of the file itself, and so change with it."""
        return self in (DatedBy.TAG, DatedBy.MODIFIED)


@dataclass(frozen=True, slots=True)
class Dates:
    """The interval that a dataset shows, both ends in UTC and part of it; they are equal for a moment."""

    start_at: datetime
    end_at: datetime
    dated_by: DatedBy


def dates_of_file(tag: datetime | None, modified_at: datetime) -> Dates:
    """Return the dates that a file itself gives: those of its TIFFTAG_DATETIME, else of its last modification."""
    moment = modified_at if tag is None else tag
    return Dates(moment, moment, DatedBy.MODIFIED if tag is None else DatedBy.TAG)
