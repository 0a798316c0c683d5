"""Tiles of far zooms from the overview of a collection: for those who see all of it, until one of it changes."""

import os
import re
from dataclasses import replace

import numpy as np
import pytest
from rasterio.transform import from_origin

from gateway.catalogue.collections import Collection
from gateway.model import Level, Scale
from gateway.overviews.making import Maker
from gateway.records import Change
from tests.handlers.conftest import act, cog_file, grant
from tests.handlers.layerscenes import BESIDE, WHOLE, make_scenes, paint, served
from tests.handlers.test_layers import pixels, shown
from tests.rasters import write_cog_of
from tests.stac.conftest import START, dated

__all__ = ["cog_file", "served"]
# Of pictures that are no maps.
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
ZOOM = 7
TILE = f"/collections/scenes/tiles/{WHOLE}.png"
OPEN = f"/collections/open/tiles/{WHOLE}.png"


def make(served, collection="scenes", zoom=ZOOM):
    """Return the overview that is made of a collection."""
    maker = Maker(served.services.records, served.services.storages)
    try:
        return maker.make((collection, zoom, "data"), lambda plan: None, lambda tiles, number: tiles)
    finally:
        maker.close()


def is_overview(answer):
    assert answer.code == 200, answer.body
    return answer.headers["Etag"].startswith('"overview-')


@pytest.fixture(scope="module")
def scenes(served):
    """Three scenes, of which the newest is ana's: vera may have it, surveyors may see it; with an overview."""
    found = make_scenes(served)
    make(served)
    return found


@pytest.fixture(scope="module")
def opened(served, scenes):
    """Two scenes for all, in a collection of their own."""
    served.services.records.create_collection(Collection("open", "Open", START, START), act())
    found = []
    for number, name in enumerate(("west", "east")):
        paint(served, f"open-{name}", 10 + number / 2, 50 * (number + 1))
        found.append(served.register(f"open-{name}.tif", collection="open", dates=dated(number)))
    return found


@pytest.fixture
def renewed(served, opened):
    """The overview of the open collection, made anew."""
    return make(served, "open")


def test_nobody_sees_it_who_does_not_see_all_of_it(served, scenes):
    """Of a hidden scene no byte is there: no pixel, no tag, no count, and nothing that a shared cache keeps."""
    token = served.ask("/auth/tile-token/collections/scenes", {}).document["token"]
    plain = served.ask(TILE)
    for answer in (plain, served.ask(TILE, token=served.bearer("stan")), served.ask(f"{TILE}?token={token}")):
        assert not is_overview(answer)
        assert shown(answer) == {"west", "east"}
        assert answer.headers["X-Assets"] == "2/2"
    assert plain.headers["Cache-Control"] == "public, max-age=300"
    etag = served.ask(TILE, token=served.bearer("ana")).headers["Etag"]
    assert served.ask(TILE, headers={"If-None-Match": etag}).code == 200


@pytest.mark.parametrize(
    "who", [("ana",), ("vera",), ("cy", ("survey",)), ("ada", ("admin",))], ids=["owner", "user", "role", "admin"]
)
def test_who_sees_all_of_it_has_the_pixels_that_the_files_have(served, scenes, who):
    token = served.bearer(*who)
    answer, files = served.ask(TILE, token=token), served.ask(f"{TILE}?time=2026-01-01T00:00:00Z/..", token=token)
    assert is_overview(answer)
    assert not is_overview(files)
    np.testing.assert_array_equal(pixels(answer), pixels(files))
    assert shown(answer) == {"west", "east", "over"}
    assert (answer.headers["X-Assets"], answer.headers["Cache-Control"]) == ("3/3", "private, max-age=300")
    assert answer.headers["Vary"] == "Origin, Authorization"
    again = served.ask(TILE, token=token, headers={"If-None-Match": answer.headers["Etag"]})
    assert again.code == 304


