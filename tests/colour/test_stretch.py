"""The default range of values: from valid pixels only, of all bands, never empty."""

import numpy as np
import pytest

from gateway.colour.stretch import stretch_of
from tests.tiles.rasters import handle_of, landscape, utm, write


def stretch(path):
    with handle_of(path) as handle:
        return stretch_of(handle)


def test_it_is_near_the_percentiles_of_all_pixels(tmp_path):
    pixels = landscape(2, 1500, 1800, "uint16")
    found = stretch(write(tmp_path / "a.tif", pixels, utm()))
    for band, (low, high) in zip(pixels, found.bands, strict=True):
        expected = np.percentile(band, (2, 98))
        assert (low, high) == pytest.approx(tuple(expected), rel=0.05)


@pytest.mark.parametrize(("dtype", "nodata"), [("int16", -32768), ("float32", float("nan"))])
def test_nodata_does_not_count(tmp_path, dtype, nodata):
    pixels = landscape(1, 300, 400, dtype)
    expected = np.percentile(pixels[0, :200], (2, 98))
    pixels[:, 200:] = nodata
    (found,) = stretch(write(tmp_path / "a.tif", pixels, utm(), nodata=nodata)).bands
    assert found == pytest.approx(tuple(expected), rel=0.05)


def test_what_is_masked_does_not_count(tmp_path):
    pixels = np.full((1, 300, 400), 60_000, np.uint16)
    pixels[:, :100] = np.arange(100, 200, dtype=np.uint16)[:, None]
    mask = np.zeros((300, 400), np.uint8)
    mask[:100] = 255
    (found,) = stretch(write(tmp_path / "a.tif", pixels, utm(), mask=mask)).bands
    assert found == pytest.approx((102, 197), abs=2)


def test_infinite_values_do_not_count(tmp_path):
    pixels = np.tile(np.linspace(0, 100, 400, dtype="float32"), (1, 300, 1))
    pixels[:, :100] = np.inf
    (found,) = stretch(write(tmp_path / "a.tif", pixels, utm())).bands
    assert found == pytest.approx((2, 98), abs=1)


@pytest.mark.parametrize("value", [0, 7])
def test_a_flat_raster_has_a_range_too(tmp_path, value):
    (found,) = stretch(write(tmp_path / "a.tif", np.full((1, 64, 64), value, np.int16), utm())).bands
    assert found[0] == value
    assert found[1] > value


def test_a_raster_without_a_valid_pixel_has_a_range_too(tmp_path):
    pixels = np.full((1, 64, 64), -9, np.int16)
    assert stretch(write(tmp_path / "a.tif", pixels, utm(), nodata=-9)).bands == ((0, 1),)


@pytest.mark.parametrize("dtype", ["uint8", "complex64"])
def test_bytes_and_complex_numbers_have_none(tmp_path, dtype):
    assert stretch(write(tmp_path / "a.tif", np.ones((1, 64, 64), dtype), utm())) is None
