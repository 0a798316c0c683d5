"""Layers have the pixels that `rio_tiler.mosaic` has, whichever value is selected and whatever the files are."""

import io
from contextlib import contextmanager
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from affine import Affine
from rio_tiler.errors import TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.mosaic import mosaic_reader
from rio_tiler.mosaic.methods import PixelSelectionMethod

from gateway.colour.model import LayerStyle, PixelSelection, Stretch, Style, TileFormat
from gateway.errors import BadParameter, NotFound, Unavailable
from gateway.ground.address import TileAddress
from gateway.tiles import composite, painting, small
from gateway.tiles.engine import TileEngine
from gateway.tiles.layers import layer_part, layer_point, layer_statistics, layer_tile
from tests.tiles.rasters import MERCATOR, UTM, dataset, landscape, mercator_tile, opener, utm, write

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


def picture(layer, how, **options):
    return layer.tile(how, **options).encoded


@pytest.fixture(scope="module")
def warped(tmp_path_factory):
    """A layer of files of three CRS, each of other resolution, over a part of the tile."""
    folder = tmp_path_factory.mktemp("warped")
    metres = write(folder / "0.tif", hills(0), utm(324_000, 5_346_000, 100), UTM)
    degrees = write(folder / "1.tif", hills(1), Affine(0.001, 0, 12.75, 0, -0.001, 48.2), "EPSG:4326")
    with layer_of([metres, degrees, write(folder / "2.tif", hills(2), onto(-10, -10), MERCATOR)]) as layer:
        yield layer


def test_files_of_other_crs_and_resolution_stand_side_by_side(warped):
    ours, theirs = warped.values(PixelSelection.FIRST), reference(warped.paths, PixelSelection.FIRST)
    assert not ours.mask.any()
    assert not theirs.mask.any()
    # What is left is the half pixel of GDAL's approximate transform (compare_tiles.py).
    assert (ours == theirs).all(axis=0).mean() > 0.93
    found = warped.tile(LayerStyle(Style(), PNG))
    assert (found.used, found.encoded.way) == (("0", "1", "2"), "hot")


def test_what_gdal_resamples_is_told(warped):
    cubic = Style(resampling="cubic", reproject="cubic")
    assert picture(warped, LayerStyle(cubic, PNG)).way == "rio-tiler"
    ours = warped.values(PixelSelection.MEAN, cubic)
    theirs = reference(warped.paths, PixelSelection.MEAN, resampling_method="cubic", reproject_method="cubic")
    assert np.abs(ours.astype(int) - theirs.astype(int)).mean() < 3


def test_expression_and_scale_are_of_each_file(tmp_path):
    one = write(tmp_path / "0.tif", hills(1, 2), onto(-70, 0), MERCATOR, scales=(2.0, 1.0), offsets=(1.0, 0.0))
    two = write(tmp_path / "1.tif", hills(2, 2), onto(20, 0), MERCATOR, scales=(3.0, 1.0), offsets=(0.0, 5.0))
    with layer_of([one, two]) as layer:
        for told in ({"unscale": True}, {"expression": "b1/(b2+b1)"}):
            ours = layer.values(PixelSelection.LOWEST, Style(**told))
            theirs = reference(layer.paths, PixelSelection.LOWEST, **told)
            np.testing.assert_array_equal(np.ma.getmaskarray(ours), np.ma.getmaskarray(theirs))
            np.testing.assert_allclose(ours.filled(0), theirs.filled(0), rtol=1e-6)


def test_files_are_opened_and_read_only_until_the_tile_is_full(tmp_path):
    paths = [write(tmp_path / f"{i}.tif", hills(i, 1), onto(-9, -9), MERCATOR) for i in range(3)]
    with layer_of(paths) as layer:
        assert layer.tile(LayerStyle(Style(), PNG)).used == ("0",)
        assert layer.opened == ["0"]
        # The first ones of many: they cover the tile, or all are asked for.
        assert layer.tile(LayerStyle(Style(), PNG), whole=False).used == ("0",)
        beside = replace(TILE, x=TILE.x + 1)
        assert layer.tile(LayerStyle(Style(), PNG), address=beside, whole=False) is None
        assert layer.tile(LayerStyle(Style(), PNG), address=beside).used == ("0",)


