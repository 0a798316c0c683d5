"""Ranges and conditions of a request, judged without any I/O (RFC 9110 sections 13 and 14)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote

from gateway.errors import RangeNotSatisfiable
from gateway.filenames import ENDING, file_name

MAX_HEADER_CHARACTERS = 8 * 1024
# No file has 10**19 bytes: longer numbers all mean "beyond the end", and are never handed to int().
MAX_DIGITS = 19
# RFC 9110 section 8.8.2.2: a Last-Modified is a strong validator only some time after the moment it names.
STRONG_DATE_AGE = timedelta(seconds=2)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_SHORT_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTH = f"(?P<month>{'|'.join(MONTHS)})"
# The three forms of RFC 9110 section 5.6.7: IMF-fixdate, RFC 850, asctime.
DATE_FORMS = (
    rf"{_SHORT_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
    rf"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
    rf"{_SHORT_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})",
)


@dataclass(frozen=True, slots=True)
class ByteRange:
    """One range of bytes, `start` inclusive and `stop` exclusive; never empty."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Return the number of bytes."""
        return self.stop - self.start

    def content_range(self, size_bytes: int) -> str:
        """Return the value of Content-Range for a file of `size_bytes` (RFC 9110 section 14.4)."""
        return f"bytes {self.start}-{self.stop - 1}/{size_bytes}"


def parse_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """Return the one range that `header` asks for, its end clamped, or None where the whole file is to be sent.

    The whole file is the answer to no header, another unit, a malformed or reversed range, and to several
    ranges. Raises RangeNotSatisfiable for a range that begins at or beyond the end, and for the suffix
    `-0` (RFC 9110 sections 14.1 and 14.2).
    """
    if header is None or len(header) > MAX_HEADER_CHARACTERS:
        return None
    unit, _, ranges = header.strip(" \t").partition("=")
    specs = [spec.strip(" \t") for spec in ranges.split(",") if spec.strip(" \t")]
    if unit.lower() != "bytes" or len(specs) != 1:
        return None
    match = re.fullmatch(r"([0-9]*)-([0-9]*)", specs[0])
    if match is None or specs[0] == "-":
        return None
    first, last = match.groups()
    return _interval(first, last, size_bytes) if first else _suffix(last, size_bytes)


def _interval(first: str, last: str, size_bytes: int) -> ByteRange | None:
    if last and _magnitude(last) < _magnitude(first):
        return None
    start = _number(first)
    if start >= size_bytes:
        raise RangeNotSatisfiable(size_bytes)
    return ByteRange(start, min(_number(last) + 1, size_bytes) if last else size_bytes)


def _suffix(digits: str, size_bytes: int) -> ByteRange | None:
    length = _number(digits)
    if length == 0:
        raise RangeNotSatisfiable(size_bytes)
    # A suffix of an empty file is satisfiable, but Content-Range has no form for it.
    return ByteRange(max(size_bytes - length, 0), size_bytes) if size_bytes else None


def _magnitude(digits: str) -> tuple[int, str]:
    """Return a key that orders strings of digits as their numbers are ordered."""
    plain = digits.lstrip("0")
    return len(plain), plain


def _number(digits: str) -> int:
    length, plain = _magnitude(digits)
    return 10**MAX_DIGITS if length > MAX_DIGITS else int(plain or "0")


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditional headers of one request; lines of one name already joined by ", "."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_range: str | None = None
    if_modified_since: str | None = None
    if_unmodified_since: str | None = None


def conditions_of(get: Callable[[str], str | None]) -> Conditions:
    """Return the conditions among the fields that `get` returns by their names."""
    names = ("If-Match", "If-None-Match", "If-Range", "If-Modified-Since", "If-Unmodified-Since")
    return Conditions(*(get(name) for name in names))


class Outcome(StrEnum):
    """What the conditions of a GET or HEAD come to: go on, 304, or 412."""

    PROCEED = "proceed"
    NOT_MODIFIED = "not_modified"
    FAILED = "failed"


