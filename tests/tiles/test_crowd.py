"""A tile painted from small pictures has the pixels that it has when it is painted from the files."""

import io
from dataclasses import replace

import numpy as np
import pytest

from gateway.cog import inspect
from gateway.cog.smallpictures import SIDES
from gateway.cog.summary import with_summary
from gateway.colour.model import LayerStyle, PixelSelection, Style, TileFormat
from gateway.errors import BadParameter, NotFound, Unavailable
from gateway.files import open_file
from gateway.ground.address import TileAddress
from gateway.ground.systems import transform_of
from gateway.tiles import crowd
from gateway.tiles.crowd import crowd_part, crowd_statistics, crowd_tile
from gateway.tiles.engine import TileEngine
from gateway.tiles.layers import layer_part, layer_statistics, layer_tile
from tests.tiles.rasters import dataset, landscape, opener, utm, write

# Scenes of so many pixels and metres a pixel, and a tile that holds them in a few pixels less.
SIDE, METRES, ACROSS = 64, 600, 4
TILE = TileAddress("WebMercatorQuad", 7, 67, 44, 256)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Scenes in two zones of UTM that lie over each other's edges, one masked by a nodata value: engine and files."""
    folder = tmp_path_factory.mktemp("crowd")
    found = []
    for number in range(ACROSS * ACROSS):
        row, column = divmod(number, ACROSS)
        pixels = landscape(3, SIDE, SIDE, "uint8", number)
        if number == 5:
            pixels[:, 10:30] = 0
        zone = "EPSG:32632" if column % 2 else "EPSG:32633"
        corner = 470_000 + 33_000 * column, 5_400_000 - 33_000 * row
        place = utm(*(round(float(each)) for each in transform_of("EPSG:32632", zone)(*corner)), METRES)
        path = write(folder / f"{number}.tif", pixels, place, zone, nodata=0)
        with open_file(path) as opened:
            small = with_summary(opened, inspect(opened)).raster.small
        storages, record = dataset(folder, path.name)
        found.append((replace(record, id=str(number)), dict(small.packed)))
    engine = TileEngine(opener(storages), handles=32)
    yield engine, found
    engine.close()


def both(scenes, side, address=TILE, selection=PixelSelection.FIRST, bare=(), **style):
    """Return a tile by the files and by the pictures, and what these have used; of `bare` ones there is no picture."""
    engine, found = scenes
    how = LayerStyle(Style(**style), TileFormat.NPY, selection)
    members = [record for record, _ in found]
    files = layer_tile(engine, members, address, how, True)
    bodies = [None if number in bare else packed[side] for number, (_, packed) in enumerate(found)]
    crowd = [record.id for record in members], bodies
    pictures = crowd_tile(engine, [members[0], *(members[number] for number in bare)], address, crowd, how)
    return *(np.load(io.BytesIO(each.body)) for each in (files, pictures)), files.used, pictures.used


def alike(one, other):
    """Return the share of pixels that are the same."""
    assert one.shape == other.shape
    return (one == other).all(axis=0).mean()


@pytest.mark.parametrize("tms", ["WebMercatorQuad", "WorldCRS84Quad"])
def test_both_have_the_same_pixels(scenes, tms):
    address = TILE if tms == TILE.tms else replace(TILE, tms=tms, z=6, x=67, y=14)
    files, pictures, used, seen = both(scenes, SIDES[0], address)
    assert seen == used
    assert (files[-1] > 0).mean() > 0.15
    assert alike(files[-1:], pictures[-1:]) > 0.995
    assert alike(files, pictures) > 0.95


def test_less_pixels_lie_at_the_same_place(scenes):
    files, pictures, _, used = both(scenes, SIDES[1], bidx=(2,))
    assert alike(files[-1:], pictures[-1:]) > 0.97
    assert len(files) == 2
    assert len(used) == ACROSS * ACROSS
    there = (files[-1] > 0) & (pictures[-1] > 0)
    assert np.abs(files[0].astype(int) - pictures[0])[there].mean() < 16


def test_the_style_is_that_of_values_of_each(scenes):
    files, pictures, *_ = both(scenes, SIDES[0], expression="b1+b2")
    assert alike(files, pictures) > 0.95
    files, pictures, *_ = both(scenes, SIDES[0], nodata=300.0 - 45)
    assert (pictures[-1] > 0).mean() == pytest.approx((files[-1] > 0).mean(), abs=0.01)


def test_in_parts_it_is_the_same(scenes, monkeypatch):
    _, whole, *_ = both(scenes, SIDES[0])
    monkeypatch.setattr(crowd, "TOGETHER", 1000)
    _, parts, *_ = both(scenes, SIDES[0])
    assert np.array_equal(whole, parts)


