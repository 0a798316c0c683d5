"""Tiles of whole extents hold the pixels that the exact inverse transform says, in every grid and over every seam."""

from contextlib import ExitStack

import morecantile
import numpy as np
import pytest
from affine import Affine

from gateway.colour.model import Style, TileFormat
from gateway.errors import BadParameter
from gateway.ground.address import TileAddress
from gateway.ground.grid import Grids
from gateway.tiles import resampled
from gateway.tiles.drawing import read
from gateway.tiles.warp import Request, draw
from tests.tiles.extents import EXTENTS, extent_raster, pixels_inside, places_of
from tests.tiles.rasters import UTM, engine_of, handle_of, landscape, utm, write

GRIDS = Grids()


def held(drawn, frame):
    if drawn is None:
        return np.zeros(frame.shape, bool)
    return np.ones(frame.shape, bool) if drawn.mask is None else drawn.mask > 0


def may_hold(name, tms, zoom):
    """Return the tiles of a zoom over which, or next to which, the tile of zoom 0 has data."""
    whole = pixels_inside(name, GRIDS.frame(TileAddress(tms, 0, 0, 0)))
    side = whole.shape[0] >> zoom
    beside = np.pad(whole, 1)
    return [
        (x, y)
        for x, y in tiles_of(tms, zoom)
        if beside[y * side : (y + 1) * side + 2, x * side : (x + 1) * side + 2].any()
    ]


def tiles_of(tms, zoom, most=8):
    matrix = morecantile.tms.get(tms).matrix(zoom)
    columns, rows = (range(min(count, most)) for count in (matrix.matrixWidth, matrix.matrixHeight))
    return [(x, y) for x in columns for y in rows]


@pytest.mark.parametrize(("name", "tms"), [("Web Mercator, all round", "WebMercatorQuad"), ("world", "WGS1984Quad")])
def test_tiles_of_a_raster_all_round_the_globe_hold_the_pixels_of_their_places(tmp_path, name, tms):
    with handle_of(extent_raster(tmp_path / "a.tif", name)) as handle:
        whole, (width, height) = handle.level(0).read(1), handle.view.size
        for x, y in tiles_of(tms, 1):
            # So large that none is a stored block or coarser than the raster.
            frame = GRIDS.frame(TileAddress(tms, 1, x, y, tilesize=700))
            drawn = draw(handle, frame, Request((1,)))
            column, row = next(
                place
                for place in places_of(name, frame)
                if 0 <= place[0].mean() < width and 0 <= place[1].mean() < height
            )
            assert drawn.mask is None or drawn.mask.min() > 0
            beside = drawn.pixels[0] != whole[row.astype(int), column.astype(int)]
            assert beside.mean() < 0.001


@pytest.mark.parametrize("name", EXTENTS)
def test_every_pixel_of_the_data_is_drawn_and_no_other(tmp_path, name):
    path = extent_raster(tmp_path / "a.tif", name)
    with handle_of(path) as handle:
        for zoom, tiles in (
            (0, [(0, 0)]),
            (1, tiles_of("WebMercatorQuad", 1)),
            (3, may_hold(name, "WebMercatorQuad", 3)),
        ):
            for x, y in tiles:
                frame = GRIDS.frame(TileAddress("WebMercatorQuad", zoom, x, y))
                expected = pixels_inside(name, frame)
                found = held(draw(handle, frame, Request((1,))), frame)
                # An eighth of a source pixel beside its place.
                assert (found != expected).sum() <= 8, (zoom, x, y)


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """The world from either meridian on, by name."""
    folder, names = tmp_path_factory.mktemp("worlds"), ("world", "world, 0..360")
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(handle_of(extent_raster(folder / f"{number}.tif", name)))
            for number, name in enumerate(names)
        }


@pytest.mark.parametrize("tms", sorted(morecantile.tms.list()))
def test_the_world_is_whole_in_every_grid(worlds, tms):
    grid = morecantile.tms.get(tms)
    for zoom in range(grid.minzoom, min(grid.maxzoom, 1) + 1):
        for x, y in tiles_of(tms, zoom, 4):
            frame = GRIDS.frame(TileAddress(tms, zoom, x, y))
            for name, handle in worlds.items():
                found = held(draw(handle, frame, Request((1,))), frame)
                assert (found != pixels_inside(name, frame)).sum() <= 4, (name, zoom, x, y)


@pytest.mark.parametrize(
    "style", [Style(reproject="cubic", resampling="cubic"), Style(expression="b1*2"), Style(resampling="average")]
)
@pytest.mark.parametrize(
    "name", ["LAEA Europe", "world, 0..360", "172..186", "geostationary sector", "UTM over the antimeridian"]
)
def test_other_resamplings_and_expressions_reach_as_far(tmp_path, name, style):
    path = extent_raster(tmp_path / "a.tif", name)
    with engine_of(path) as (engine, record):
        for zoom in (0, 2):
            for x, y in may_hold(name, "WebMercatorQuad", zoom):
                address = TileAddress("WebMercatorQuad", zoom, x, y)
                expected = pixels_inside(name, GRIDS.frame(address))
                if not expected.any():
                    continue
                tile = engine.tile(record, address, style, TileFormat.NPY)
                found = values(tile)[-1] > 0
                assert found.sum() >= 0.97 * expected.sum() - 12, (zoom, x, y)
                assert not (found & ~expected).sum() > 8, (zoom, x, y)


@pytest.mark.parametrize("kernel", ["bilinear", "cubic", "average", "lanczos"])
def test_the_kernel_that_was_asked_for_is_taken_on_the_grid_of_the_other_pole(tmp_path, kernel):
    """GDAL cannot size an Antarctic map on the Arctic grid as a whole: it has no end there."""
    pixels = landscape(1, 400, 400)
    path = write(tmp_path / "a.tif", pixels, Affine(60_000, 0, -12_000_000, 0, -60_000, 12_000_000), "EPSG:3031")
    frame = GRIDS.frame(TileAddress("UPSArcticWGS84Quad", 2, 0, 0))
    with handle_of(path) as handle:
        nearest = draw(handle, frame, Request((1,)))
        found, way = read(handle, frame, Style(resampling=kernel, reproject=kernel))
    seen = held(nearest, frame)
    assert way == ("hot" if kernel == "bilinear" else "rio-tiler")
    assert (held(found, frame) == seen).all()
    inner = seen & (nearest.pixels[0] > 0)
    off = np.abs(found.pixels[0].astype(int) - nearest.pixels[0])[inner]
    # Like it, and not the same.
    assert 0.5 < off.mean() < 25


@pytest.mark.parametrize("bands", [1, 40])
def test_a_warp_is_counted_with_every_band_of_the_file(tmp_path, monkeypatch, bands):
    """GDAL warps them all, also where one is read."""
    path = write(tmp_path / "a.tif", np.ones((bands, 64, 64), "uint8"), utm(), UTM, interleave="BAND")
    frame = GRIDS.frame(TileAddress("WebMercatorQuad", 11, 1109, 713))
    monkeypatch.setattr(resampled, "MAX_WARPED_VALUES", 100_000)
    with handle_of(path) as handle:
        request = Request((1,), None, "cubic", "cubic")
        if bands == 1:
            assert held(resampled.resampled(handle, frame, request), frame).any()
            return
        with pytest.raises(BadParameter, match="the limit is 100000"):
            resampled.resampled(handle, frame, request)


def values(tile):
    import io

    return np.load(io.BytesIO(tile.body))
