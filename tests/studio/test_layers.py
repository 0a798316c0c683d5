"""Layers of several datasets through a studio: no member spoils the others, and nobody waits for what lies ready."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gateway.colour.model import LayerStyle, PixelSelection, Style, TileFormat
from gateway.errors import VersionChanged
from gateway.studio.layers import Layers
from gateway.studio.pictures import Pictures
from gateway.studio.rounds import GROUP
from tests.tiles.rasters import MERCATOR, dataset, landscape, write
from tests.tiles.test_layers import TILE, onto

PNG, NPY = TileFormat.PNG, TileFormat.NPY
HOW = LayerStyle(Style(), PNG)


def member(folder, name, columns, rows=0, *, seed=1, side=40):
    """Return the record of a small raster so many pixels beside the corner of the tile."""
    write(folder / name, landscape(1, side, side, "uint8", seed), onto(columns, rows), MERCATOR)
    return replace(dataset(folder, name)[1], id=name)


@pytest.fixture(scope="module")
def world(bench):
    """Layers over a folder, and a member for each quarter of the tile and one more for all of it."""
    folder = bench.folder
    folder.mkdir(exist_ok=True)
    corners = [(0, 0), (64, 0), (0, 64), (64, 64)]
    quarters = [member(folder, f"{x}-{y}.tif", x, y, side=64, seed=x + y) for x, y in corners]
    everything = member(folder, "all.tif", 0, side=128, seed=9)
    storages, _ = dataset(folder, "all.tif")
    pictures = Pictures(bench.studio, storages, 1 << 20)
    with ThreadPoolExecutor(2) as threads:
        yield Layers(pictures, threads.submit), quarters, everything
    pictures.close()


def test_a_tile_is_painted_from_as_many_files_as_it_takes(world):
    layers, quarters, everything = world
    assert len(layers.missing(quarters)) == len(quarters)
    found = layers.tile([*quarters, everything], TILE, HOW).result(120)
    assert (found.used, found.left_out) == (tuple(each.id for each in quarters), ())
    assert layers.missing(quarters) == []
    assert layers.ready([*quarters, everything], TILE, HOW) == found
    assert layers.ready(quarters, TILE, HOW) is None
    assert layers.tile([everything, *quarters], TILE, HOW).result(120).used == (everything.id,)
    mean = layers.tile([everything, *quarters], TILE, replace(HOW, selection=PixelSelection.MEAN)).result(120)
    assert set(mean.used) == {each.id for each in (everything, *quarters)}


def test_of_many_files_the_first_ones_are_asked_first(world):
    layers, quarters, everything = world
    far = [replace(everything, id=f"far{number}") for number in range(GROUP)]
    many = [everything, *far, *quarters]
    assert layers.tile(many, TILE, HOW).result(120).used == (everything.id,)
    # Of what does not cover the tile all are needed.
    lone = [quarters[0], *(replace(quarters[0], id=f"same{number}") for number in range(GROUP)), quarters[3]]
    found = layers.tile(lone, TILE, HOW).result(120)
    assert found.used == (quarters[0].id, quarters[3].id)


def test_one_that_is_gone_or_cannot_be_decoded_is_left_out_and_told(world, bench):
    layers, _, everything = world
    gone = member(bench.folder, "gone.tif", 0)
    os.unlink(bench.folder / "gone.tif")
    broken = member(bench.folder, "broken.tif", 0)
    path = bench.folder / "broken.tif"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + b"\xff" * (len(whole) - len(whole) // 2))
    broken = replace(dataset(bench.folder, "broken.tif")[1], id="broken.tif")
    found = layers.tile([gone, broken, everything], TILE, HOW).result(120)
    assert (found.used, found.left_out) == ((everything.id,), ("gone.tif", "broken.tif"))
    # It may be back at any time.
    assert layers.ready([gone, broken, everything], TILE, HOW) is None
    point = layers.point([gone, broken, everything], (onto(9, 9).c, onto(9, 9).f), MERCATOR, Style()).result(120)
    assert [asset["name"] for asset in point["assets"]] == ["all.tif"]
    assert point["left_out"] == ["gone.tif", "broken.tif"]


def test_the_member_that_has_changed_is_named(world, bench):
    layers, quarters, _ = world
    changed = member(bench.folder, "changed.tif", 0)
    os.utime(bench.folder / "changed.tif", ns=(1, 1))
    with pytest.raises(VersionChanged) as caught:
        layers.tile([quarters[0], changed], TILE, HOW).result(120)
    assert caught.value.members == {"dataset": "changed.tif"}
