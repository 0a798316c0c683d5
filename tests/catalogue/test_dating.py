from datetime import UTC, datetime

import pytest

from gateway.catalogue.dating import NamePattern, dates_of_option
from gateway.catalogue.moments import interval_of
from gateway.catalogue.properties import properties_of
from gateway.catalogue.search import Interval
from gateway.dates import DatedBy, Dates
from gateway.errors import BadParameter


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


LAST = (23, 59, 59, 999000)
OPTIONS = {
    "2026-02-03": (at(2026, 2, 3), at(2026, 2, 3, *LAST)),
    "2026-02-03T04:05:06Z": (at(2026, 2, 3, 4, 5, 6),) * 2,
    "2026-02-03T04:05:06": (at(2026, 2, 3, 4, 5, 6),) * 2,
    "2026-02-03T04:05:06+02:00": (at(2026, 2, 3, 2, 5, 6),) * 2,
    "2026-02-03/2026-02-04": (at(2026, 2, 3), at(2026, 2, 4, *LAST)),
}


@pytest.mark.parametrize("text", OPTIONS)
def test_an_option_is_a_day_a_moment_or_an_interval(text):
    assert dates_of_option(text) == Dates(*OPTIONS[text], DatedBy.OPTION)


@pytest.mark.parametrize(
    "text", ["", "2026", "yesterday", "2026-02-30", "2026-02-04/2026-02-03", "a/b/c", "2026-02-03/"]
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(BadParameter):
        dates_of_option(text)


DAY = r"(?P<year>\d{4})(?P<month>\d\d)?(?P<day>\d\d)?(T(?P<hour>\d\d)(?P<minute>\d\d))?"
NAMES = {
    "S2_20260203T0405_x.tif": (at(2026, 2, 3, 4, 5),) * 2,
    "S2_20260203.tif": (at(2026, 2, 3), at(2026, 2, 3, *LAST)),
    "S2_202402.tif": (at(2024, 2, 1), at(2024, 2, 29, *LAST)),
    "S2_202412.tif": (at(2024, 12, 1), at(2024, 12, 31, *LAST)),
    "S2_2024.tif": (at(2024, 1, 1), at(2024, 12, 31, *LAST)),
}


def test_a_pattern_tells_as_much_as_the_name_does():
    pattern = NamePattern(DAY)
    assert {name: pattern.dates(name) for name in NAMES} == {
        name: Dates(*ends, DatedBy.PATTERN) for name, ends in NAMES.items()
    }
    assert [pattern.dates(name) for name in ("none.tif", "20261301.tif", "00000101.tif")] == [None] * 3


@pytest.mark.parametrize("text", ["(", r"\d{4}", r"(?P<year>\d{4})(?P<week>\d\d)", "(?P<month>..)", "x" * 501])
def test_what_is_no_pattern_of_dates_is_refused(text):
    with pytest.raises(BadParameter, match="pattern"):
        NamePattern(text)


def test_requests_give_moments_with_a_time_and_at_most_one_open_end():
    first, last = at(2026, 1, 1), at(2026, 1, 2)
    assert interval_of("2026-01-01T00:00:00Z") == Interval(first, first)
    assert interval_of("2026-01-01t00:00:00.0z/2026-01-02T01:00:00+01:00") == Interval(first, last)
    assert interval_of("2026-01-01T00:00:00Z/..") == interval_of("2026-01-01T00:00:00Z/") == Interval(first, None)
    assert interval_of("../2026-01-02T00:00:00Z") == interval_of("/2026-01-02T00:00:00Z") == Interval(None, last)
    for text in ("2026-01-01", "2026-01-01T00:00:00", "../..", "/", "", "2026-01-01T00:00:00Z/2026-01-02T00:00:00Z/",
                 "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-W01-1T00:00:00Z",
                 "0001-01-01T00:00:00+14:00"):  # fmt: skip
        with pytest.raises(BadParameter):
            interval_of(text)


def test_properties_are_an_object_without_reserved_names():
    assert properties_of('{"cloud": 1.5, "eo:x": [true, null, {"a": "ä"}]}') == {
        "cloud": 1.5,
        "eo:x": [True, None, {"a": "ä"}],
    }
    for text, told in {
        "[]": "object", "{": "no JSON", '{"a": NaN}': "NaN", '{"datetime": "x"}': "'datetime' is reserved",
        '{"proj:code": 1}': "reserved", '{"gateway:valid": true}': "reserved", '{"a b": 1}': "no name",
        '{"": 1}': "no name", '{"a": "\\u0000"}': "NUL", '{"a": "' + "x" * 64_000 + '"}': "64000",
        "[" * 30_000: "no JSON", '{"a": 1e400}': "no number", '{"a": "\\ud800"}': "no JSON",
        '{"a": ' + "[" * 32 + "]" * 32 + "}": "deeper",
    }.items():  # fmt: skip
        with pytest.raises(BadParameter, match=told):
            properties_of(text)