def test_a_stored_block_is_the_tile_where_nothing_lies_over_it(tmp_path):
    address = TileAddress("WebMercatorQuad", 10, 548, 352)
    aligned = mercator_tile(10, 548, 352, 10)
    options = {"compress": "JPEG", "blocksize": 256, "overview_resampling": "average"}
    stored = write(tmp_path / "0.tif", hills(0, rows=512, cols=512), aligned, MERCATOR, **options)
    over = write(tmp_path / "1.tif", hills(1), aligned, MERCATOR)
    how = LayerStyle(Style(), JPEG)
    with layer_of([stored, over]) as layer:
        found = layer.tile(how, address=address)
        assert (found.encoded.way, found.used) == ("passthrough", ("0",))
        assert picture(layer, how, address=address, members=layer.members[::-1]).way == "hot"
        for other in (Style(rescale=((0, 9),)), Style(nodata=1)):
            assert picture(layer, replace(how, style=other), address=address).way == "hot"
        assert picture(layer, replace(how, stretch=Stretch(((0, 9),) * 3)), address=address).way == "hot"
        assert picture(layer, replace(how, selection=PixelSelection.MEAN), address=address).way == "hot"


def test_one_stretch_holds_for_all_tiles_whichever_file_lies_there(tmp_path):
    paths = [
        write(tmp_path / "0.tif", np.full((1, 128, 64), 100, np.uint8), onto(0, 0), MERCATOR),
        write(tmp_path / "1.tif", np.full((1, 128, 64), 100, np.uint16), onto(64, 0), MERCATOR),
    ]
    how = LayerStyle(Style(), PNG, stretch=Stretch(((0.0, 400.0),)))
    with layer_of(paths) as layer:
        whole = decoded(picture(layer, how))
        assert (whole[..., 0] == 63).all()
        alone = decoded(picture(layer, how, members=layer.members[:1]))
        assert (alone[:, :64, 0] == 63).all()
        spread = decoded(picture(layer, replace(how, selection=PixelSelection.STDEV)))
        assert (spread[..., 0] == 0).all()
        assert (decoded(picture(layer, replace(how, selection=PixelSelection.COUNT)))[..., 0] == 1).all()


def decoded(encoded):
    return imagecodecs.png_decode(encoded.body).reshape(TILE.size, TILE.size, -1)


def test_files_that_do_not_go_together_are_named(tmp_path):
    one = write(tmp_path / "one.tif", hills(1, 1), onto(-90, 0), MERCATOR)
    three = write(tmp_path / "three.tif", hills(2, 3), onto(50, 0), MERCATOR)
    with layer_of([one, three]) as layer:
        with pytest.raises(BadParameter, match="dataset three has 3 bands"):
            layer.tile(LayerStyle(Style(), PNG))
        assert layer.tile(LayerStyle(Style(bidx=(1,)), PNG)).used == ("one", "three")
        with pytest.raises(BadParameter, match="two bands"):
            layer.tile(LayerStyle(Style(bidx=(1,)), PNG, PixelSelection.LASTBANDHIGH))


def test_files_with_other_colours_of_their_own_are_named(tmp_path):
    paths = [
        write(tmp_path / f"{i}.tif", np.full((1, 90, 70), 3, np.uint8), onto(60 * i, 0), MERCATOR, colours=colours)
        for i, colours in enumerate([{3: (255, 0, 0, 255)}, {3: (255, 0, 0, 255)}, {3: (0, 0, 255, 255)}])
    ]
    with layer_of(paths) as layer:
        red = decoded(picture(layer, LayerStyle(Style(), PNG), members=layer.members[:2]))
        assert (red[:90, :128, :3] == (255, 0, 0)).all()
        with pytest.raises(BadParameter, match="dataset 2 has other colours"):
            layer.tile(LayerStyle(Style(), PNG), members=[layer.members[0], layer.members[2]])
        how = LayerStyle(Style(colormap=((3, (0, 9, 0, 255)),)), PNG)
        assert layer.tile(how, members=[layer.members[0], layer.members[2]]).used == ("0", "2")


def test_what_is_held_is_bounded_in_pixels_bands_files_and_time(files, monkeypatch):
    monkeypatch.setattr(composite, "MAX_STACK_BYTES", 1000)
    with pytest.raises(BadParameter, match="limit_assets"):
        files.tile(LayerStyle(Style(), NPY, PixelSelection.MEDIAN))
    monkeypatch.setattr(painting, "MAX_VALUES", 128 * 128)
    with pytest.raises(BadParameter, match="pixel_selection"):
        files.tile(LayerStyle(Style(), NPY, PixelSelection.MEAN))
    monkeypatch.setattr(painting, "MAX_SECONDS", -1.0)
    with pytest.raises(Unavailable, match="limit_assets"):
        files.tile(LayerStyle(Style(), NPY))