def test_it_is_used_for_the_zooms_that_it_covers_and_for_no_other_question(served, renewed):
    assert is_overview(served.ask(OPEN))
    assert served.ask(OPEN).headers["Cache-Control"] == "public, max-age=300"
    for used in ("tiles/5/16/11@2x.jpg", "tiles/0/0/0.webp", f"tiles/{WHOLE}.png?bidx=1&rescale=0,200",
                 f"tiles/{WHOLE}.png?limit_assets=1", "tiles/WorldCRS84Quad/5/33/7.png",
                 "WMTSCapabilities.xml?service=WMTS&request=GetTile&tilematrix=7&tilecol=67&tilerow=44"):  # fmt: skip
        assert is_overview(served.ask(f"/collections/open/{used}")), used
    for other in ("tiles/8/135/88.png", f"tiles/{WHOLE}@2x.png", "tiles/WorldCRS84Quad/8/270/60.png",
                  *(f"tiles/{WHOLE}.png?{more}" for more in (
                      "pixel_selection=highest", "unscale=true", "nodata=50", "time=2026-01-01", "sortby=%2Bdatetime",
                      "datetime=2026-01-01T00:00:00Z/.."))):  # fmt: skip
        assert not is_overview(served.ask(f"/collections/open/{other}")), other
    values = served.ask(OPEN.replace("png", "npy"), token=served.bearer("ana"))
    assert not is_overview(values)
    told = served.ask(served.base.removesuffix("/api") + "/metrics").body.decode()
    assert re.search(r'cog_gateway_tiles_total\{format="png",way="overview"\} [1-9]', told)


def test_parts_and_previews_are_made_of_it_where_it_is_fine_enough(served, renewed):
    layer = "/collections/open"
    for used in ("preview.png?max_size=64", "preview/32x16.webp", "bbox/10,47.5,11,48/50x25.png"):
        answer = served.ask(f"{layer}/{used}")
        assert is_overview(answer), used
        assert answer.headers["X-Assets"] == "2/2"
        assert served.ask(f"{layer}/{used}", headers={"If-None-Match": answer.headers["Etag"]}).code == 304
    # The outermost pixels may be half a pixel of it further in.
    part, whole = f"{layer}/bbox/10,47.5,11,48/50x25.png", "time=2026-01-01T00:00:00Z/.."
    ours, files = (pixels(served.ask(address))[0] for address in (part, f"{part}?{whole}"))
    assert ours.shape == files.shape
    assert (ours == files).mean() > 0.9
    for other in ("preview.png?max_size=200", "bbox/10,47.5,11,48/500x25.png", "bbox/10.1,47.6,10.2,47.7.png",
                  "preview.png?max_size=64&pixel_selection=mean"):  # fmt: skip
        assert not is_overview(served.ask(f"{layer}/{other}")), other
    assert not is_overview(served.ask(f"{layer}/preview/8x8.npy", token=served.bearer("ana")))


def test_nothing_in_the_tile_is_told(served, renewed):
    beside = OPEN.replace(WHOLE, BESIDE)
    assert served.ask(beside).headers["X-Assets"] == "0/0"
    assert served.ask(f"{beside}?empty=204").code == 204
    assert served.ask(f"{beside}?empty=404").code == 404


def test_documents_begin_at_the_zoom_at_which_all_is_one_view(served):
    served.services.records.create_collection(Collection("fine", "Fine", START, START), act())
    for name, west in (("a", 10.0), ("b", 10.5)):
        place = from_origin(west, 48.0, 1 / 20_000, 1 / 20_000)
        write_cog_of(served.folder / f"{name}.tif", np.ones((1, 8, 8), "uint8"), crs="EPSG:4326", transform=place)
        served.register(f"{name}.tif", collection="fine")
    document = "/collections/fine/tilejson.json?limit_assets=1"
    assert served.ask(document).document["minzoom"] == 10
    make(served, "fine", 12)
    assert served.ask(document).document["minzoom"] == 9
    assert served.ask(f"{document}&pixel_selection=mean").document["minzoom"] == 10


def taken_back(served, dataset):
    served.services.records.change_dataset(dataset.id, Change(visibility=Scale.PRIVATE), act())


