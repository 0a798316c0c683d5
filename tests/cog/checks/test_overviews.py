import pytest

from tests.cog.tiffs import GEO, Image, pyramid, write

LARGE = {"tile": (256, 256), "sparse": "all"}


def large(width, height, **options):
    return Image(width, height, **{**LARGE, **options})


def test_a_large_image_needs_overviews(errors_of, warnings_of):
    bare = write([large(600, 600, tags=GEO)])
    assert errors_of(bare) == {"overviews-missing"}
    assert warnings_of(bare, allow_missing_overviews=True) == {"overviews-missing"}
    assert errors_of(write([large(600, 600, tags=GEO), large(300, 300, subfile=1)])) == set()


def test_an_image_of_512_needs_none(report_of):
    assert report_of(write([large(512, 512, tags=GEO)])).findings == ()


@pytest.mark.parametrize(("width", "height"), [(2000, 256), (256, 2000)])
def test_a_long_image_of_one_tile_row_is_warned_of(warnings_of, width, height):
    assert warnings_of(write([large(width, height, tags=GEO)])) == {"overviews-missing-in-strip"}


def test_overviews_in_sub_ifds_alone_are_not_enough(report_of):
    images = [large(600, 600, tags=GEO), large(300, 300, subfile=1, sub_of=0)]
    (found,) = report_of(write(images)).errors
    assert (found.rule, "in the chain" in found.message) == ("overviews-missing", True)


def second(**options):
    """The pyramid with another first overview."""
    images = pyramid()
    images[1] = Image(**{"width": 32, "height": 24, "subfile": 1, **options})
    return write(images)


BROKEN = {
    "as large as the image": ("overview-not-smaller", {"width": 64, "height": 48}),
    "larger than the image": ("overview-not-smaller", {"width": 128, "height": 96}),
    "higher than the image": ("overview-not-smaller", {"width": 32, "height": 50}),
    "as large as the next": ("overview-not-smaller", {"width": 16, "height": 12}),
    "of another shape": ("overview-aspect", {"width": 32, "height": 40}),
    "of two bands": ("overview-other-bands", {"samples": 2}),
    "of 16 bits": ("overview-other-type", {"bits": 16}),
    "of signed numbers": ("overview-other-type", {"tags": {339: (3, (2,))}}),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_overview_that_is_none_is_an_error(errors_of, name):
    rule, options = BROKEN[name]
    assert errors_of(second(**options)) == {rule}
    assert errors_of(second()) == set()


def test_an_undefined_sample_format_is_unsigned(report_of):
    assert report_of(second(tags={339: (3, (4,))})).findings == ()


@pytest.mark.parametrize(
    "sub", [{"width": 64, "height": 48}, {"width": 32, "height": 40}, {"width": 32, "height": 24, "samples": 2}]
)
def test_sub_ifds_obey_the_same_rules(errors_of, sub):
    images = [*pyramid(), Image(**sub, subfile=1, sub_of=0)]
    assert errors_of(write(images)) <= {"overview-not-smaller", "overview-aspect", "overview-other-bands"}
    assert errors_of(write(images))


def test_sub_ifds_below_sub_ifds_are_no_overviews_to_gdal(errors_of, report_of):
    images = [*pyramid(), Image(32, 24, subfile=1, sub_of=0), Image(16, 12, subfile=1, sub_of=0)]
    assert report_of(write(images)).findings == ()
    images[-1].sub_of = 3
    assert errors_of(write(images)) == {"gdal-sees-otherwise"}


@pytest.mark.parametrize(("width", "height"), [(333, 250), (334, 250), (333, 251), (3, 2), (4, 3)])
def test_rounded_sizes_have_the_same_shape(errors_of, width, height):
    images = [large(1000, 751, tags=GEO), large(width, height, subfile=1)]
    assert errors_of(write(images)) == set()


def test_odd_pyramids_are_warnings(warnings_of):
    images = [large(4000, 4000, tags=GEO), large(2000, 2000, subfile=1)]
    assert warnings_of(write(images)) == {"pyramid-stops-early"}
    images = [large(4000, 4000, tags=GEO), large(300, 300, subfile=1)]
    assert warnings_of(write(images)) == {"pyramid-step"}
    images = [large(600, 600, tags=GEO), large(500, 500, subfile=1)]
    assert warnings_of(write(images)) == {"pyramid-step"}


def test_a_pyramid_may_stop_at_one_row_of_tiles(report_of):
    images = [large(4000, 500, tags=GEO), large(2000, 250, subfile=1)]
    assert report_of(write(images)).findings == ()