def test_nothing_there_is_an_empty_tile(warped):
    far = replace(TILE, x=3)
    for format, members in ((PNG, None), (JPEG, []), (NPY, None), (NPY, [])):
        found = warped.tile(LayerStyle(Style(), format), address=far, members=members)
        assert (found.encoded.way, found.used) == ("empty", ())


@pytest.mark.parametrize("selection", [PixelSelection.FIRST, PixelSelection.STDEV, PixelSelection.COUNT])
@pytest.mark.parametrize("style", [Style(), Style(bidx=(2, 1)), Style(expression="b1/b2")])
def test_values_have_the_bands_and_the_type_of_the_layer_where_there_are_none(warped, selection, style):
    how = LayerStyle(style, NPY, selection)
    found, empty = (
        np.load(io.BytesIO(warped.tile(how, address=address).encoded.body)) for address in (TILE, replace(TILE, x=3))
    )
    assert (empty.shape, empty.dtype) == (found.shape, found.dtype)
    assert selection is PixelSelection.COUNT or (empty[-1] <= 0).all()


def test_a_part_a_point_and_statistics_of_a_layer(warped):
    bounds = warped.engine.frame(TILE).bounds
    where = bounds, (MERCATOR, None)
    how = LayerStyle(Style(), NPY)
    found = layer_part(warped.engine, warped.members, where, how, (None, 128, 128))
    part, tile = (np.load(io.BytesIO(each.encoded.body)) for each in (found, warped.tile(how)))
    np.testing.assert_array_equal(part, tile)
    counted = layer_statistics(warped.engine, warped.members, where, LayerStyle(Style()), (128, None, None), {})
    assert counted["bands"]["b1"]["mean"] == pytest.approx(part[0].mean(), abs=1)
    place = (bounds[0] + 900, bounds[1] + 900)
    told = layer_point(warped.engine, warped.members, place, MERCATOR, Style())
    assert [asset["name"] for asset in told["assets"]] == ["2"]
    assert told["assets"][0]["values"] == part[:3, -3, 2].tolist()
    with pytest.raises(NotFound):
        layer_part(warped.engine, [], where, how, (None, 128, 128))
    with pytest.raises(NotFound):
        layer_statistics(
            warped.engine, warped.members, ((0, 0, 1, 1), (None, None)), LayerStyle(Style()), (9, None, None), {}
        )


def test_far_zooms_are_drawn_from_small_copies_that_are_read_once(tmp_path, monkeypatch):
    disc = np.hypot(*(np.mgrid[0:600, 0:600] - 300)) < 250
    smooth = (np.add(*np.mgrid[0:600, 0:600]) / 5).astype(np.uint8)[None] + 1
    one = write(tmp_path / "0.tif", smooth, onto(0, 0), MERCATOR, mask=disc * np.uint8(255))
    two = write(tmp_path / "1.tif", smooth[:, ::-1], utm(400_000, 5_346_000, 150), UTM, nodata=0)
    address = TileAddress("WebMercatorQuad", TILE.z - 4, TILE.x >> 4, TILE.y >> 4, 128)
    reads = []
    read = small.read_source
    monkeypatch.setattr(small, "read_source", lambda handle, *how: reads.append(1) or read(handle, *how))
    with layer_of([one, two]) as layer:
        ours = layer.values(PixelSelection.FIRST, address=address)
        theirs = reference(layer.paths, PixelSelection.FIRST, address=address)
        both = ~(np.ma.getmaskarray(ours) | np.ma.getmaskarray(theirs))
        # Within a pixel of the picture, at the edges too.
        assert (np.ma.getmaskarray(ours) != np.ma.getmaskarray(theirs)).mean() < 0.01
        assert np.abs(ours.data[both].astype(int) - theirs.data[both].astype(int)).max() <= 8
        many = len(reads)
        assert many
        again = layer.values(PixelSelection.LOWEST, address=address)
        assert (len(reads), again.shape) == (many, ours.shape)
        # As near as the file's own overviews it is these that are read.
        layer.values(PixelSelection.FIRST)
        assert len(reads) == many