def given(served, dataset):
    served.services.records.change_dataset(dataset.id, Change(visibility=Scale.PUBLIC), act())


def removed(served, dataset):
    assert served.services.records.remove_dataset(dataset.id, act())


def registered(served, dataset):
    assert served.services.records.register_dataset(dataset, act())


def granted(served, dataset):
    grant(served, dataset, Level.VIEW, user="dora")


def replaced(served, dataset):
    """Write another file in the place of one, which is judged when a picture asks for it."""
    paint(served, "open-west", 10.0, 77)
    served.ask(f"/datasets/{dataset.id}/preview")


@pytest.mark.parametrize("change", [removed, registered, taken_back, given, granted, replaced])
def test_from_the_next_request_on_it_is_not_used_when_a_dataset_has_changed(served, renewed, opened, change):
    ada = served.bearer("ada", ("admin",))
    before = served.ask(OPEN, token=ada)
    assert is_overview(before)
    change(served, opened[0])
    after = served.ask(OPEN, token=ada, headers={"If-None-Match": before.headers["Etag"]})
    assert not is_overview(after)
    if change is taken_back:
        assert served.ask(OPEN).headers["X-Assets"] == "1/1"


def test_without_its_file_tiles_are_painted_from_the_files_of_the_datasets(served, renewed):
    path = served.folder / renewed.key
    path.write_bytes(path.read_bytes() + b"\0")
    address = OPEN.replace(WHOLE, "6/33/22")
    answer = served.ask(address)
    assert not is_overview(answer)
    assert not is_overview(served.ask("/collections/open/preview.png?max_size=64"))
    path.unlink()
    assert not is_overview(served.ask("/collections/open/preview.png?max_size=64"))
    assert not is_overview(served.ask(f"{address}?colormap_name=viridis"))
    assert answer.headers["X-Assets"] == "2/2"


def test_what_the_file_has_not_is_painted_from_the_files_of_the_datasets(served):
    """Blocks that cannot be decoded, and the number of an alpha band, which is a mask there."""
    served.services.records.create_collection(Collection("alpha", "Alpha", START, START), act())
    values = np.random.default_rng(1).integers(1, 255, (4, 40, 40), "uint8")
    values[3] = 255
    for number in (0, 1):
        write_cog_of(
            served.folder / f"alpha{number}.tif", values, crs="EPSG:4326", photometric="RGB", alpha="YES",
            transform=from_origin(10 + number / 2, 48.0, 1 / 80, 1 / 80),
        )  # fmt: skip
        served.register(f"alpha{number}.tif", collection="alpha", dates=dated(number))
    path, layer = served.folder / make(served, "alpha").key, "/collections/alpha"
    facts, body = path.stat(), path.read_bytes()
    with path.open("r+b") as file:
        file.seek(len(body) // 2)
        file.write(b"\xff" * (len(body) // 2))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    for broken in ("bbox/10,47.5,11,48/40x20.png?bidx=1", f"tiles/{WHOLE}.png?bidx=1"):
        answer = served.ask(f"{layer}/{broken}")
        assert not is_overview(answer), broken
        assert pixels(answer)[0].any(), broken
    make(served, "alpha")
    assert is_overview(served.ask(f"{layer}/tiles/{WHOLE}.png"))
    for more in (f"tiles/{WHOLE}.png?bidx=4", "preview.png?max_size=60&expression=b4"):
        assert not is_overview(served.ask(f"{layer}/{more}")), more
    assert served.ask(f"{layer}/tiles/{WHOLE}.png?bidx=5").code == 400


def test_it_is_no_dataset(served, renewed):
    """It is in no list, no search, no layer, and opens under no address of datasets."""
    assert served.ask(f"/datasets/{renewed.id}", token=served.bearer("ada", ("admin",))).code == 404
    found = served.ask("/search?collections=open", token=served.bearer("ada", ("admin",)))
    assert renewed.id not in str(found.body)
    assert replace(renewed, holds=False).dataset.visibility is Scale.PRIVATE
