"""Encoders: what is written is what others read, and hardly larger than what rio-tiler writes."""

import warnings

import numpy as np
import pytest
from rasterio.errors import NotGeoreferencedWarning
from rio_tiler.profiles import img_profiles
from rio_tiler.utils import render

from gateway.colour.encode import ENCODERS, encode, jpeg, palette_png, png, webp
from gateway.colour.model import TileFormat
from tests.tiles.rasters import landscape
from tests.tiles.test_engine import decoded


def picture(bands, rows=200, cols=256):
    return landscape(bands, rows, cols)


def half_masked(rows=200, cols=256):
    mask = np.full((rows, cols), 255, np.uint8)
    mask[: rows // 2] = 0
    return mask


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("bands", [1, 3])
def test_a_png_holds_the_very_pixels(bands, masked):
    pixels, mask = picture(bands), half_masked() if masked else None
    found = decoded(png(pixels, mask))
    assert np.array_equal(found[:bands], pixels)
    assert len(found) == bands + masked
    assert not masked or np.array_equal(found[-1], mask)


@pytest.mark.parametrize("bands", [1, 3])
def test_a_jpeg_is_near_the_pixels_and_has_no_alpha(bands):
    pixels = picture(bands)
    found = decoded(jpeg(pixels, half_masked()))
    assert found.shape == pixels.shape
    assert np.abs(found.astype(int) - pixels).mean() < 12


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("bands", [1, 3])
def test_a_webp_has_three_bands_and_its_mask(bands, masked):
    pixels, mask = picture(bands), half_masked() if masked else None
    found = decoded(webp(pixels, mask))
    assert len(found) == 3 + masked
    assert np.abs(found[:3, 100:].astype(int) - pixels[:, 100:]).mean() < 12
    assert not masked or np.array_equal(found[3], mask)


@pytest.mark.parametrize("format", [TileFormat.PNG, TileFormat.JPEG, TileFormat.WEBP])
def test_no_picture_is_much_larger_than_that_of_rio_tiler(format):
    pixels, mask = picture(3, 256, 256), np.full((256, 256), 255, np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        theirs = render(pixels, mask, img_format=format, **img_profiles[format.value])
    assert len(encode(format, pixels, None)) <= 1.12 * len(theirs)


RAMP = np.stack([np.arange(256)] * 3 + [np.full(256, 255)], axis=1).astype(np.uint8)


def test_a_palette_has_the_colours_of_the_indices():
    indices = (np.arange(256) // 2).astype(np.uint8).repeat(20).reshape(-1, 64)
    assert np.array_equal(decoded(palette_png(indices, RAMP, None)), RAMP[indices].transpose(2, 0, 1))


def test_a_masked_pixel_of_a_palette_is_transparent():
    indices = np.full((200, 256), 7, np.uint8)
    found = decoded(palette_png(indices, RAMP, half_masked()))
    assert not found[3, :100].any()
    assert (found[:, 100:] == np.array([7, 7, 7, 255])[:, None, None]).all()


def test_without_an_unused_colour_or_with_steps_of_alpha_there_is_no_palette():
    indices = np.arange(256, dtype=np.uint8).repeat(200).reshape(256, 200).T.copy()
    assert palette_png(indices, RAMP, half_masked()) is None
    assert palette_png(np.zeros((200, 256), np.uint8), RAMP, np.full((200, 256), 128, np.uint8)) is None


def test_a_palette_without_transparency_carries_no_table_of_it():
    assert b"tRNS" not in palette_png(np.zeros((8, 8), np.uint8), RAMP, None)


@pytest.mark.parametrize(("encoder", "driver"), [(jpeg, "JPEG"), (webp, "WEBP")])
@pytest.mark.parametrize(("grain", "times"), [(0, 1), (25, 1), (25, 2), (25, 4)])
def test_busy_smooth_and_enlarged_pictures_are_hardly_larger_than_those_of_gdal(encoder, driver, grain, times):
    side = 256 // times
    # Of brightness, as in pictures from above.
    noise = np.random.default_rng(2).normal(0, grain, (1, side, side))
    pixels = np.clip(landscape(3, side, side) / 2 + 50 + noise, 0, 255).astype(np.uint8)
    pixels = pixels.repeat(times, axis=1).repeat(times, axis=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        theirs = render(pixels, img_format=driver, **img_profiles.get(driver.lower()))
    assert len(encoder(pixels, None)) <= 1.12 * len(theirs)


@pytest.mark.parametrize("format", list(ENCODERS))
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
@pytest.mark.parametrize("bands", [1, 3])
def test_a_picture_of_one_column_or_row_is_one(format, shape, bands):
    assert encode(format, np.full((bands, *shape), 7, np.uint8), np.full(shape, 255, np.uint8))
