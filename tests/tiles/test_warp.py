"""The own warp against rio-tiler: same pixels, same masks, over what rasters come as."""

import math
import warnings
from dataclasses import dataclass

import morecantile
import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer
from rio_tiler.io import Reader

from gateway.ground.address import TileAddress
from gateway.ground.grid import Grids
from gateway.tiles.warp import OtherKernel, Request, draw
from tests.tiles.rasters import MERCATOR, handle_of, landscape, mercator_tile, utm, write


@dataclass(frozen=True)
class Compared:
    """How two drawings of one tile differ, over the pixels that are valid in both."""

    same: float
    mean: float
    largest: float
    mask: float
    valid: float
    span: float


def compared(path, tile, kernel="nearest", tms="WebMercatorQuad", nodata=None, size=256):
    with handle_of(path) as handle:
        own_nodata = handle.view.nodata if nodata is None else nodata
        frame = Grids().frame(TileAddress(tms, tile.z, tile.x, tile.y, size))
        drawn = draw(handle, frame, Request(handle.view.bands, own_nodata, kernel, kernel))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Reader(str(path), tms=morecantile.tms.get(tms)) as reader:
            theirs = reader.tile(
                *(tile.x, tile.y, tile.z),
                tilesize=size,
                nodata=nodata,
                resampling_method=kernel,
                reproject_method=kernel,
            )
    return difference(drawn, theirs)


def difference(drawn, theirs):
    rows, cols = theirs.array.shape[1:]
    ours_mask = np.full((rows, cols), 255) if drawn.mask is None else drawn.mask
    both = (ours_mask > 0) & (theirs.mask > 0)
    assert both.any()
    ours, reference = drawn.pixels[:, both].astype(float), theirs.data[:, both].astype(float)
    off = np.abs(ours - reference)
    return Compared(
        float((off == 0).mean()),
        float(off.mean()),
        float(off.max()),
        float(((ours_mask > 0) != (theirs.mask > 0)).mean()),
        float((ours_mask > 0).mean()),
        float(np.ptp(reference)),
    )


def tile_over(path, zoom, tms="WebMercatorQuad"):
    """Return the tile of a zoom over the middle of a raster."""
    grid = morecantile.tms.get(tms)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Reader(str(path), tms=grid) as reader:
            west, south, east, north = reader.get_geographic_bounds(grid.rasterio_geographic_crs)
    return grid.tile((west + east) / 2 + 1e-4, (south + north) / 2 + 1e-4, zoom)


CRSS = {
    "utm": ("EPSG:32633", utm(), 12),
    "degrees": ("EPSG:4326", Affine(0.0003, 0, 15, 0, -0.0003, 48), 12),
    "mercator": (MERCATOR, Affine(30, 0, 1_700_013, 0, -30, 6_000_007), 12),
    "polar": ("EPSG:3413", Affine(100, 0, -200_000, 0, -100, -1_900_000), 10),
    "antarctic": ("EPSG:3031", Affine(100, 0, 1_000_000, 0, -100, 1_300_000), 9),
    "laea": ("EPSG:3035", Affine(30, 0, 4_500_000, 0, -30, 2_800_000), 12),
}


@pytest.mark.parametrize("zooms", [-3, -1, 1])
@pytest.mark.parametrize("name", CRSS)
def test_nearest_pixels_are_those_of_rio_tiler(tmp_path, name, zooms):
    crs, transform, zoom = CRSS[name]
    path = write(tmp_path / "a.tif", landscape(3, 700, 900), transform, crs)
    found = compared(path, tile_over(path, zoom + zooms))
    # The rest lies less than half a pixel beside. Beyond the edges of a raster that it need not warp, rio-tiler lets
    # GDAL round the place of the whole raster to whole pixels of the tile.
    edge = name == "mercator" and found.valid < 1
    assert found.same >= (0.75 if edge else 0.9)
    assert found.mean < (0.03 if edge else 0.01) * found.span
    assert found.mask <= 0.005


