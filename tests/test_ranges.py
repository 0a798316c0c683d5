"""Ranges, conditions and file names of a download, as RFC 9110, RFC 6266 and RFC 8187 say."""

import re
from datetime import UTC, datetime, timedelta, timezone
from email.message import Message
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import RangeNotSatisfiable
from gateway.ranges import (
    MAX_HEADER_CHARACTERS,
    ByteRange,
    Conditions,
    Outcome,
    conditions_of,
    content_disposition,
    evaluate,
    parse_range,
    range_applies,
)

SIZE = 1000
ETAG = '"3e8-17f-2a"'
MODIFIED = datetime(2026, 3, 5, 7, 8, 9, 654321, tzinfo=UTC)
DATE = "Thu, 05 Mar 2026 07:08:09 GMT"
EARLIER = "Thu, 05 Mar 2026 07:08:08 GMT"
LATER = "Thu, 05 Mar 2026 07:08:10 GMT"
NOW = datetime(2026, 11, 1, tzinfo=UTC)

# Ranges


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-499", 0, 500),
        ("bytes=500-", 500, 1000),
        ("bytes=0-", 0, 1000),
        ("bytes=999-", 999, 1000),
        ("bytes=-1", 999, 1000),
        ("bytes=-1000", 0, 1000),
        ("bytes=-1001", 0, 1000),
        ("bytes=-" + "9" * 5000, 0, 1000),
        ("bytes=990-1000", 990, 1000),
        ("bytes=990-" + "9" * 5000, 990, 1000),
        ("bytes=" + "0" * 5000 + "7-8", 7, 9),
        ("BYTES=1-2", 1, 3),
        ("bYtEs=1-2", 1, 3),
        ("bytes= 1-2", 1, 3),
        ("bytes=\t1-2 ", 1, 3),
        ("bytes=1-2,", 1, 3),
        ("bytes=, ,1-2, ,", 1, 3),
    ],
)
def test_one_range_is_taken_and_its_end_clamped(header, start, stop):
    assert parse_range(header, SIZE) == ByteRange(start, stop)


@pytest.mark.parametrize(
    "header",
    [
        "bytes=1000-",
        "bytes=1000-1000",
        "bytes=-0",
        "bytes=-000",
        "bytes=" + "9" * 5000 + "-",
        "bytes=99999999999999999999-",
        "bytes=10000000000000000000-10000000000000000001",
    ],
)
def test_a_range_beyond_the_end_is_not_satisfiable(header):
    with pytest.raises(RangeNotSatisfiable) as caught:
        parse_range(header, SIZE)
    assert caught.value.headers["Content-Range"] == "bytes */1000"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes=-",
        "bytes=--1",
        "bytes=1--2",
        "bytes=1",
        "bytes=a-b",
        "bytes=0x1-2",
        "bytes=1-2-3",
        "bytes=1 -2",
        "bytes =1-2",
        "bytes=1-2;",
        "bytes:1-2",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=1_0-20",
        "bytes=١-٢",
        "bytes=１-２",
        "bytes=²-",
        "bytes=1.0-2",
        "bytes=1-2\n",
        "items=1-2",
        "seconds=1-2",
        "bytes=2-1",
        "bytes=1000-999",
        "bytes=10000000000000000000000-9999999999999999999999",
        "bytes=0-0,1-1",
        "bytes=0-,0-",
        "bytes=-1,-2",
        "bytes=1000-,2000-",
        "bytes=0-1," + "x",
        "bytes=" + "0" * MAX_HEADER_CHARACTERS + "1-2",
    ],
)
def test_any_other_header_means_the_whole_file(header):
    assert parse_range(header, SIZE) is None


def test_a_range_of_an_empty_file():
    assert parse_range("bytes=-5", 0) is None
    for header in ("bytes=0-", "bytes=-0", "bytes=0-0"):
        with pytest.raises(RangeNotSatisfiable):
            parse_range(header, 0)


