"""Tiles of more datasets than a picture may touch files: painted from what was taken when they were judged."""

import re
from dataclasses import replace

import numpy as np
import pytest
from rasterio.transform import from_origin

from gateway.catalogue.collections import Collection
from gateway.catalogue.layers import LayerKind, LayerName
from gateway.catalogue.search import MOST_COUNTED
from gateway.cog import inspect
from gateway.cog.summary import with_summary
from gateway.members import Wanted, cover, degrees_of_pixel
from gateway.model import Principal, Scale
from gateway.records import Change
from tests.handlers.conftest import act, cog_file
from tests.handlers.layerscenes import WHOLE, paint, served
from tests.handlers.test_layers import pixels
from tests.rasters import write_cog_of
from tests.stac.conftest import START, dated

__all__ = ["cog_file", "served"]
# Of pictures that are no maps.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
TILE = f"/collections/scenes/tiles/{WHOLE}.png?limit_assets=1"


def taken(world, name):
    """Return what is found of a file, with its small pictures."""
    with world.services.storages["data"].open(f"{name}.tif") as opened:
        return with_summary(opened, inspect(opened)).raster


@pytest.fixture(scope="module")
def crowd(served):
    """Four scenes, of which one is ana's and one has no small picture."""
    served.services.records.create_collection(Collection("scenes", "Scenes", START, START), act())
    found = {}
    for number, (name, west) in enumerate({"west": 10.0, "east": 10.5, "over": 10.25, "late": 9.5}.items()):
        paint(served, name, west, {"west": 50, "east": 100, "over": 200, "late": 250}[name])
        visibility, owner = (Scale.PRIVATE, "ana") if name == "over" else (Scale.PUBLIC, None)
        raster = taken(served, name) if name != "late" else replace(taken(served, name), small=None)
        found[name] = served.register(
            f"{name}.tif", title=name, collection="scenes", dates=dated(number), raster=raster, visibility=visibility,
            owner=owner,
        )  # fmt: skip
    return found


def test_all_that_the_reader_may_see_is_painted_though_one_file_may_be_touched(served, crowd):
    answer = served.ask(TILE)
    # Of the one that has no picture the file is.
    assert answer.headers["X-Assets"] == "3/3"
    assert set(np.unique(pixels(answer)[0])) == {0, 50, 100, 250}
    again = served.ask(TILE, headers={"If-None-Match": answer.headers["Etag"]})
    assert again.code == 304
    own = served.ask(TILE, token=served.bearer("ana"))
    assert own.headers["X-Assets"] == "4/4"
    assert set(np.unique(pixels(own)[0])) == {0, 50, 100, 200, 250}
    assert own.headers["Etag"] != answer.headers["Etag"]


def test_values_and_covered_ground_come_from_files(served, crowd):
    # All of it lies in the newest of them.
    assert served.ask("/collections/scenes/tiles/11/1079/715.png?limit_assets=1").headers["X-Assets"] == "1/1"
    for more in ("&unscale=true", "&pixel_selection=mean&expression=b1*2"):
        assert served.ask(TILE + more).headers["X-Assets"] == "1/3"
    values = served.ask(TILE.replace("png", "npy"), token=served.bearer("ana"))
    assert values.headers["X-Assets"] == "1/4"
    # Of no more than two there is a picture.
    assert served.ask(TILE.replace("=1", "=2")).headers["X-Assets"] == "2/3"


def test_parts_statistics_kvp_and_other_selections_are_painted_so_too(served, crowd):
    base, ana = "/collections/scenes", served.bearer("ana")
    kvp = "WMTSCapabilities.xml?REQUEST=GetTile&TILEMATRIX=7&TILECOL=67&TILEROW=44&FORMAT=image/png"
    for path in (
        "preview.png?max_size=128", "bbox/9.4,47.4,11.1,48.1/128x64.png?", kvp, f"tiles/{WHOLE}.png?expression=b1&rescale=0,255",
        f"tiles/{WHOLE}.png?pixel_selection=highest",
    ):  # fmt: skip
        answer = served.ask(f"{base}/{path}&limit_assets=1", token=ana)
        assert answer.headers["X-Assets"] == "4/4", path
        assert {200, 250} <= set(np.unique(pixels(answer)[0])), path
        again = served.ask(
            f"{base}/{path}&limit_assets=1", token=ana, headers={"If-None-Match": answer.headers["Etag"]}
        )
        assert again.code == 304, path
    counted = served.ask(f"{base}/statistics?limit_assets=1&max_size=128", token=ana)
    whole = served.ask(f"{base}/statistics?max_size=128", token=ana)
    assert (counted.headers["X-Assets"], whole.headers["X-Assets"]) == ("4/4", "4/4")
    for name in ("min", "max", "mean"):
        assert counted.document["b1"][name] == pytest.approx(whole.document["b1"][name], rel=0.02)
    plain = served.ask(f"{base}/tiles/{WHOLE}.png?expression=b1*2", token=ana)
    assert set(np.unique(pixels(plain)[0])) == set(
        np.unique(pixels(served.ask(f"{base}/tiles/{WHOLE}.png?expression=b1*2&limit_assets=1", token=ana))[0])
    )
    least = served.ask(f"{base}/tiles/{WHOLE}.png?limit_assets=1&pixel_selection=lowest", token=ana)
    assert 200 not in pixels(least)[0]


