import pytest

from tests.cog.tiffs import GEO, Image, Patch, masked, pyramid, write


@pytest.mark.parametrize("subfile", [1, 4, 5])
def test_the_first_directory_must_be_the_image(errors_of, subfile):
    assert errors_of(write([Image(16, 16, tags=GEO, subfile=subfile)])) == {"first-ifd-not-main"}


def test_the_old_subfile_type_makes_no_overview_because_gdal_does_not_look_at_it(errors_of):
    images = pyramid()
    images[2].tags = {254: None, 255: (3, (2,))}
    assert errors_of(write(images)) == {"overview-not-flagged"}


def test_an_overview_that_is_not_flagged_is_an_error(errors_of):
    assert errors_of(Patch(write(pyramid())).value(2, 254, 0)) == {"overview-not-flagged"}


def test_two_pyramids_are_an_error(errors_of):
    images = [*pyramid(), Image(80, 20), Image(40, 10, subfile=1)]
    assert "two-pyramids" in errors_of(write(images))
    assert errors_of(write(images[:4])) == set()


def test_another_page_is_a_warning(warnings_of):
    assert warnings_of(write([*pyramid(), Image(80, 20)])) == {"extra-page"}
    assert warnings_of(write([*pyramid(), Image(64, 48)])) == {"extra-page"}


def test_masks_of_every_level_are_no_finding(report_of):
    images, order = masked()
    assert report_of(write(images)).findings == () or report_of(write(images, blocks=order)).findings == ()


@pytest.mark.parametrize(("number", "size"), [(3, (32, 24)), (4, (64, 48)), (4, (31, 24)), (5, (48, 16))])
def test_a_mask_of_no_levels_size_is_an_error(errors_of, number, size):
    images, _ = masked()
    images[number].width, images[number].height = size
    assert errors_of(write(images)) == {"mask-size"}


@pytest.mark.parametrize("number", [3, 4, 5])
def test_a_level_without_its_mask_is_a_warning(warnings_of, number):
    images, _ = masked()
    del images[number]
    assert warnings_of(write(images)) == {"mask-missing-on-level"}