def test_a_range_tells_its_length_and_content_range():
    part = ByteRange(10, 20)
    assert part.length == 10
    assert part.content_range(SIZE) == "bytes 10-19/1000"


@given(st.text() | st.from_regex(r"bytes=[0-9, -]*", fullmatch=True), st.integers(0, 2**63))
def test_any_header_ends_in_a_range_inside_the_file_or_none_or_416(header, size_bytes):
    try:
        part = parse_range(header, size_bytes)
    except RangeNotSatisfiable:
        return
    assert part is None or 0 <= part.start < part.stop <= size_bytes


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_well_formed_range_selects_what_slicing_selects(size_bytes, first, extra):
    numbers = range(size_bytes)
    try:
        part = parse_range(f"bytes={first}-{first + extra}", size_bytes)
    except RangeNotSatisfiable:
        assert first >= size_bytes
        return
    assert numbers[part.start : part.stop] == numbers[first : first + extra + 1]


# Conditions


def outcome(**headers) -> Outcome:
    return evaluate(Conditions(**headers), ETAG, MODIFIED, now=NOW)


def test_no_condition_means_go_on():
    assert outcome() is Outcome.PROCEED


@pytest.mark.parametrize(
    "header", ["*", " * ", ETAG, f'"x", {ETAG}', f'"a,b",{ETAG}', f",, {ETAG} ,", f'W/"x" ,{ETAG}']
)
def test_if_match_holds_for_the_star_and_a_list_with_the_tag(header):
    assert outcome(if_match=header) is Outcome.PROCEED


NO_LISTS = [
    "",
    " ",
    ",",
    "3e8-17f-2a",
    f"{ETAG}x",
    f"{ETAG} {ETAG}",
    f"{ETAG}, x",
    f"*, {ETAG}",
    f"{ETAG}, *",
    f"w/{ETAG}",
    f"W/ {ETAG}",
    ETAG[:-1],
    f'"x{ETAG}',
    f'"a, {ETAG[1:]}',
    f"{ETAG}\n",
    "\n",
    '"a b"',
]


@pytest.mark.parametrize("header", ['"x"', f"W/{ETAG}", f'"x", W/{ETAG}', f'"a,{ETAG[1:-1]}"', *NO_LISTS])
def test_if_match_fails_without_the_strong_tag_or_in_a_malformed_list(header):
    assert outcome(if_match=header) is Outcome.FAILED


@pytest.mark.parametrize("header", ["*", ETAG, f"W/{ETAG}", f'"x", W/{ETAG}', f'"é", "", {ETAG}', f'W/"a,b",,{ETAG}'])
def test_if_none_match_compares_weakly(header):
    assert outcome(if_none_match=header) is Outcome.NOT_MODIFIED


@pytest.mark.parametrize("header", ['"x"', 'W/"x"', '"x", "y"', *NO_LISTS])
def test_if_none_match_without_the_tag_means_go_on(header):
    assert outcome(if_none_match=header) is Outcome.PROCEED


def test_a_long_run_of_white_space_in_a_list_is_read_once():
    assert outcome(if_none_match=" " * 60_000 + "x") is Outcome.PROCEED


@pytest.mark.parametrize(
    ("date", "modified_since", "unmodified_since"),
    [
        (DATE, Outcome.NOT_MODIFIED, Outcome.PROCEED),
        (LATER, Outcome.NOT_MODIFIED, Outcome.PROCEED),
        (EARLIER, Outcome.PROCEED, Outcome.FAILED),
        ("Thursday, 05-Mar-26 07:08:09 GMT", Outcome.NOT_MODIFIED, Outcome.PROCEED),
        ("Thu Mar  5 07:08:09 2026", Outcome.NOT_MODIFIED, Outcome.PROCEED),
        ("Thu Mar 05 07:08:08 2026", Outcome.PROCEED, Outcome.FAILED),
        # 76 is at most 50 years ahead of 2026, 77 is not and means 1977.
        ("Thursday, 05-Mar-76 07:08:09 GMT", Outcome.NOT_MODIFIED, Outcome.PROCEED),
        ("Thursday, 05-Mar-77 07:08:09 GMT", Outcome.PROCEED, Outcome.FAILED),
    ],
)
def test_dates_are_compared_by_the_second(date, modified_since, unmodified_since):
    assert outcome(if_modified_since=date) is modified_since
    assert outcome(if_unmodified_since=date) is unmodified_since