def test_nothing_there_is_an_empty_tile_and_troubles_are_told(scenes, monkeypatch):
    engine, [(first, packed), *_] = scenes
    beside, how = replace(TILE, x=3), LayerStyle(Style(), TileFormat.PNG)
    for told in ((["a"], [packed[64]]), ([], [])):
        empty = crowd_tile(engine, [first], beside, told, how)
        assert (empty.used, empty.encoded.way) == ((), "empty")
    one = packed[4][:8] + b"\1\0" + packed[4][10:]
    with pytest.raises(BadParameter, match="has 1 bands"):
        crowd_tile(engine, [first], TILE, (["a"], [one]), how)
    with pytest.raises(NotFound):
        crowd_tile(engine, [], TILE, (["a"], [packed[64]]), how)
    monkeypatch.setattr(crowd, "MAX_SECONDS", -1)
    with pytest.raises(Unavailable):
        crowd_tile(engine, [first], TILE, (["a"], [packed[64]]), how)


@pytest.mark.parametrize("selection", PixelSelection)
def test_every_selection_has_the_values_that_it_has_of_the_files(scenes, selection, monkeypatch):
    monkeypatch.setattr(crowd, "TOGETHER", 5000)
    files, pictures, *_ = both(scenes, SIDES[0], selection=selection)
    assert files.dtype == pictures.dtype
    assert alike(files[-1:], pictures[-1:]) > 0.99
    there = (files[-1] > 0) & (pictures[-1] > 0)
    assert np.isclose(files[:-1], pictures[:-1], rtol=1e-4).all(axis=0)[there].mean() > 0.94


def test_datasets_without_a_picture_are_painted_from_their_files_in_their_place(scenes):
    files, pictures, used, seen = both(scenes, SIDES[0], bare=(0, 3, 10))
    assert seen == used
    assert alike(files, pictures) > 0.95
    # Of one that is in the crowd and in no file there is a hole.
    engine, found = scenes
    bodies = [None, *(packed[64] for _, packed in found[1:])]
    told = [record.id for record, _ in found], bodies
    how = LayerStyle(Style(), TileFormat.NPY)
    holed = crowd_tile(engine, [found[1][0]], TILE, told, how)
    assert "0" not in holed.used


@pytest.mark.parametrize(
    ("selection", "limit"), [(PixelSelection.MEAN, "MOST_LOOKED_AT"), (PixelSelection.MEDIAN, "MOST_SORTED")]
)
def test_where_all_values_count_those_are_looked_at_that_come_first(scenes, monkeypatch, selection, limit):
    monkeypatch.setattr(crowd, "TOGETHER", 100)
    monkeypatch.setattr(crowd, limit, 1500)
    *_, used = both(scenes, SIDES[0], selection=selection)
    assert used == tuple(map(str, range(len(used))))
    assert 0 < len(used) < 8


def test_pictures_of_other_bands_and_colours_are_refused_as_files_are(scenes, tmp_path):
    engine, [(first, packed), *_] = scenes
    gray = write(
        tmp_path / "gray.tif", landscape(1, SIDE, SIDE, "uint8", 1), utm(470_000, 5_400_000, METRES), "EPSG:32632"
    )
    with open_file(gray) as opened:
        small = dict(with_summary(opened, inspect(opened)).raster.small.packed)
    told, how = (["a", "b"], [packed[64], small[64]]), LayerStyle(Style(), TileFormat.PNG)
    with pytest.raises(BadParameter, match="dataset b has 1 bands, another one of the layer 3"):
        crowd_tile(engine, [first], TILE, told, how)
    assert crowd_tile(engine, [first], TILE, told, replace(how, style=Style(bidx=(1,)))).used


def test_parts_and_statistics_are_those_of_the_files(scenes):
    engine, found = scenes
    members = [record for record, _ in found]
    told = [record.id for record in members], [packed[64] for _, packed in found]
    where, size = ((8.6, 47.6, 10.2, 48.6), (None, None)), (200, None, None)
    how = LayerStyle(Style(), TileFormat.NPY)
    files, pictures = (
        layer_part(engine, members, where, how, size),
        crowd_part(engine, members[:1], where, told, how, size),
    )
    assert files.used == pictures.used
    assert alike(*(np.load(io.BytesIO(each.body)) for each in (files, pictures))) > 0.9
    options = {"categorical": False, "percentiles": [50]}
    counted = layer_statistics(engine, members, where, how, size, options)
    same = crowd_statistics(engine, members[:1], (where, size), told, how, options)
    assert same["used"] == counted["used"]
    for name, band in counted["bands"].items():
        assert same["bands"][name]["mean"] == pytest.approx(band["mean"], rel=0.02)
