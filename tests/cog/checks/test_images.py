import pytest

from tests.cog.tiffs import GEO, Image, Patch, pyramid, write


def patch(**tags):
    return Patch(write(pyramid(**tags)))


BROKEN = {
    "no rows": ("impossible-size", lambda p: p.value(0, 257, 0)),
    "a tile without columns": ("impossible-size", lambda p: p.value(0, 322, 0)),
    "more columns than GDAL counts": ("impossible-size", lambda p: p.value(0, 256, 2**31)),
    "2^31-1 columns in a small file": ("tile-array-length", lambda p: p.value(0, 256, 2**31 - 1)),
    "one row of tiles more": ("tile-array-length", lambda p: p.value(0, 257, 49)),
    "unknown codec": ("unknown-codec", lambda p: p.value(0, 259, 7777)),
    "unknown codec of one overview": ("unknown-codec", lambda p: p.value(1, 259, 6)),
    "65535 samples": ("impossible-samples", lambda p: p.value(0, 277, 65535)),
    "unknown photometric interpretation": ("impossible-samples", lambda p: p.value(0, 262, 170)),
    "no samples": ("impossible-samples", lambda p: p.value(0, 277, 0)),
    "samples of no bits": ("impossible-coding", lambda p: p.value(0, 258, 0)),
    "samples of 1000 bits": ("impossible-coding", lambda p: p.value(0, 258, 1000)),
    "no values of bits": ("impossible-samples", lambda p: p.count(0, 258, 0)),
    "RGB of one band": ("impossible-samples", lambda p: p.value(0, 262, 2)),
    "planar configuration 3": ("impossible-samples", lambda p: p.value(0, 284, 3)),
    "sample format 9": ("impossible-coding", lambda p: p.value(0, 339, 9)),
    "tiles of 250": ("tile-side-not-16", lambda p: p.value(0, 322, 250)),
    "tiles of 8192": ("tile-too-large", lambda p: p.value(0, 323, 8192)),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_an_impossible_image_is_an_error(errors_of, name):
    rule, breaks = BROKEN[name]
    found = errors_of(breaks(patch()))
    # A tile of another size needs another grid as well.
    assert rule in found
    assert found <= {rule, "tile-array-length"}


def test_bands_of_different_bits_are_an_error(errors_of):
    assert errors_of(Patch(write(pyramid(samples=3))).value(0, 258, 16, at=2)) == {"impossible-samples"}


@pytest.mark.parametrize(("photometric", "extra", "good"), [(1, 2, True), (1, 1, False), (2, 0, True), (2, 1, False)])
def test_extra_samples_are_those_beside_the_colours(errors_of, photometric, extra, good):
    tags = {**GEO, 262: (3, (photometric,)), 338: (3, (0,) * extra) if extra else None}
    assert errors_of(write([Image(samples=3, tags=tags)])) == (set() if good else {"impossible-samples"})


def test_one_sample_format_for_all_bands_is_fine(report_of):
    assert report_of(write(pyramid(samples=3, tags={**GEO, 339: (3, (1,))}))).findings == ()


def test_the_decoded_tile_is_bounded(errors_of):
    large = {"tile": (4096, 4096), "sparse": "all", "width": 64, "height": 48}
    assert errors_of(write([Image(**large, tags=GEO, samples=16)])) == set()
    assert errors_of(write([Image(**large, tags=GEO, samples=17)])) == {"tile-too-large"}
    assert errors_of(write([Image(**large, tags=GEO, samples=17, planar=2)])) == set()


STRIPS = {322: None, 323: None, 324: None, 325: None, 278: (4, (48,)), 273: (4, (8,)), 279: (4, (20,))}


@pytest.mark.parametrize("number", [0, 1, 3, 4])
def test_strips_are_an_error_in_any_image(errors_of, number):
    images = [*pyramid(), Image(subfile=4), Image(40, 40)]
    images[number].tags = {**images[number].tags, **STRIPS}
    images[number].sparse = "all"
    assert errors_of(write(images)) == {"not-tiled"}


def test_strips_beside_tiles_are_an_error(errors_of):
    assert errors_of(write(pyramid(tags={**GEO, 273: (4, (8,))}))) == {"not-tiled"}


def test_unusual_tiles_are_warnings(warnings_of):
    assert warnings_of(write([Image(tags=GEO, tile=(1040, 1040), sparse="all")])) == {"tile-over-1024"}
    assert warnings_of(write([Image(tags=GEO, tile=(32, 16))])) == {"tile-not-square"}


@pytest.mark.parametrize("tag", [324, 325])
@pytest.mark.parametrize("change", [-1, 1])
def test_tile_arrays_are_exactly_as_long_as_the_grid(errors_of, tag, change):
    assert errors_of(patch().count(0, tag, 12 + change)) == {"tile-array-length"}


def test_planar_separate_tiles_of_mixed_sizes_are_no_finding(report_of):
    images = pyramid(samples=3, planar=2)
    images[1].tile = (32, 32)
    assert report_of(write(images)).findings == ()
