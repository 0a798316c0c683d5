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
    """The interval that a dataset shows, both ends in UTC and part of it; they are equal for a moment.

    Kept to the millisecond, as the records keep it: a file's time is finer, and would differ from its own record.
    """

    start_at: datetime
    end_at: datetime
    dated_by: DatedBy

    def __post_init__(self) -> None:
        object.__setattr__(self, "start_at", _to_milliseconds(self.start_at))
        object.__setattr__(self, "end_at", _to_milliseconds(self.end_at))


def dates_of_file(tag: datetime | None, modified_at: datetime) -> Dates:
    """Return the dates that a file itself gives: those of its TIFFTAG_DATETIME, else of its last modification."""
    moment = modified_at if tag is None else tag
    return Dates(moment, moment, DatedBy.MODIFIED if tag is None else DatedBy.TAG)


def _to_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