def evaluate(conditions: Conditions, etag: str, modified_at: datetime, *, now: datetime) -> Outcome:
    """Return what the conditions of a GET or HEAD come to, in the order of RFC 9110 section 13.2.2.

    `etag` is the strong entity-tag of the file, in quotes; `modified_at` and `now` are aware datetimes.
    If-Range is not judged here: see `range_applies`. Dates that cannot be read are ignored.
    """
    modified_at = _whole_second(modified_at)
    if not _may_act(conditions, etag, modified_at, now):
        return Outcome.FAILED
    if conditions.if_none_match is not None:
        unchanged = _matches(conditions.if_none_match, etag, weak=True)
    else:
        since = _date(conditions.if_modified_since, now)
        unchanged = since is not None and modified_at <= since
    return Outcome.NOT_MODIFIED if unchanged else Outcome.PROCEED


def _may_act(conditions: Conditions, etag: str, modified_at: datetime, now: datetime) -> bool:
    if conditions.if_match is not None:
        return _matches(conditions.if_match, etag, weak=False)
    since = _date(conditions.if_unmodified_since, now)
    return since is None or modified_at <= since


def range_applies(if_range: str | None, etag: str, modified_at: datetime, now: datetime) -> bool:
    """Return whether the Range header counts: True without If-Range, or where its validator is strong and exact.

    An entity-tag must be strong and equal to `etag`. A date must equal Last-Modified and lie at least two
    seconds before `now`. All else (a weak tag, a list, `*`) is False (RFC 9110 section 13.1.5).
    """
    if if_range is None:
        return True
    validator = if_range.strip(" \t")
    if validator.startswith('"'):
        return validator == etag
    date = _date(validator, now)
    return date is not None and date == _whole_second(modified_at) and date + STRONG_DATE_AGE <= now


def _matches(header: str, etag: str, *, weak: bool) -> bool:
    """Return whether `header`, `*` or a list, holds `etag`; a malformed list holds nothing."""
    if header.strip(" \t") == "*":
        return True
    tags = set(_entity_tags(header))
    return None not in tags and (etag in tags or (weak and f"W/{etag}" in tags))


def _entity_tags(header: str) -> Iterator[str | None]:
    """Yield the tags of a list, commas within quotes left alone; None where the list is malformed."""
    # RFC 9110 section 8.8.3: etagc is any visible ASCII character but the quote, or obs-text.
    element = re.compile(r'[ \t]*(?:((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|\Z)')
    position = 0
    while position < len(header):
        match = element.match(header, position)
        if match is None:
            yield None
            return
        if match[1]:
            yield match[1]
        position = match.end()


def _whole_second(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)


def _date(text: str | None, now: datetime) -> datetime | None:
    """Return the moment of an HTTP-date, or None where it is none of the three forms."""
    if text is None:
        return None
    for form in DATE_FORMS:
        match = re.fullmatch(form, text.strip(" \t"))
        if match is not None:
            return _moment(match, now)
    return None


def _moment(match: re.Match[str], now: datetime) -> datetime | None:
    year, day, hour, minute, second = (int(match[p]) for p in ("year", "day", "hour", "minute", "second"))
    if len(match["year"]) == 2:
        year = _full_year(year, now.year)
    try:
        return datetime(year, MONTHS.index(match["month"]) + 1, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None


def _full_year(two_digits: int, this_year: int) -> int:
    """Return the year of an RFC 850 date: the latest that is at most 50 years ahead (RFC 9110 section 5.6.7)."""
    latest = this_year + 50
    return latest - (latest - two_digits) % 100


def content_disposition(title: str) -> str:
    """Return `attachment` with the file name of a dataset, as ASCII and as UTF-8 (RFC 6266, RFC 8187)."""
    name = file_name(title)
    stem = name.removesuffix(ENDING)
    plain = "".join(c for c in unicodedata.normalize("NFD", stem) if not unicodedata.combining(c))
    # RFC 6266 appendix D: quotes, backslashes and percent signs in filename confuse clients.
    plain = re.sub(r"[^A-Za-z0-9 ._()+,-]", "_", plain)
    if not re.search("[A-Za-z0-9]", plain):
        plain = "dataset"
    # What quote leaves alone besides letters and digits is attr-char of RFC 8187 section 3.2.1.
    encoded = quote(name, safe="!#$&+-.^_`|~")
    return f"attachment; filename=\"{plain}{ENDING}\"; filename*=UTF-8''{encoded}"
