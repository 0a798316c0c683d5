"""Algorithms over values: planes and heights of which the answer is known, masks, and numbers that cannot be."""

import math

import numpy as np
import pytest

from gateway.colour.algorithm_names import ALGORITHMS, picked
from gateway.colour.algorithms import WORKS, applied
from gateway.errors import BadParameter

METRE = (1.0, 1.0)


def plane(down: float, across: float, dtype=np.float64) -> np.ma.MaskedArray:
    """Return 9 rows and 12 columns that rise by so much per pixel."""
    rows, cols = np.mgrid[0:9, 0:12]
    return np.ma.MaskedArray((rows * down + cols * across).astype(dtype), np.zeros((9, 12), bool))[None]


def heights(*values: float) -> np.ma.MaskedArray:
    return np.ma.MaskedArray(np.array(values, np.float64).reshape(1, 2, -1), False)


def bands(count: int, dtype=np.uint16) -> np.ma.MaskedArray:
    return np.ma.MaskedArray(np.random.default_rng(3).integers(1, 200, (count, 4, 5)).astype(dtype), False)


@pytest.mark.parametrize(("down", "across", "pixel", "degrees"), [
    (0, 0, METRE, 0), (1, 0, METRE, 45), (0, 1, METRE, 45), (10, 0, (10.0, 10.0), 45),
    (math.sqrt(3), 0, METRE, 60), (3, 4, METRE, math.degrees(math.atan(5))),
])  # fmt: skip
def test_the_slope_of_a_plane(down, across, pixel, degrees):
    found = applied(picked("slope", '{"buffer": 1}'), plane(down, across), pixel)
    assert found.shape == (1, 7, 10)
    assert found.dtype == np.float32
    assert found.data == pytest.approx(degrees, abs=1e-4)


def test_exaggeration_makes_it_steeper():
    found = applied(picked("slope", '{"buffer": 0, "z_exaggeration": 2}'), plane(0.5, 0), METRE)
    assert found.data == pytest.approx(45, abs=1e-4)


def test_a_flat_place_has_the_shade_of_the_suns_height():
    found = applied(picked("hillshade", '{"angle_altitude": 30}'), plane(0, 0), METRE)
    assert found.dtype == np.uint8
    assert np.unique(found.data) == [int(255 * (math.sin(math.radians(30)) + 1) / 2)]


@pytest.mark.parametrize(("azimuth", "down", "across"), [(45, 1, 1), (135, 1, -1), (225, -1, -1), (315, -1, 1)])
def test_a_slope_to_the_light_is_brighter_than_one_from_it(azimuth, down, across):
    chosen = picked("hillshade", f'{{"azimuth": {azimuth}}}')
    light, dark = (applied(chosen, plane(down * sign, across * sign), METRE) for sign in (1, -1))
    assert int(light.data.min()) - int(dark.data.max()) > 100


@pytest.mark.parametrize("name", ["hillshade", "slope"])
@pytest.mark.parametrize("hole", [np.nan, -9999.0])
def test_no_cliff_is_drawn_round_a_hole(name, hole):
    values = plane(1, 1)
    values.data[0, 4, 5] = hole
    values.mask = values.mask.copy()
    values.mask[0, 4, 5] = True
    found = applied(picked(name, '{"buffer": 0}'), values, METRE)
    masked = {(4, 5), (3, 5), (5, 5), (4, 4), (4, 6)}
    assert set(zip(*np.nonzero(found.mask[0]), strict=True)) == masked
    assert len(np.unique(found.compressed())) == 1


def test_terrarium_tiles_are_heights_again_when_decoded():
    values = heights(-11_000.5, 0, 8_848.25, 1234.75)
    red, green, blue = applied(picked("terrarium", None), values, METRE).data.astype(float)
    assert (red * 256 + green + blue / 256 - 32768) == pytest.approx(values[0].data)


@pytest.mark.parametrize(
    ("params", "interval", "base"), [(None, 0.1, -10_000), ('{"interval": 1, "baseval": 0}', 1, 0)]
)
def test_terrainrgb_tiles_are_heights_again_when_decoded(params, interval, base):
    values = heights(0, 7, 8_848, 1234)
    red, green, blue = applied(picked("terrainrgb", params), values, METRE).data.astype(float)
    assert base + (red * 65536 + green * 256 + blue) * interval == pytest.approx(values[0].data)


