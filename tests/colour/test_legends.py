import numpy as np
import pytest
from imagecodecs import png_decode

from gateway.colour.legends import picture

WHITE = [255, 255, 255, 255]


def inked(pixels):
    """Return the columns in which something is written."""
    return np.flatnonzero((pixels[..., 0] < 128).any(axis=0))


def test_without_ends_the_picture_is_the_strip_alone():
    strip = png_decode(picture("viridis", 64, 8))
    assert strip.shape[:2] == (8, 64)
    assert strip[0, 0, 2] > strip[0, -1, 2]


def test_three_values_stand_below_the_strip_and_leave_it_as_it_is():
    drawn = png_decode(picture("viridis", 256, 20, ends=(285, 919)))
    assert drawn.shape == (36, 256, 4)
    assert np.array_equal(drawn[:20, :, :3], png_decode(picture("viridis", 256, 20))[..., :3])
    labels = drawn[20:]
    assert labels[0, 0].tolist() == WHITE
    columns = inked(labels)
    assert columns.min() < 5
    assert columns.max() > 250
    assert ((columns > 110) & (columns < 146)).any()


@pytest.mark.parametrize(("width", "last"), [(256, True), (120, True), (40, False)])
def test_what_has_no_room_is_left_out_the_middle_first(width, last):
    labels = png_decode(picture("viridis", width, 20, ends=(-1234.5, 98765.4)))[20:]
    columns = inked(labels)
    gaps = np.flatnonzero(np.diff(columns) > 8)
    assert len(gaps) == {256: 2, 120: 1, 40: 0}[width]
    assert (columns.max() > width - 8) is np.bool_(last) or not last


def test_an_upright_strip_has_the_greatest_value_at_the_top():
    drawn = png_decode(picture("gray", 20, 256, vertical=True, ends=(0, 1)))
    assert drawn.shape[0] == 256
    assert drawn.shape[1] > 20
    strip, labels = drawn[:, :20], drawn[:, 20:]
    assert strip[0, 0, 0] > strip[-1, 0, 0]
    one, nought = labels[:16], labels[-16:]
    assert (one[..., 0] < 128).sum() < (nought[..., 0] < 128).sum()


@pytest.mark.parametrize("ends", [(0, 1e-300), (-1e308, 1e308), (1e15, 1e15 + 1)])
def test_any_numbers_can_be_written(ends):
    assert picture("viridis", 256, 20, ends=ends)