@pytest.mark.parametrize(("zooms", "size"), [(-1, 256), (0, 512), (2, 256)])
@pytest.mark.parametrize("name", CRSS)
def test_no_pixel_comes_from_further_than_an_eighth_beside_its_place(tmp_path, name, zooms, size):
    crs, transform, zoom = CRSS[name]
    rows, cols = np.mgrid[0:700, 0:900].astype("float32")
    path = write(tmp_path / "a.tif", np.stack([cols, rows]), transform, crs, overviews="NONE")
    tile = tile_over(path, zoom + zooms)
    frame = Grids().frame(TileAddress("WebMercatorQuad", tile.z, tile.x, tile.y, size))
    with handle_of(path) as handle:
        drawn = draw(handle, frame, Request((1, 2)))
    x, y = np.meshgrid((np.arange(size) + 0.5) * frame.pixel[0], (np.arange(size) + 0.5) * frame.pixel[1])
    places = Transformer.from_crs(MERCATOR, crs, always_xy=True).transform(frame.left + x, frame.top - y)
    columns, lines = ~transform * places
    held = np.full((size, size), True) if drawn.mask is None else drawn.mask > 0
    off = [np.abs(drawn.pixels[0] + 0.5 - columns)[held], np.abs(drawn.pixels[1] + 0.5 - lines)[held]]
    assert held.any()
    assert np.max(off) <= 0.5 + 1 / 8


@pytest.mark.parametrize("name", CRSS)
def test_interpolated_pixels_differ_by_little_from_those_of_rio_tiler(tmp_path, name):
    crs, transform, zoom = CRSS[name]
    path = write(tmp_path / "a.tif", landscape(3, 700, 900), transform, crs)
    found = compared(path, tile_over(path, zoom + 3), "bilinear")
    assert found.mean < 0.6
    assert found.largest <= 3
    assert found.mask <= 0.005


@pytest.mark.parametrize("kernel", ["nearest", "bilinear"])
@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        ("uint8", 0),
        ("uint16", 0),
        ("uint16", None),
        ("int16", -32768),
        ("float32", math.nan),
        ("float32", -9999.0),
        ("float64", None),
    ],
)
def test_every_type_and_nodata_value_is_drawn_alike(tmp_path, dtype, nodata, kernel):
    pixels = landscape(1, 300, 400, dtype)
    if nodata is not None:
        pixels[:, 100:160, 120:300] = nodata
    path = write(tmp_path / "a.tif", pixels, utm(), nodata=nodata)
    found = compared(path, tile_over(path, 14), kernel)
    assert found.valid < 1 or nodata is None
    assert found.mask <= 0.005
    if kernel == "nearest":
        assert found.same >= 0.9
    else:
        assert found.mean < 0.001 * found.span + 0.5
        # Of a nodata value nothing bleeds into its neighbours.
        assert found.largest < 0.05 * found.span + 1


def test_a_nodata_value_of_the_request_replaces_that_of_the_file(tmp_path):
    pixels = landscape(1, 300, 400)
    pixels[:, 100:200, 100:200] = 77
    path = write(tmp_path / "a.tif", pixels, utm(), nodata=0)
    found = compared(path, tile_over(path, 13), nodata=77)
    assert found.valid < 0.99
    assert found.mask <= 0.005


@pytest.mark.parametrize("crs", ["EPSG:32633", MERCATOR])
@pytest.mark.parametrize("zoom", [10, 12, 13])
def test_a_mask_in_the_file_is_honoured(tmp_path, crs, zoom):
    mask = np.full((300, 400), 255, np.uint8)
    mask[80:200, 150:300] = 0
    transform = utm() if crs != MERCATOR else Affine(30, 0, 1_700_013, 0, -30, 6_000_007)
    path = write(tmp_path / "a.tif", landscape(3, 300, 400), transform, crs, mask=mask)
    found = compared(path, tile_over(path, zoom))
    assert found.valid < 0.9
    # At the edges of a raster that it need not warp GDAL rounds to whole pixels of the tile.
    assert found.mask <= 0.008
    assert found.same >= 0.88


