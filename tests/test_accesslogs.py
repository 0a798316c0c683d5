"""Access logs of S3: what a record says, whatever clients had written into it, and the lines of a file."""

import gzip
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.accesslogs import LONGEST_LINE_BYTES, LoggedGet, lines_of, read
from tests.accesslogs import OF_THE_GUIDE, Record, of_url
from tests.handlers.test_complexity import assert_linear

ID, OTHER = "0f" * 16, "ab" * 16
OURS = Record(request_uri=of_url(ID))


def test_a_record_says_who_got_how_much_when_and_by_which_request():
    found = read(OURS.line)
    assert found == LoggedGet(
        datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC), "198.51.100.7", "3E57427F3EXAMPLE", "archive",
        Record().key, ID, 200, 100, 100, 70,
        True, "aria2/1.36.0",
    )  # fmt: skip
    assert found.ended_at == datetime(2026, 3, 1, 12, 0, 1, 70_000, tzinfo=UTC)


@pytest.mark.parametrize("line", [
    *OF_THE_GUIDE, Record().line, replace(OURS, operation="REST.HEAD.OBJECT").line, replace(OURS, status="-").line,
    Record(request_uri=of_url("0F" * 16)).line, Record(request_uri=of_url(ID + "0")).line,
    Record(referrer=of_url(ID)).line, Record(user_agent=of_url(ID)).line, replace(OURS, request_uri="-").line,
])  # fmt: skip
def test_other_records_are_none_of_ours(line):
    assert read(line) is None


@pytest.mark.parametrize("line", [
    "", "no record", "a b [c d] e f g h i", OURS.line.replace("[", ""), OURS.line.replace("]", ""),
    *(replace(OURS, time=time).line for time in (
        "[32/Mar/2026:12:00:01 +0000]", "[01/Mrz/2026:12:00:01 +0000]", "[01/Mar/2026:25:00:01 +0000]", "- -",
        "[01/Jan/0001:00:00:00 +0100]", "[01/Jan/9999:00:00:00 +0000]", "[01/Mar/2026:12:00:01 UTC]", "[٠١/Mar/2026:12:00:01 +0000]")),
    replace(OURS, bytes_sent="many").line, replace(OURS, status="20").line, replace(OURS, object_size="-1").line,
    replace(OURS, total_time="9" * 30).line, " ".join(OURS.line.split(" ")[:17]), '{"at": "2026-03-01"}', "\0" * 99,
])  # fmt: skip
def test_what_is_no_record_is_told_apart(line):
    with pytest.raises(ValueError, match=r"record|request"):
        read(line)


def test_times_are_told_in_utc():
    assert read(replace(OURS, time="[01/Mar/2026:01:30:00 +0200]").line).at == datetime(
        2026, 2, 28, 23, 30, tzinfo=UTC
    )


def test_a_dash_is_nothing():
    dashes = dict.fromkeys(("remote_ip", "bytes_sent", "object_size", "total_time", "turn_around_time"), "-")
    found = read(replace(OURS, referrer="-", user_agent="-", **dashes).line)
    assert (found.ip, found.bytes_sent, found.object_bytes, found.user_agent) == (None, 0, None, None)
    assert (found.ended_at, found.signed_in_url) == (found.at, True)
    bare = [read(replace(OURS, request_id="-", bytes_sent=sent).line).log_id for sent in ("1", "2", "1")]
    assert len(bare[0]) == 64
    assert bare[0] == bare[2] != bare[1]


@pytest.mark.parametrize("more", ["", " new", " - -", ' "a text" "of - somebody"', " - - - - - - -"])
def test_fields_that_are_new_at_the_end_are_passed_over(more):
    assert read(OURS.line + more) == read(OURS.line)


def test_without_tls_there_is_neither_cipher_nor_version():
    plain = replace(OURS, cipher_suite="-", tls_version="-", source_region="-")
    assert read(plain.line) == read(OURS.line)


@pytest.mark.parametrize(
    ("kind", "signed"), [("QueryString", True), ("AuthHeader", False), ("-", False), ("New", False)]
)
def test_only_the_signature_of_a_url_vouches_for_the_id(kind, signed):
    forging = '"x" - h SigV4 c QueryString archive.s3.amazonaws.com TLSv1.2 - - "'
    assert read(replace(OURS, authentication_type=kind).line).signed_in_url is signed
    # Of a kind that is not known the text of a client must not speak in its place.
    if kind != "New":
        assert read(replace(OURS, authentication_type=kind, user_agent=forging).line).signed_in_url is signed


def test_a_record_of_before_there_were_signatures_in_it_vouches_for_nothing():
    assert read(" ".join(OURS.line.split(" ")[:21])).signed_in_url is False


@pytest.mark.parametrize("text", [
    'Mozilla/5.0 "quoted" (X11)', '" 206 - 1 2 3 4 "-" "', 'a" b', '"', 'x" - h SigV4 c AuthHeader host', "a\\\"b", " ", "'\t;",
    of_url(OTHER)[1:-1], 'x HTTP/1.1" 200 - 5 5 1 1 "-" "curl" - h SigV4 c QueryString h T - -',
])  # fmt: skip
def test_what_clients_write_changes_nothing_else(text):
    for name in ("user_agent", "referrer"):
        found = read(replace(OURS, **{name: f'"{text}"'}).line)
        assert replace(found, user_agent=None) == replace(read(OURS.line), user_agent=None)
    assert read(replace(OURS, user_agent=f'"{text}"').line).user_agent == text


def test_a_line_takes_time_in_proportion_to_its_length():
    head, _, behind = OURS.line.partition('"aria2')
    texts = {"agent": head + '"', "request": head[: head.index("&X-Amz")], "line": ""}
    for prefix in texts.values():
        assert_linear(lambda text, prefix=prefix: quietly(prefix + text + '"aria2' + behind))
    assert read(f'{head}"{"a b" * 400_000}" {" ".join(behind.split()[1:])}').signed_in_url


def quietly(line):
    with suppress(ValueError):
        read(line)


LINES = ["first", "", "zweite Höhe", "last"]
TEXT = "\n".join(LINES).encode()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_lines_are_whole_however_their_bytes_come(size):
    for data in (
        TEXT,
        TEXT + b"\n",
        TEXT.replace(b"\n", b"\r\n"),
        gzip.compress(TEXT),
        gzip.compress(TEXT[:7]) + gzip.compress(TEXT[7:]),
    ):
        assert list(lines_of(cut(data, size))) == LINES
    assert list(lines_of([])) == list(lines_of([b"", b""])) == []
    assert list(lines_of(cut(b"a\xffb\n\x1f\n", size))) == ["a�b", "\x1f"]


def test_a_line_that_is_too_long_is_told_and_not_held():
    long = [b"x" * (1 << 20)] * 5
    assert list(lines_of([b"a\n", *long, b"x\nb"])) == ["a", None, "b"]
    assert next(lines_of([b"x" * LONGEST_LINE_BYTES])) is not None
    assert list(lines_of(cut(gzip.compress(b"".join(long) * 4), 1 << 16))) == [None]


# Named, because gzip has the time in it, and the tests of all processes must have the same names.
@pytest.mark.parametrize(
    "data",
    [gzip.compress(TEXT * 99)[:-9], gzip.compress(TEXT)[:4], b"\x1f\x8b no gzip at all"],
    ids=["cut off", "head alone", "other"],
)
def test_gzip_that_is_damaged_is_no_end_of_a_file(data):
    with pytest.raises(ValueError, match="gzip"):
        list(lines_of([data]))