@pytest.mark.parametrize("name", ["terrarium", "terrainrgb"])
def test_a_hole_is_a_hole_or_has_the_height_that_is_given(name):
    values = np.ma.MaskedArray(np.full((1, 2, 2), 5.0), [[[True, False], [False, False]]])
    assert applied(picked(name, None), values, METRE).mask[:, 0, 0].all()
    filled = applied(picked(name, '{"nodata_height": 5}'), values, METRE)
    assert not filled.mask.any()
    assert (filled.data == filled.data[:, :1, :1]).all()


def test_heights_that_do_not_fit_are_told():
    with pytest.raises(BadParameter, match="do not fit"):
        applied(picked("terrainrgb", None), heights(-20_000, 0, 0, 0), METRE)
    with pytest.raises(BadParameter, match="interval"):
        applied(picked("terrainrgb", '{"interval": 0}'), heights(1, 2, 3, 4), METRE)


def test_contours_are_black_lines_over_colours():
    found = applied(
        picked("contours", '{"increment": 10, "thickness": 1, "minz": 0, "maxz": 200}'), plane(0, 5), METRE
    )
    assert found.shape == (3, 9, 12)
    black = (found.data == 0).all(axis=0)
    assert black.any(axis=0).tolist() == [column % 2 == 0 for column in range(12)]
    with pytest.raises(BadParameter, match="minz"):
        applied(picked("contours", '{"minz": 5, "maxz": 5}'), plane(1, 1), METRE)


def test_the_normalized_index_is_of_the_second_band_over_the_first():
    values = np.ma.MaskedArray([[[1.0, 0.0], [2.0, 5.0]], [[3.0, 0.0], [2.0, 0.0]]])
    found = applied(picked("normalizedIndex", None), values, METRE)
    assert found[0].compressed() == pytest.approx([0.5, 0, -1])
    assert found.mask[0].tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize("name", ["min", "max", "median", "mean", "std", "var", "sum"])
def test_statistics_over_bands(name):
    values = bands(3)
    options = {"ddof": 1} if name in ("std", "var") else {}
    expected = getattr(np, name)(values.data.astype(float), axis=0, **options)
    found = applied(picked(name, None), values, METRE)
    assert found.shape == (1, 4, 5)
    assert found.data[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("name", "expected"), [("cast", [1, 2]), ("ceil", [2, 3]), ("floor", [1, 2])])
def test_values_become_bytes(name, expected):
    found = applied(picked(name, None), np.ma.MaskedArray([[[1.4, 2.6], [1.4, 2.6]]]), METRE)
    assert found.dtype == np.uint8
    assert found.data[0, 0].tolist() == expected


def test_grey_and_black_and_white():
    values = np.ma.MaskedArray(np.broadcast_to(np.array([200, 100, 10], np.uint8)[:, None, None], (3, 2, 2)))
    grey = (200 * 299 + 100 * 587 + 10 * 114) // 1000
    assert np.unique(applied(picked("grayscale", None), values, METRE).data) == [grey]
    assert np.unique(applied(picked("bitonal", None), values, METRE).data) == [0]
    assert np.unique(applied(picked("bitonal", None), values[:1], METRE).data) == [255]


@pytest.mark.parametrize(("name", "values"), [
    ("normalizedIndex", bands(1)), ("grayscale", bands(2)), ("bitonal", bands(2)),
    ("hillshade", bands(1)), ("slope", bands(1)[:, :1]),
])  # fmt: skip
def test_too_few_bands_or_pixels_are_told(name, values):
    with pytest.raises(BadParameter, match="algorithm"):
        applied(picked(name, None), values, METRE)


@pytest.mark.parametrize("params", [
    "x", "[]", "3", "null", '"a"', "[" * 900, "{" + " " * 1000 + "}", '{"azimuth": 361}', '{"azimuth": 1.5}',
    '{"azimuth": "1"}', '{"azimuth": true}', '{"azimuth": NaN}', '{"buffer": -1}', '{"z_exaggeration": 0}',
    '{"angle_altitude": 1e999}',
])  # fmt: skip
def test_numbers_that_cannot_be_are_told(params):
    with pytest.raises(BadParameter, match="algorithm_params"):
        picked("hillshade", params)


def test_an_unknown_name_is_told_with_those_that_there_are():
    with pytest.raises(BadParameter, match="hillshade, slope"):
        picked("nonsense", None)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_is_all_masked_stays_masked(name):
    values = np.ma.MaskedArray(np.zeros((1 if name == "contours" else 3, 9, 9), np.float32), True)
    assert applied(picked(name, None), values, METRE).mask.all()


def test_contours_are_of_one_band_as_titilers():
    with pytest.raises(BadParameter, match="contours needs one band"):
        applied(picked("contours", None), bands(3), METRE)


def test_every_name_has_its_work():
    assert WORKS.keys() == ALGORITHMS.keys()
