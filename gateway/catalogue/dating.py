"""Dates that operators give: intervals in ISO 8601, and patterns on names of files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from gateway.dates import DatedBy, Dates
from gateway.errors import BadParameter

GROUPS = ("year", "month", "day", "hour", "minute", "second")
MOST_CHARACTERS = 500
# Of a name that is looked at: patterns are an operator's, and may be slow on what is long.
MOST_OF_NAME = 255


def dates_of_option(text: str) -> Dates:
    """Return the dates of ISO[/ISO]: a date alone is that day, a time without an offset is in UTC.

    Raises BadParameter.
    """
    ends = text.split("/")
    if len(ends) > 2:
        raise BadParameter(f"{text!r} is no date, time or interval in ISO 8601.")
    start_at, end_at = _ends(ends[0])[0], _ends(ends[-1])[1]
    if end_at < start_at:
        raise BadParameter(f"The interval {text} ends before it begins.")
    return Dates(start_at, end_at, DatedBy.OPTION)


def _ends(text: str) -> tuple[datetime, datetime]:
    try:
        if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return _period(date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadParameter(f"{text!r} is no date or time in ISO 8601.") from None
    return moment, moment


def _period(day: date) -> tuple[datetime, datetime]:
    """Return the first and last millisecond of a day."""
    start = datetime.combine(day, time(), UTC)
    return start, start + timedelta(days=1, milliseconds=-1)


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A regular expression with named groups of GROUPS, looked for in names of files. Raises BadParameter."""

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > MOST_CHARACTERS:
            raise BadParameter(f"The pattern has more than {MOST_CHARACTERS} characters.")
        try:
            groups = re.compile(self.text).groupindex
        except (re.error, RecursionError, OverflowError) as error:
            raise BadParameter(f"The pattern is no regular expression: {error}.") from None
        if unknown := sorted(set(groups) - set(GROUPS)):
            raise BadParameter(f"The pattern has a group {unknown[0]!r}: {', '.join(GROUPS)}.")
        if "year" not in groups:
            raise BadParameter("The pattern has no group (?P<year>...).")

    def dates(self, name: str) -> Dates | None:
        """Return the dates that a file's name tells, None where the pattern is not in it or tells no date.

        What is left out of the end of year, month, day, hour, minute, second makes it the whole year, month or day.
        """
        found = re.search(self.text, name[:MOST_OF_NAME])
        if found is None:
            return None
        parts: list[int] = []
        for group in GROUPS:
            told = found.groupdict().get(group)
            if told is None:
                break
            if not (told.isascii() and told.isdigit()):
                return None
            parts.append(int(told))
        try:
            start_at, end_at = _spanned(parts)
        except (ValueError, OverflowError):
            return None
        return Dates(start_at, end_at, DatedBy.PATTERN)


def _spanned(parts: list[int]) -> tuple[datetime, datetime]:
    """Return the ends of a year, month or day, or a moment."""
    year, month, day = [*parts, 1, 1][:3]
    hour, minute, second = [*parts[3:], 0, 0, 0][:3]
    start = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    if len(parts) > 3:
        return start, start
    last = date(year + 1, 1, 1) if len(parts) == 1 else date(year + month // 12, month % 12 + 1, 1)
    last_day = date(year, month, day) if len(parts) == 3 else last - timedelta(days=1)
    return start, _period(last_day)[1]
