import pytest

from tests.cog.tiffs import CLAIMS, GEO, Image, Patch, ghost_of, pyramid, write


def patch(**options):
    return Patch(write(pyramid(), **options))


BROKEN = {
    "offset without a size": ("half-sparse-tile", lambda p: p.value(0, 325, 0, at=3)),
    "size without an offset": ("half-sparse-tile", lambda p: p.value(0, 324, 0, at=3)),
    "offset beyond the end": ("tile-beyond-end", lambda p: p.value(0, 324, len(p.data), at=11)),
    "offset far beyond the end": ("tile-beyond-end", lambda p: p.value(0, 324, 0xFFFFFFF0, at=11)),
    "size beyond the end": ("uncompressed-tile-size", lambda p: p.value(0, 325, 0xFFFFFFFF, at=11)),
    "one byte too many": ("uncompressed-tile-size", lambda p: p.value(0, 325, 257, at=11)),
    "one byte too few": ("uncompressed-tile-size", lambda p: p.value(0, 325, 255, at=11)),
    "a tile that begins in another": ("tiles-overlap", lambda p: p.value(0, 324, p.offset(0, 3) + 8, at=4)),
    "a tile in the directory": ("tile-in-header", lambda p: p.value(0, 324, 20, at=4)),
    "a tile that begins in the file header": ("tile-in-header", lambda p: p.value(0, 324, 1, at=4)),
    "a tile that begins in the last value": ("tile-in-header", lambda p: p.value(2, 324, p.offset(2, 0) - 2, at=0)),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_tile_is_an_error(errors_of, name):
    rule, breaks = BROKEN[name]
    assert errors_of(breaks(patch())) - {"tile-beyond-end"} == {rule} - {"tile-beyond-end"}
    assert rule in errors_of(breaks(patch()))


def test_a_finding_names_the_first_tile_and_how_many_more(report_of):
    broken = patch().value(0, 325, 0, at=3).value(0, 325, 0, at=7)
    (found,) = report_of(broken).errors
    assert (found.ifd, found.block, found.offset) == (0, 3, broken.offset(0, 3))
    assert found.message.startswith("Tile 3 has only one of offset and size, and 1 more.")


@pytest.mark.parametrize("offset", [2**63, 2**64 - 100, 2**63 - 1])
def test_offset_and_size_of_64_bits_do_not_wrap(errors_of, offset):
    assert errors_of(patch(big=True).value(0, 324, offset, at=11)) == {"tile-beyond-end"}


def test_a_file_that_is_cut_in_its_last_tile_is_an_error(errors_of):
    data = write(pyramid())
    assert errors_of(data[:-1]) == {"tile-beyond-end"}
    assert errors_of(data) == set()


def test_shared_tiles_are_a_warning(warnings_of):
    shared = patch()
    shared.value(0, 324, shared.offset(0, 3), at=4)
    assert warnings_of(shared) == {"shared-tiles", "slack-bytes"}


def test_slack_and_trailing_bytes_are_a_warning(warnings_of, report_of):
    assert warnings_of(write(pyramid(), after=b"more")) == {"slack-bytes"}
    assert warnings_of(write(pyramid(), ghost=ghost_of(CLAIMS), after=b"more")) == {"slack-bytes"}
    assert warnings_of(patch().value(0, 324, 0, at=3).value(0, 325, 0, at=3)) == {"slack-bytes"}
    assert report_of(write(pyramid(sparse=(3,)))).findings == ()


def test_subsampled_ycbcr_without_compression_may_have_other_sizes(errors_of):
    images = [Image(tags={**GEO, 262: (3, (6,))}, samples=3)]
    assert "uncompressed-tile-size" not in errors_of(Patch(write(images)).value(0, 325, 400, at=11))


def test_an_empty_grid_of_tiles_is_no_finding(report_of):
    images = pyramid(sparse="all")
    images[1].sparse = images[2].sparse = "all"
    assert report_of(write(images, ghost=ghost_of())).findings == ()