@pytest.mark.parametrize("zoom", [10, 11])
def test_an_alpha_band_is_honoured_with_its_steps(tmp_path, zoom):
    pixels = landscape(4, 300, 400)
    pixels[3] = 255
    pixels[3, 80:200, 150:300] = 0
    pixels[3, 200:280, 150:300] = 128
    path = write(tmp_path / "a.tif", pixels, utm(), alpha=True)
    tile = tile_over(path, zoom)
    found = compared(path, tile)
    assert found.mask <= 0.005
    assert found.same >= 0.9
    with handle_of(path) as handle:
        frame = Grids().frame(TileAddress("WebMercatorQuad", tile.z, tile.x, tile.y))
        drawn = draw(handle, frame, Request(handle.view.bands))
    assert set(np.unique(drawn.mask)) == {0, 128, 255}


def test_a_raster_that_is_stored_upside_down_is_drawn_upright(tmp_path):
    south_up = Affine(30, 0, 500_000, 0, 30, 5_290_000)
    path = write(tmp_path / "a.tif", landscape(3, 300, 400), south_up)
    found = compared(path, tile_over(path, 12))
    assert found.same >= 0.9
    assert found.mask <= 0.005


def test_a_rotated_raster_is_drawn_turned(tmp_path):
    turned = Affine(30, 0, 500_000, 0, -30, 5_300_000) * Affine.rotation(20)
    path = write(tmp_path / "a.tif", landscape(3, 300, 400), turned)
    found = compared(path, tile_over(path, 11))
    assert found.valid < 0.9
    assert found.same >= 0.85
    assert found.mask <= 0.01


@pytest.mark.parametrize("x", [0, 127])
def test_a_raster_over_the_antimeridian_is_drawn_on_both_sides(tmp_path, x):
    path = write(tmp_path / "a.tif", landscape(3, 600, 900), utm(300_000, 1_000_000, 1000), "EPSG:32660")
    tile = morecantile.Tile(x, morecantile.tms.get("WebMercatorQuad").tile(179.9, 6, 7).y, 7)
    found = compared(path, tile)
    assert found.same >= 0.9
    assert found.mask <= 0.005


@pytest.mark.parametrize("x", [0, 63])
def test_degrees_beyond_180_are_turned_round_the_globe(tmp_path, x):
    path = write(tmp_path / "a.tif", landscape(1, 400, 800), Affine(0.02, 0, 172, 0, -0.02, 10), "EPSG:4326")
    tile = morecantile.Tile(x, morecantile.tms.get("WebMercatorQuad").tile(179.9, 6, 6).y, 6)
    with handle_of(path) as handle:
        frame = Grids().frame(TileAddress("WebMercatorQuad", tile.z, tile.x, tile.y))
        drawn = draw(handle, frame, Request((1,)))
        pixels = handle.level(0).read(1)
    middle_longitude = (x + 0.5) * 360 / 64 - 180
    column = int((middle_longitude % 360 - 172) / 0.02)
    assert drawn.mask is None or drawn.mask[128, 128] == 255
    assert np.min(np.abs(pixels[:, column - 2 : column + 3].astype(int) - int(drawn.pixels[0, 128, 128]))) == 0


def test_a_raster_seen_at_both_ends_of_one_tile_is_drawn_at_both(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 400, 800), Affine(0.02, 0, 172, 0, -0.02, 10), "EPSG:4326")
    with handle_of(path) as handle:
        drawn = draw(handle, Grids().frame(TileAddress("WebMercatorQuad", 0, 0, 0)), Request((1,)))
    columns = np.flatnonzero(drawn.mask.any(axis=0))
    assert (columns.min(), columns.max()) == (0, 255)
    assert 8 <= len(columns) <= 13


