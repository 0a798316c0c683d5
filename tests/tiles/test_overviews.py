"""The base of an overview has the pixels of rio-tiler's mosaic, as its layer has them; the file is a true COG."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine

from gateway.cog import inspect
from gateway.colour.model import PixelSelection
from gateway.files import open_file
from gateway.ground.address import TileAddress
from gateway.ground.tilecover import TileRange
from gateway.tiles.overviews import (
    Differs,
    Unreadable,
    base_in,
    common,
    finish,
    grid_of,
    kind_of,
)
from tests.tiles.rasters import MERCATOR, UTM, landscape, utm, write
from tests.tiles.test_layers import FILES, SIDE, hills, holed, layer_of, onto, reference

# Of the pixels of the files there.
TILE = TileAddress("WebMercatorQuad", 9, 274, 177)


def valued(folder):
    """Return files that all say the same value where they have none."""
    return [write(folder / f"{i}.tif", holed(hills(i), 0, i), onto(20 * i - 30, -9), MERCATOR, nodata=0)
            for i in range(3)]  # fmt: skip


LAYERS = {**{name: FILES[name] for name in ("plain", "masked", "floating")}, "valued": valued}


def overview(layer, folder, tiles=None):
    """Return the file over a layer at the zoom level of TILE, and its kind."""
    kind = common((member.id, kind_of(layer.engine, member)) for member in layer.members)
    tiles = tiles or TileRange(TILE.x - 1, TILE.y - 1, TILE.x + 2, TILE.y + 2)
    grid, base, target = grid_of(tiles, TILE.z), folder / "base.tif", folder / "overview.tif"
    with base_in(base, layer.engine, grid, kind) as painted:
        for y in range(tiles.top, tiles.bottom):
            for x in range(tiles.left, tiles.right):
                painted.paint(replace(TILE, x=x, y=y), layer.members)
    finish(base, target, grid, kind)
    with open_file(target) as made:
        assert inspect(made, depth="full").report.findings == ()
    return target, grid, kind


def tile_of(path, grid, address):
    """Return a tile of the base: a masked array."""
    with rasterio.open(path) as raster:
        return raster.read(masked=True, window=grid.window(address))


@pytest.mark.parametrize("name", LAYERS)
def test_the_base_has_the_pixels_of_rio_tiler_s_mosaic(name, tmp_path):
    with layer_of(LAYERS[name](tmp_path)) as layer:
        path, grid, kind = overview(layer, tmp_path)
        for address in (TILE, replace(TILE, x=TILE.x - 1)):
            ours, theirs = tile_of(path, grid, address), reference(layer.paths, PixelSelection.FIRST, address)
            np.testing.assert_array_equal(np.ma.getmaskarray(ours), np.ma.getmaskarray(theirs))
            np.testing.assert_array_equal(ours.filled(0), theirs.filled(0))
            assert 0.05 < np.ma.getmaskarray(ours).mean() < 1
        assert kind.masked == (name in ("plain", "masked"))


@pytest.mark.parametrize("name", ["plain", "valued"])
def test_an_overview_without_a_pixel_is_empty(name, tmp_path):
    tiles = TileRange(TILE.x + 3, TILE.y, TILE.x + 4, TILE.y + 1)
    with layer_of(LAYERS[name](tmp_path)) as layer:
        path, grid, _ = overview(layer, tmp_path, tiles)
        assert np.ma.getmaskarray(tile_of(path, grid, replace(TILE, x=tiles.left))).all()


def test_the_blocks_of_each_level_are_tiles_and_no_seam_lies_between_them(tmp_path):
    """What lies across the edges of blocks is what one larger tile has that is painted of the same files at once."""
    place = Affine(0.002, 0, 13.1, 0, -0.002, 48.75)
    paths = [
        write(tmp_path / "0.tif", hills(0, rows=300, cols=300), utm(360_000, 5_385_000, 100), UTM),
        write(tmp_path / "1.tif", hills(1, rows=300, cols=300), place, "EPSG:4326"),
    ]
    with layer_of(paths) as layer:
        path, grid, _ = overview(layer, tmp_path)
        assert (grid.levels, grid.size) == (2, (1024, 1024))
        with rasterio.open(path) as raster:
            assert raster.block_shapes == [(256, 256)] * 3
            assert raster.overviews(1) == [2, 4]
            assert raster.colorinterp[0].name == "red"
            whole = raster.read(masked=True)
        big = TileAddress(TILE.tms, TILE.z - 1, TILE.x // 2, TILE.y // 2, tilesize=512)
        at_once, theirs = layer.values(PixelSelection.FIRST, address=big), reference(paths, PixelSelection.FIRST, big)
    left, top = (2 * big.x - grid.tiles.left) * 256, (2 * big.y - grid.tiles.top) * 256
    ours = whole[:, top : top + 512, left : left + 512]
    assert 0.2 < ours.mask.mean() < 0.8
    for other, share in ((at_once, 0.995), (theirs, 0.93)):
        assert (ours.mask == other.mask).mean() > 0.995
        same = (ours.filled(0) == other.filled(0)).all(axis=0)
        assert same.mean() > share
        # As good where blocks meet.
        assert same[:, 255:257].mean() > share - 0.02
        assert same[255:257].mean() > share - 0.02


def told(folder, name, pixels, **options):
    return write(folder / name, pixels, onto(0, 0), MERCATOR, **options)


def test_what_is_told_of_bands_is_kept_where_all_say_the_same(tmp_path):
    grey = landscape(1, 64, 64, "int16")
    scaled = {"nodata": -1, "scales": (0.5,), "offsets": (3,)}
    with layer_of([told(tmp_path, f"{i}.tif", grey, **scaled) for i in range(2)]) as layer:
        path, *_ = overview(layer, tmp_path)
        with rasterio.open(path) as raster:
            assert (raster.nodata, raster.scales, raster.offsets) == (-1, (0.5,), (3.0,))
    colours = {"colours": {1: (255, 0, 0, 255), 2: (0, 255, 0, 255)}}
    numbers = np.full((1, 64, 64), 2, "uint8")
    with layer_of([told(tmp_path, f"c{i}.tif", numbers, **colours) for i in range(2)]) as layer:
        path, *_ = overview(layer, tmp_path)
        with rasterio.open(path) as raster:
            assert raster.colormap(1)[2] == (0, 255, 0, 255)
    other = told(tmp_path, "other.tif", numbers, colours={2: (9, 9, 9, 255)})
    with layer_of([tmp_path / "c0.tif", other]) as layer, pytest.raises(Differs, match="other has other colours"):
        overview(layer, tmp_path)


def test_datasets_of_other_kinds_are_named(tmp_path):
    one = told(tmp_path, "0.tif", landscape(1, 64, 64))
    for name, pixels, why in (
        ("bands", landscape(3, 64, 64), "bands has 3 bands, others 1"),
        ("type", landscape(1, 64, 64, "uint16"), "type has values of type uint16, others uint8"),
        ("complex", landscape(1, 64, 64, "float32").astype("complex64"), "complex numbers"),
    ):
        other = told(tmp_path, f"{name}.tif", pixels)
        with layer_of([one, other]) as layer, pytest.raises(Differs, match=why):
            overview(layer, tmp_path)


ONE = TileRange(TILE.x, TILE.y, TILE.x + 1, TILE.y + 1)


def test_a_band_that_lacks_a_value_alone_cannot_be_told_by_a_mask(tmp_path):
    # Their nodata values differ.
    with layer_of(FILES["valued"](tmp_path)) as layer, pytest.raises(Differs, match="some bands lack a value"):
        overview(layer, tmp_path, ONE)


def test_a_file_that_cannot_be_read_is_named_and_one_under_full_ones_is_not_opened(tmp_path):
    over = write(tmp_path / "over.tif", landscape(3, 2 * SIDE, 2 * SIDE), onto(-20, -150), MERCATOR)
    with layer_of([over, *FILES["plain"](tmp_path)]) as layer:
        gone = replace(layer.members[1], id="gone", key="gone.tif")
        with pytest.raises(Unreadable, match="dataset gone: No such object"):
            kind_of(layer.engine, gone)
        kind, grid = kind_of(layer.engine, layer.members[0]), grid_of(ONE, TILE.z)
        assert grid.levels == 0
        with base_in(tmp_path / "base.tif", layer.engine, grid, kind) as base:
            base.paint(TILE, [layer.members[0], gone])
            with pytest.raises(Unreadable, match="gone"):
                base.paint(TILE, [layer.members[1], gone])
