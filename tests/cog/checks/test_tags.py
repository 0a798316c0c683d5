import struct

import pytest

from tests.cog.tiffs import GEO, Image, Patch, pyramid, write

FLAVOURS = [{"order": "<"}, {"order": ">"}, {"big": True}, {"order": ">", "big": True}]
GOOD = write(pyramid())


def patch(**options):
    return Patch(write(pyramid(), **options))


BROKEN = {
    "chain leads beyond the end": ("ifd-outside-file", lambda p: p.following(0, len(p.data) + 10)),
    "chain leads to the very end": ("ifd-outside-file", lambda p: p.following(0, len(p.data))),
    "chain leads into the file header": ("ifd-outside-file", lambda p: p.following(0, 4)),
    "chain leads to the first": ("ifd-cycle", lambda p: p.following(2, p.layout.ifds[0].directory.offset)),
    "chain leads to itself": ("ifd-cycle", lambda p: p.following(1, p.layout.ifds[1].directory.offset)),
    "no entries": ("ifd-entry-count", lambda p: p.poke(p.layout.ifds[1].directory.offset, "Q" if p.form.big else "H", 0)),
    "1025 entries": ("ifd-entry-count", lambda p: p.poke(p.layout.ifds[1].directory.offset, "Q" if p.form.big else "H", 1025)),
    "value beyond the end": ("value-outside-file", lambda p: p.pointer(0, 33550, len(p.data) - 8)),
    "value in the file header": ("value-outside-file", lambda p: p.pointer(0, 33550, 7)),
    "offsets beyond the end": ("value-outside-file", lambda p: p.pointer(0, 324, len(p.data) - 8)),
    "four thousand million offsets": ("value-outside-file", lambda p: p.count(0, 324, 4_000_000_000)),
    "unknown type of a structural tag": ("wrong-tag-type", lambda p: p.type(0, 324, 99)),
    "signed width": ("wrong-tag-type", lambda p: p.type(0, 256, 9)),
    "GeoKeys as bytes": ("wrong-tag-type", lambda p: p.type(0, 34735, 1)),
    "width twice": ("duplicate-tag", lambda p: p.tag(0, 257, 256)),
    "no length": ("missing-tag", lambda p: p.tag(1, 257, 65000)),
    "no photometric": ("missing-tag", lambda p: p.tag(0, 262, 65000)),
    "no tile width": ("missing-tag", lambda p: p.tag(0, 322, 65000)),
    "no byte counts": ("missing-tag", lambda p: p.tag(2, 325, 65000)),
    "two compressions": ("wrong-tag-count", lambda p: p.count(0, 259, 2)),
    "no width": ("wrong-tag-count", lambda p: p.count(0, 256, 0)),
    "no offsets": ("tile-array-length", lambda p: p.count(0, 324, 0)),
}  # fmt: skip


@pytest.mark.parametrize("flavour", FLAVOURS, ids=str)
def test_the_unbroken_sample_has_no_finding(report_of, flavour):
    assert report_of(write(pyramid(), **flavour)).findings == ()


@pytest.mark.parametrize("flavour", FLAVOURS, ids=str)
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_directory_or_tag_is_an_error(errors_of, name, flavour):
    rule, breaks = BROKEN[name]
    assert errors_of(breaks(patch(**flavour))) == {rule}


def test_a_finding_names_the_place(report_of):
    (found,) = report_of(patch().type(1, 256, 9)).errors
    assert found.ifd == 1
    assert found.offset == patch().layout.ifds[1].directory.offset
    assert "IMAGE_WIDTH (256)" in found.message


def test_no_first_directory_is_an_error(errors_of):
    assert errors_of(patch().poke(4, "I", 0)) == {"ifd-outside-file"}


@pytest.mark.parametrize("big", [False, True])
def test_counts_and_offsets_of_64_bits_do_not_wrap(errors_of, big):
    assert errors_of(patch(big=True).count(0, 324, 2**60)) == {"value-outside-file"}
    assert errors_of(patch(big=True).pointer(0, 324, 2**64 - 8)) == {"value-outside-file"}
    assert errors_of(patch(big=True).following(0, 2**63)) == {"ifd-outside-file"}
    assert errors_of(patch(big=True).poke(8, "Q", 2**64 - 1)) == {"ifd-outside-file"}


def test_the_file_must_not_be_cut_in_its_directories(errors_of):
    first = patch().layout.ifds[0].directory
    assert errors_of(GOOD[: first.offset + 1]) == {"ifd-outside-file"}
    assert errors_of(GOOD[: first.end - 1]) == {"ifd-outside-file"}
    assert errors_of(GOOD[: first.end + 20]) == {"value-outside-file", "ifd-outside-file"}


def test_more_directories_than_256_are_too_many(errors_of, warnings_of):
    pages = [Image(16, 16) for _ in range(256)]
    assert errors_of(write([*pyramid()[:1], *pages])) == {"too-many-ifds"}
    assert warnings_of(write([*pyramid()[:1], *pages[:255]])) == {"extra-page"}


def test_unsorted_tags_are_a_warning(warnings_of):
    swapped = patch()
    at = swapped.entry_at(0, 284)
    swapped.data[at - 12 : at + 12] = swapped.data[at : at + 12] + swapped.data[at - 12 : at]
    assert warnings_of(swapped) == {"unsorted-tags"}


def test_private_tags_and_unknown_types_of_them_are_no_finding(report_of):
    tags = {**GEO, 65000: (2, b"private!"), 65001: (99, (1, 2)), 42112: (2, b"<GDALMetadata/>" * 9000)}
    assert report_of(write(pyramid(tags=tags))).findings == ()


def test_a_tag_with_absurdly_many_values_is_an_error(errors_of):
    big_tag = write(pyramid(tags={**GEO, 34735: (3, (1, 1, 0, 0) * (1 << 18) + (0,) * 4)}))
    assert errors_of(big_tag) == {"wrong-tag-count"}


def test_bytes_that_are_no_tiff_are_an_error(errors_of):
    for data in (
        b"\x89PNG\r\n\x1a\n" * 9,
        b"<VRTDataset/>",
        b"II",
        b"II*\0abc",
        b"MM*\0" + b"\0" * 60,
        b"II+\0",
        b"MI*\0" * 9,
    ):
        assert errors_of(data) <= {"not-a-tiff", "bad-bigtiff-header", "ifd-outside-file"}, data
        assert errors_of(data), data
    assert errors_of(b"") == {"empty-file"}
    assert errors_of(b"GIF89a" * 20) == {"not-a-tiff"}


@pytest.mark.parametrize("constants", [(4, 0), (8, 1)])
def test_bad_constants_of_bigtiff_are_an_error(errors_of, constants):
    data = bytearray(write(pyramid(), big=True))
    struct.pack_into("<HH", data, 4, *constants)
    assert errors_of(data) == {"bad-bigtiff-header"}
    assert errors_of(data[:12]) == {"bad-bigtiff-header"}