def test_a_tile_beside_the_raster_is_nothing(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 300, 400), utm())
    with handle_of(path) as handle:
        assert draw(handle, Grids().frame(TileAddress("WebMercatorQuad", 8, 3, 3)), Request((1,))) is None


@pytest.mark.parametrize("size", [256, 512, 333])
def test_tiles_of_any_size_are_drawn_alike(tmp_path, size):
    path = write(tmp_path / "a.tif", landscape(1, 700, 900), utm())
    found = compared(path, tile_over(path, 11), size=size)
    assert found.same >= 0.9
    assert found.mask <= 0.005


@pytest.mark.parametrize(
    "tms", ["WorldCRS84Quad", "UTM31WGS84Quad", "WorldMercatorWGS84Quad", "EuropeanETRS89_LAEAQuad"]
)
def test_other_grids_are_drawn_alike(tmp_path, tms):
    path = write(tmp_path / "a.tif", landscape(1, 700, 900), utm())
    found = compared(path, tile_over(path, 10, tms), tms=tms)
    assert found.same >= 0.9
    assert found.mask <= 0.005


@pytest.mark.parametrize("offset", [0, 3])
def test_the_pixels_of_a_raster_on_the_grid_are_those_of_the_file(tmp_path, offset):
    transform = mercator_tile(8, 137, 88, 10)
    path = write(tmp_path / "a.tif", landscape(3, 1024, 1024), transform, MERCATOR, blocksize=256)
    tile = morecantile.Tile(137 * 4 + offset, 88 * 4 + 1, 10)
    assert compared(path, tile).same == 1
    with handle_of(path) as handle:
        drawn = draw(
            handle, Grids().frame(TileAddress("WebMercatorQuad", *(tile.z, tile.x, tile.y))), Request((1, 2, 3))
        )
        stored = handle.level(0).read()
    at = offset * 256
    assert np.array_equal(drawn.pixels, stored[:, 256:512, at : at + 256])
    assert drawn.mask is None


def test_neighbours_fit_without_a_seam(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 700, 900), utm())
    tile = tile_over(path, 13)
    x, y = tile.x // 2, tile.y // 2
    with handle_of(path) as handle:
        request = Request((1,), reproject="bilinear")
        frames = {
            (dx, dy): Grids().frame(TileAddress("WebMercatorQuad", 13, 2 * x + dx, 2 * y + dy))
            for dx in (0, 1)
            for dy in (0, 1)
        }
        parts = {place: draw(handle, frame, request).pixels[0] for place, frame in frames.items()}
        whole = draw(handle, Grids().frame(TileAddress("WebMercatorQuad", 12, x, y, 512)), request).pixels[0]
    drawn = np.block([[parts[0, 0], parts[1, 0]], [parts[0, 1], parts[1, 1]]])
    assert np.abs(drawn.astype(int) - whole.astype(int)).max() <= 2


@pytest.mark.parametrize(
    "request_",
    [
        Request((1,), reproject="cubic"),
        Request((1,), resampling="average"),
        Request((1,), reproject="bilinear", resampling="bilinear"),
    ],
)
def test_what_gdal_resamples_in_two_steps_is_left_to_it(tmp_path, request_):
    path = write(tmp_path / "a.tif", landscape(1, 700, 900), utm())
    tile = tile_over(path, 9)
    with handle_of(path) as handle, pytest.raises(OtherKernel):
        draw(handle, Grids().frame(TileAddress("WebMercatorQuad", 9, tile.x, tile.y)), request_)


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint32", "int64", "complex64"])
def test_every_type_is_drawn(tmp_path, dtype):
    pixels = landscape(1, 300, 300).astype(np.int16).clip(0, 127).astype(dtype)
    path = write(tmp_path / "a.tif", pixels, utm())
    tile = tile_over(path, 12)
    with handle_of(path) as handle:
        drawn = draw(handle, Grids().frame(TileAddress("WebMercatorQuad", 12, tile.x, tile.y)), Request((1,)))
    assert drawn.pixels.dtype == dtype
    assert np.ptp(drawn.pixels.real) > 0
