"""Pictures of few pixels that are taken of a raster when it is judged."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.shutil import copy

from gateway.cog import inspect
from gateway.cog.smallpictures import HEAD, SIDES, unpacked
from gateway.cog.summary import with_summary
from gateway.files import open_file
from tests.rasters import write_cog_of, write_striped

DEGREE = Affine(1, 0, 170, 0, -1, 40)
# Metres of half a globe, whose corners are beside it.
GLOBE = {"crs": "+proj=ortho +lat_0=0 +lon_0=0", "transform": Affine(700_000, 0, -7_000_000, 0, -700_000, 7_000_000)}
# Metres round the North Pole.
POLAR = {"crs": "EPSG:3413", "transform": Affine(50_000, 0, -500_000, 0, -50_000, 500_000)}


def small_of(tmp_path, pixels, **profile):
    with open_file(write_cog_of(tmp_path / "a.tif", pixels, **profile)) as opened:
        return with_summary(opened, inspect(opened)).raster.small


def parts(body):
    """Return values, net and mask of a packed picture."""
    plain = unpacked(body)
    name, bands, rows, columns, cells, masked, *_ = HEAD.unpack_from(plain)
    points, dtype = (cells + 1) ** 2 * 2, np.dtype(name.rstrip(b"\0").decode())
    net = np.frombuffer(plain, "<f8", points, HEAD.size).reshape(cells + 1, cells + 1, 2)
    values = np.frombuffer(plain, dtype, bands * rows * columns, HEAD.size + net.nbytes)
    rest = plain[HEAD.size + net.nbytes + values.nbytes :]
    assert bool(rest) == masked
    return values.reshape(bands, rows, columns), net, rest


def test_each_is_the_whole_of_it_in_fewer_pixels_and_none_is_averaged(tmp_path):
    pixels = np.arange(2 * 100 * 300, dtype="int32").reshape(2, 100, 300)
    small = small_of(tmp_path, pixels, crs="EPSG:4326", transform=DEGREE * Affine.scale(0.1))
    assert small.extent_degrees == pytest.approx(30)
    assert [side for side, _ in small.packed] == list(SIDES) == [64, 16, 4]
    for side, body in small.packed:
        values, net, _ = parts(body)
        assert values.shape == (2, max(1, round(side / 3)), side)
        assert set(values.ravel().tolist()) <= set(pixels.ravel().tolist())
        # It goes on beyond the antimeridian, on some turn.
        assert (net[0, 0] + (360, 0)).tolist() == [170, 40]
        assert (net[-1, -1] - net[0, 0]).tolist() == pytest.approx([30, -10])


def test_a_mask_stays_beside_the_values(tmp_path):
    pixels = np.full((1, 40, 40), 7, "uint8")
    pixels[:, :20] = 0
    small = small_of(tmp_path, pixels, crs="EPSG:4326", transform=DEGREE * Affine.scale(0.1), nodata=0)
    assert [parts(body)[2] for _, body in small.packed] == [b""] * 3
    assert HEAD.unpack_from(small.packed[-1][1])[6:9] == (True, 0.0, 1)


def test_what_has_no_net_of_straight_lines_or_too_many_bands_has_none(tmp_path):
    assert small_of(tmp_path, np.ones((1, 20, 20), "uint8"), **POLAR) is None
    assert small_of(tmp_path, np.ones((300, 16, 16), "uint8"), crs="EPSG:4326", transform=DEGREE) is None
    assert small_of(tmp_path, np.ones((1, 20, 20), "uint8"), **GLOBE) is None


def test_an_alpha_band_and_a_mask_of_the_file_are_masks(tmp_path):
    pixels = np.full((2, 16, 16), 255, "uint8")
    pixels[1, :, :8] = 0
    small = small_of(tmp_path, pixels, crs="EPSG:4326", transform=DEGREE, alpha="YES")
    assert parts(small.packed[-1][1])[2] == bytes([0, 0, 1, 1] * 4)
    plain = write_striped(tmp_path / "plain.tif", pixels[:1], crs="EPSG:4326", transform=DEGREE)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(plain, "r+") as raster:
        raster.write_mask(pixels[1])
    copy(plain, tmp_path / "masked.tif", driver="COG")
    with open_file(tmp_path / "masked.tif") as opened:
        small = with_summary(opened, inspect(opened)).raster.small
    assert parts(small.packed[-1][1])[2] == bytes([0, 0, 1, 1] * 4)


def test_a_file_that_does_not_decode_has_none_and_keeps_its_verdict(tmp_path):
    pixels = np.arange(4096, dtype="uint16").reshape(1, 64, 64)
    path = write_cog_of(tmp_path / "a.tif", pixels, crs="EPSG:4326", transform=DEGREE * Affine.scale(0.1))
    with open_file(path) as opened:
        found = inspect(opened)
    body = bytearray(path.read_bytes())
    body[-400:-100] = bytes(300)
    path.write_bytes(body)
    with open_file(path) as opened:
        assert with_summary(opened, found) == found
