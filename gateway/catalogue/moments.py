"""Moments and intervals as requests write them (RFC 3339 with a time; OGC 17-069r4 section 7.15.4)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from gateway.catalogue.search import Interval
from gateway.errors import BadParameter

FORM = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
OPEN = ("", "..")


def moment_of(text: Any) -> datetime:
    """Return the moment of a text in RFC 3339, in UTC; raises BadParameter."""
    try:
        if not isinstance(text, str) or not FORM.fullmatch(text):
            raise ValueError
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadParameter(f"{str(text)[:60]!r} is no moment of RFC 3339, as 2026-01-31T12:00:00Z is.") from None


def interval_of(text: str) -> Interval:
    """Return the interval of a `datetime` parameter: a moment, or two with a slash, one of them open at most.

    Raises BadParameter.
    """
    ends = text.split("/", 2)
    if len(ends) > 2 or all(end in OPEN for end in ends):
        raise BadParameter("The parameter datetime must be a moment or an interval of two, one of them open at most.")
    try:
        first, last = (None if end in OPEN else moment_of(end) for end in (ends[0], ends[-1]))
    except BadParameter as error:
        raise BadParameter(f"The parameter datetime: {error}") from None
    return Interval(first, last)