@pytest.mark.parametrize(
    "date",
    [
        "",
        "x",
        "0",
        DATE.replace("GMT", "UTC"),
        DATE.replace("GMT", "+0100"),
        DATE.replace("05", "35"),
        DATE.replace("05", "5"),
        f"{DATE}, {DATE}",
        "2026-03-05T07:08:09Z",
        DATE.lower(),
        DATE.replace("Mar", "Mär"),
        DATE.replace("07:", "24:"),
        DATE.replace("05", "٠٥"),
    ],
)
def test_a_date_that_cannot_be_read_is_ignored(date):
    assert outcome(if_modified_since=date) is Outcome.PROCEED
    assert outcome(if_unmodified_since=date) is Outcome.PROCEED
    assert not range_applies(date, ETAG, MODIFIED, NOW)


def test_tags_count_before_dates():
    assert outcome(if_match=ETAG, if_unmodified_since=EARLIER) is Outcome.PROCEED
    assert outcome(if_none_match='"x"', if_modified_since=LATER) is Outcome.PROCEED
    assert outcome(if_none_match=ETAG, if_modified_since=EARLIER) is Outcome.NOT_MODIFIED


def test_a_failed_if_match_counts_before_if_none_match():
    assert outcome(if_match='"x"', if_none_match=ETAG) is Outcome.FAILED
    assert outcome(if_match=ETAG, if_none_match=ETAG) is Outcome.NOT_MODIFIED
    assert outcome(if_unmodified_since=EARLIER, if_none_match=ETAG) is Outcome.FAILED


@given(*[st.none() | st.text() | st.from_regex(r'(W/)?"[a-z,]*"(, (W/)?"[a-z,]*")*', fullmatch=True)] * 4)
def test_any_conditions_come_to_an_outcome(match, none_match, since, unmodified):
    conditions = Conditions(match, none_match, None, since, unmodified)
    assert evaluate(conditions, ETAG, MODIFIED, now=NOW) in set(Outcome)


TAGS = st.lists(st.tuples(st.booleans(), st.from_regex(r"[!#-~]{0,8}", fullmatch=True)), min_size=1, max_size=6)


@given(TAGS, st.sampled_from([",", ", ", " ,\t", ",,"]))
def test_every_tag_of_a_list_is_found(tags, separator):
    header = separator.join(f'{"W/" if weak else ""}"{text}"' for weak, text in tags)
    for weak, text in tags:
        etag = f'"{text}"'
        assert evaluate(Conditions(if_none_match=header), etag, MODIFIED, now=NOW) is Outcome.NOT_MODIFIED
        if not weak:
            assert evaluate(Conditions(if_match=header), etag, MODIFIED, now=NOW) is Outcome.PROCEED


# If-Range


@pytest.mark.parametrize("header", [None, ETAG, f" {ETAG}\t", DATE])
def test_a_range_applies_under_a_strong_and_exact_validator(header):
    assert range_applies(header, ETAG, MODIFIED, NOW)


@pytest.mark.parametrize(
    "header", ["", "*", '"x"', f"W/{ETAG}", f'{ETAG}, "x"', f"{ETAG},{ETAG}", ETAG[1:-1], EARLIER, LATER]
)
def test_a_range_does_not_apply_under_any_other_validator(header):
    assert not range_applies(header, ETAG, MODIFIED, NOW)


def test_a_weak_etag_never_lets_a_range_apply():
    assert not range_applies(f"W/{ETAG}", f"W/{ETAG}", MODIFIED, NOW)


def test_a_date_is_a_strong_validator_only_two_seconds_later():
    second = MODIFIED.replace(microsecond=0)
    assert range_applies(DATE, ETAG, MODIFIED, second + timedelta(seconds=2))
    assert not range_applies(DATE, ETAG, MODIFIED, second + timedelta(seconds=1.9))


