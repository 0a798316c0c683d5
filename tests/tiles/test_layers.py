"""Layers have the pixels that `rio_tiler.mosaic` has, whichever value is selected and whatever the files are."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from affine import Affine
from rio_tiler.errors import TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.mosaic import mosaic_reader
from rio_tiler.mosaic.methods import PixelSelectionMethod

from gateway.colour.model import LayerStyle, PixelSelection, Style, TileFormat
from gateway.ground.address import TileAddress
from gateway.tiles import painting
from gateway.tiles.engine import TileEngine
from gateway.tiles.layers import layer_tile
from tests.tiles.rasters import MERCATOR, dataset, landscape, mercator_tile, opener, write

METHODS = {selection: PixelSelectionMethod[selection.value].value for selection in PixelSelection}
NPY, PNG, JPEG = TileFormat.NPY, TileFormat.PNG, TileFormat.JPEG
TILE = TileAddress("WebMercatorQuad", 10, 548, 355, 128)
SIDE = 160


def onto(columns, rows):
    """Return the transform of a raster on the tile's grid, so many pixels beside its corner."""
    base = mercator_tile(TILE.z, TILE.x, TILE.y, TILE.z)
    pixel = base.a * 256 / TILE.size
    return Affine(pixel, 0, base.c + columns * pixel, 0, -pixel, base.f - rows * pixel)


def hills(seed, bands=3, dtype="uint8", rows=SIDE, cols=SIDE):
    return landscape(bands, rows, cols, dtype, seed)


def holed(pixels, value, seed):
    """Return pixels with holes of a value, some of them in single bands."""
    rng = np.random.default_rng(seed)
    found = pixels.copy()
    found[:, rng.random(found.shape[1:]) < 0.3] = value
    found[rng.random(found.shape) < 0.05] = value
    return found


def plain(folder):
    return [write(folder / f"{i}.tif", hills(i), onto(60 * i - 90, 20 * i - 30), MERCATOR) for i in range(3)]


def valued(folder):
    return [
        write(folder / f"{i}.tif", holed(hills(i), value, i), onto(20 * i - 30, -9), MERCATOR, nodata=value)
        for i, value in enumerate((0, 255, 7))
    ]


def masked(folder):
    disc = np.hypot(*(np.mgrid[0:SIDE, 0:SIDE] - SIDE / 2)) < SIDE / 2.3
    return [
        write(folder / f"{i}.tif", hills(i), onto(40 * i - 60, 9 * i - 20), MERCATOR, mask=disc * np.uint8(255))
        for i in range(3)
    ]


def clear(folder):
    ramp = np.tile(np.clip(np.arange(SIDE) * 3, 0, 255).astype(np.uint8), (SIDE, 1))
    return [
        write(folder / f"{i}.tif", np.concatenate([hills(i), ramp[None]]), onto(30 * i - 50, 0), MERCATOR, alpha=True)
        for i in range(3)
    ]


def floating(folder):
    return [
        write(
            folder / f"{i}.tif",
            holed(hills(i, 2, "float32"), np.nan, i),
            onto(30 * i - 50, 0),
            MERCATOR,
            nodata=float("nan"),
        )
        for i in range(3)
    ]


def mixed(folder):
    types = ("uint8", "uint16", "float32")
    return [
        write(folder / f"{i}.tif", hills(i, 2, dtype), onto(50 * i - 70, 0), MERCATOR)
        for i, dtype in enumerate(types)
    ]


FILES = {made.__name__: made for made in (plain, valued, masked, clear, floating, mixed)}


class Layer:
    """An engine over a folder of files, and their records in the order of their names."""

    def __init__(self, paths):
        self.paths = paths
        self.members = []
        for path in paths:
            storages, record = dataset(path.parent, path.name)
            self.members.append(replace(record, id=path.stem))
        self.opened = []

        def opened(version):
            self.opened.append(version.id)
            return opener(storages)(version)

        self.engine = TileEngine(opened, handles=8)

    def tile(self, how, address=TILE, members=None, whole=True):
        return layer_tile(self.engine, self.members if members is None else members, address, how, whole)

    def values(self, selection, style=None, address=TILE):
        """Return what a tile has of values: a masked array."""
        found = painting.Painting(
            self.engine.frame(address),
            LayerStyle(style or Style(), NPY, selection),
            painting.Blocks(self.engine.grids, address),
        )
        found.paint(self.engine, self.members)
        drawn, _, _ = found.values()
        mask = np.zeros(drawn.pixels.shape, bool)
        mask |= False if drawn.mask is None else drawn.mask == 0
        mask |= False if drawn.lacking is None else drawn.lacking
        return np.ma.MaskedArray(drawn.pixels, mask)


def reference(paths, selection, address=TILE, **options):
    """Return what rio-tiler's mosaic of the files has."""

    def read(path, *place, **kwargs):
        with Reader(str(path)) as raster:
            return raster.tile(*place, **kwargs)

    place = address.x, address.y, address.z
    method = METHODS[selection]
    options = {"pixel_selection": method, "threads": 0, "tilesize": address.size} | options
    return mosaic_reader(paths, read, *place, allowed_exceptions=(TileOutsideBounds,), **options)[0].array


@contextmanager
def layer_of(paths):
    layer = Layer(paths)
    try:
        yield layer
    finally:
        layer.engine.close()


@pytest.fixture(scope="module", params=FILES)
def files(request, tmp_path_factory):
    with layer_of(FILES[request.param](tmp_path_factory.mktemp(request.param))) as layer:
        yield layer


@pytest.mark.parametrize("selection", PixelSelection)
def test_a_layer_has_the_pixels_of_rio_tiler_s_mosaic(files, selection):
    ours, theirs = files.values(selection), reference(files.paths, selection)
    assert ours.shape == theirs.shape
    np.testing.assert_array_equal(np.ma.getmaskarray(ours), np.ma.getmaskarray(theirs))
    if files.paths[0].parent.name.startswith("mixed") and selection in (PixelSelection.MEAN, PixelSelection.MEDIAN):
        # There the type of the first file holds, in which greater values wrap round.
        theirs = reference(files.paths, selection, pixel_selection=METHODS[selection](enforce_data_type=False))
    exact = selection not in (PixelSelection.MEAN, PixelSelection.STDEV)
    np.testing.assert_allclose(ours.filled(0), theirs.filled(0), rtol=0 if exact else 1e-4, atol=0 if exact else 1e-3)