def test_what_makes_no_one_picture_is_told_by_documents_and_by_crowds_in_one_sentence(served, crowd):
    served.services.records.create_collection(Collection("mixed", "Mixed", START, START), act())
    for number, bands in enumerate((3, 1, 1)):
        place = from_origin(10 + number / 10, 48.0, 1 / 80, 1 / 80)
        values = np.full((bands, 40, 40), 90, "uint8")
        write_cog_of(served.folder / f"mixed{number}.tif", values, crs="EPSG:4326", transform=place)
        raster = taken(served, f"mixed{number}")
        served.register(f"mixed{number}.tif", collection="mixed", dates=dated(number), raster=raster)
    base, refused = "/collections/mixed", set()
    for path in (
        f"tiles/{WHOLE}.png?limit_assets=1",
        "tilejson.json",
        "WMTSCapabilities.xml",
        "preview?limit_assets=1",
    ):
        answer = served.ask(f"{base}/{path}")
        assert answer.code == 400, path
        refused.add(re.sub("dataset [-0-9a-f]+", "dataset X", answer.document["detail"]))
        assert served.ask(f"{base}/{path}{'&' if '?' in path else '?'}bidx=1").code == 200, path
    assert refused == {
        "bidx: dataset X has 3 bands, another one of the layer 1: name the bands that are to be shown."
    }


def test_nothing_in_the_tile_is_told(served, crowd):
    # Their boxes lie under it, and no middle of a pixel.
    world = TILE.replace(WHOLE, "0/0/0") + "&tilesize=8"
    assert served.ask(world).headers["X-Assets"] == "0/3"
    assert served.ask(world + "&empty=204").code == 204
    assert served.ask(world + "&empty=404").code == 404


def test_documents_know_of_how_many_datasets_a_tile_is_painted(served, crowd):
    members, ana = served.services.members, Principal("ana")
    layer = members.layer(LayerName(LayerKind.COLLECTION, "scenes"))
    assert members.most_painted(layer, Wanted(1), ana) == MOST_COUNTED
    # There are no more pictures than files may be touched.
    assert members.most_painted(layer, Wanted(3), ana) == 3
    assert served.ask("/collections/scenes/tilejson.json?limit_assets=1").code == 200


def test_what_files_refuse_they_refuse(served, crowd):
    """More bands times pixels than a picture has, and nodata values that no pixel has."""
    many, pictured = "&".join(["bidx=1"] * 40), "time=2026-01-01T00:00:00Z/2026-01-02T12:00:00Z"
    for more, told in (("nodata=300", "nodata: "), (f"tilesize=1024&{many}", "bidx, width, height: ")):
        for limit in (1, 100):
            answer = served.ask(f"/collections/scenes/tiles/{WHOLE}.png?limit_assets={limit}&{pictured}&{more}")
            assert (answer.code, answer.document["detail"].startswith(told)) == (400, True), (more, limit)


def test_the_range_of_values_is_of_no_dataset_that_the_reader_sees_no_longer(served, crowd):
    served.services.records.create_collection(Collection("wide", "Wide", START, START), act())
    found = {}
    for name, high in (("known", 2.0), ("taken", 9.0)):
        paint(served, name, 10.0, 5)
        raster = replace(taken(served, name), dtype="int16", stretch=((1.0, high),))
        found[name] = served.register(f"{name}.tif", collection="wide", raster=raster)
    asked = "/collections/wide/tilejson.json"
    assert served.ask(asked).document["stretch"] == [[1.0, 9.0]]
    served.services.records.change_dataset(found["taken"].id, Change(visibility=Scale.PRIVATE), act())
    assert served.ask(asked).document["stretch"] == [[1.0, 2.0]]


def test_the_range_of_values_that_tiles_have_is_told(served, crowd):
    paint(served, "deep", 12.0, 5)
    raster = replace(taken(served, "deep"), dtype="int16", stretch=((2.0, 9.0),), scaling=((0.5, 1.0),))
    served.register("deep.tif", title="deep", collection="deep", raster=raster)
    asked = "/collections/deep/tilejson.json"
    assert served.ask(asked).document["stretch"] == [[2.0, 9.0]]
    assert served.ask(f"{asked}?unscale=true").document["stretch"] == [[2.0, 5.5]]


def test_a_pixel_is_as_long_as_its_side_however_the_raster_lies(crowd):
    raster = crowd["west"].raster
    assert degrees_of_pixel(crowd["west"]) == pytest.approx(1 / 80)
    turned = replace(raster, width=300, height=300, bounds=(9, 47, 9.5, 47.5), transform=(7, 7, 0, 7, -7, 0))
    assert degrees_of_pixel(replace(crowd["west"], raster=turned)) == pytest.approx(0.5 / 300 / 2**0.5)
    older = replace(turned, transform=None)
    assert degrees_of_pixel(replace(crowd["west"], raster=older)) == pytest.approx(0.5 / 300)


def test_boxes_that_lie_beside_each_other_cover_a_ground(crowd):
    west, east = crowd["west"], crowd["east"]
    assert cover([west, east], (10.0, 47.5, 11.0, 48.0))
    assert not cover([west], (10.0, 47.5, 11.0, 48.0))
    assert not cover([west, east, replace(west, raster=None)], (10.0, 47.0, 11.0, 48.0))
    over = replace(west, raster=replace(west.raster, bounds=(170, 47, -170, 49)))
    assert cover([over], (179, 47, -179, 48))