@given(st.datetimes(datetime(1971, 1, 1), datetime(2025, 1, 1)), st.integers(-12, 12))
def test_every_date_that_the_gateway_can_send_is_understood(naive, hours):
    modified = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    header = format_datetime(modified.astimezone(UTC), usegmt=True)
    assert range_applies(header, ETAG, modified, NOW)
    assert evaluate(Conditions(if_modified_since=header), ETAG, modified, now=NOW) is Outcome.NOT_MODIFIED


# File names


@pytest.mark.parametrize(
    ("title", "plain", "encoded"),
    [
        ("Elevation", "Elevation.tif", "Elevation.tif"),
        ("elevation.tif", "elevation.tif", "elevation.tif"),
        ("Elevation.TIFF", "Elevation.tif", "Elevation.tif"),
        ("a.tif.tif", "a.tif", "a.tif"),
        ("a.tif. .TIFF.. ", "a.tif", "a.tif"),
        ("v1.2", "v1.2.tif", "v1.2.tif"),
        ("North Sea 2026", "North Sea 2026.tif", "North%20Sea%202026.tif"),
        ("Élévation", "Elevation.tif", "%C3%89l%C3%A9vation.tif"),
        ("Höhe 10€", "Hohe 10_.tif", "H%C3%B6he%2010%E2%82%AC.tif"),
        ("高度", "dataset.tif", "%E9%AB%98%E5%BA%A6.tif"),
        ('a"b;c%d', "a_b_c_d.tif", "a%22b%3Bc%25d.tif"),
        ("../../etc/passwd", "_.._etc_passwd.tif", "_.._etc_passwd.tif"),
        ("C:\\temp\\x", "C__temp_x.tif", "C%3A_temp_x.tif"),
        ("a\r\nSet-Cookie: b=c", "a__Set-Cookie_ b_c.tif", "a__Set-Cookie%3A%20b%3Dc.tif"),
        ("a\u202efit.exe\u2028", "a_fit.exe_.tif", "a_fit.exe_.tif"),
        ("a\u00a0b", "a b.tif", "a%20b.tif"),
        ("a'b(c)*", "a_b(c)_.tif", "a%27b%28c%29%2A.tif"),
        ("\ud800x", "_x.tif", "_x.tif"),
        ("", "dataset.tif", "dataset.tif"),
        (" .. ", "dataset.tif", "dataset.tif"),
        (".tif", "tif.tif", "tif.tif"),
        (".tif.tif", "tif.tif", "tif.tif"),
    ],
)
def test_the_file_name_follows_the_title(title, plain, encoded):
    assert content_disposition(title) == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


@given(st.text(st.characters()) | st.text("é高./ \\\u202e\u00adA", max_size=400) | st.from_regex(r".*\.tiff?"))
def test_any_title_gives_a_safe_file_name_that_other_parsers_read(title):
    header = content_disposition(title)
    assert re.fullmatch(r"[\x20-\x7e]+", header)
    plain = re.match(r'attachment; filename="([^"\\%/]+\.tif)"; ', header)
    assert plain is not None
    message = Message()
    message["Content-Disposition"] = header.replace(plain[0], "attachment; ")
    name = message.get_filename()
    for text in (plain[1], name):
        assert len(text.encode()) <= 200
        assert text.endswith(".tif")
        assert not text.lower().endswith((".tif.tif", ".tiff.tif"))
        assert not text.startswith(".")
        assert not set(text) & set("/\\\r\n\0\u202e")


def test_the_conditions_of_a_request_are_its_fields():
    fields = {"If-Match": "a", "If-None-Match": "b", "If-Range": "c", "If-Modified-Since": "d"}
    assert conditions_of(fields.get) == Conditions("a", "b", "c", "d")
    assert conditions_of({"If-Unmodified-Since": "e"}.get) == Conditions(if_unmodified_since="e")
