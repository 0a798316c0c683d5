"""GeoJSON in the body: statistics by the right to view, values by the right to download and on record."""

import io
import json
from hashlib import sha256

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from gateway.cog import inspect
from gateway.files import open_file
from gateway.model import Level, Scale
from tests.handlers.conftest import UNKNOWN_ID, grant, problem
from tests.handlers.test_jobs import ended, own
from tests.handlers.test_values import token_for

pytestmark = pytest.mark.gen_test
# Of the raster of these tests, which begins at 500000, 5300000 and has pixels of 30.
RING = [[503_000, 5_290_000], [506_015, 5_290_000], [506_015, 5_296_000], [503_000, 5_296_000], [503_000, 5_290_000]]
GEOMETRY = {"type": "Polygon", "coordinates": [RING]}
FEATURE = {"type": "Feature", "id": "a", "properties": {"name": "field"}, "geometry": GEOMETRY, "extra": [1]}
IN_UTM = "coord_crs=EPSG:32633"
BODY = json.dumps(FEATURE)


def url(dataset, path):
    return f"/api/datasets/{getattr(dataset, 'id', dataset)}/{path}"


async def test_statistics_come_back_in_the_features_that_were_sent(fetch, world):
    dataset = world.add()
    response = await fetch(url(dataset, f"statistics?{IN_UTM}&p=50"), "POST", body=BODY)
    assert (response.code, response.headers["Content-Type"]) == (200, "application/geo+json")
    assert response.headers["Cache-Control"] == "no-store"
    found = json.loads(response.body)
    told = found["properties"].pop("statistics")["b1"]
    assert found == FEATURE
    # Half a pixel more than a hundred across.
    assert told["count"] == pytest.approx(100.5 * 200)
    assert told["percentile_50"] == told["median"]
    both = {"type": "FeatureCollection", "features": [FEATURE, {**FEATURE, "properties": None}], "name": "fields"}
    found = json.loads((await fetch(url(dataset, f"statistics?{IN_UTM}"), "POST", body=json.dumps(both))).body)
    assert (found["name"], len(found["features"])) == ("fields", 2)
    assert [each["properties"]["statistics"]["b1"]["count"] for each in found["features"]] == [told["count"]] * 2
    assert world.audit("download.part") == []


async def test_statistics_need_the_right_to_view_and_values_that_to_download(fetch, world):
    hidden = world.add("a.tif", visibility=Scale.PRIVATE)
    shown = world.add("b.tif", download=Scale.PRIVATE)
    grant(world, hidden, Level.VIEW, user="ana")
    statistics, values, picture = (f"{path}?{IN_UTM}" for path in ("statistics", "feature.npy", "feature.png"))
    ana, bo = world.bearer("ana"), world.bearer("bo")
    codes = []
    for dataset, path, token in (
        (hidden, statistics, ana), (hidden, statistics, bo), (UNKNOWN_ID, statistics, bo), (hidden, picture, ana),
        (hidden, values, ana), (shown, statistics, None), (shown, picture, None), (shown, values, None),
        (shown, values, bo),
    ):  # fmt: skip
        codes.append((await fetch(url(dataset, path), "POST", body=BODY, token=token)).code)
    assert codes == [200, 404, 404, 200, 403, 200, 200, 401, 403]
    tiles = await token_for(fetch, shown, "tile")
    assert (await fetch(url(shown, f"{statistics}&token={tiles}"), "POST", body=BODY)).code == 200
    assert (await fetch(url(shown, f"{values}&token={tiles}"), "POST", body=BODY)).code == 403
    assert sorted(row.status for row in world.audit("download.refused")) == [401, 403, 403, 403]


async def test_values_are_on_record_with_the_place_that_they_are_of(fetch, world):
    dataset = world.add()
    response = await fetch(url(dataset, f"feature.npy?{IN_UTM}"), "POST", body=BODY, token=world.bearer())
    assert (response.code, response.headers["Cache-Control"]) == (200, "no-store")
    values = np.load(io.BytesIO(response.body))
    assert values.shape == (2, 200, 100)
    (row,) = world.audit("download.part")
    assert row.bytes_expected == len(response.body)
    geometry = json.dumps(
        {**GEOMETRY, "coordinates": [[[float(x), float(y)] for x, y in RING]]}, separators=(",", ":")
    )
    assert row.detail == {
        "route": "feature", "box": [503_000, 5_290_000, 506_015, 5_296_000], "crs": ["EPSG:32633", None],
        "sha256": sha256(geometry.encode()).hexdigest(), "format": "npy", "bands": "all", "size": [None, None, None],
    }  # fmt: skip


async def test_the_files_own_pixels_come_as_a_true_cog_of_its_grid(fetch, world, tmp_path):
    dataset, token = world.add(), world.bearer()
    # A triangle is half of its box.
    ring = [[503_000, 5_290_000], [506_000, 5_290_000], [503_000, 5_296_000], [503_000, 5_290_000]]
    body = json.dumps({**FEATURE, "geometry": {"type": "Polygon", "coordinates": [ring]}})
    path = url(dataset, f"feature.tif?native=true&{IN_UTM}")
    response = await fetch(path, "POST", body=body, token=token, headers={"Range": "bytes=0-9", "If-None-Match": "*"})
    assert (response.code, response.headers["Cache-Control"]) == (200, "no-store")
    assert "Accept-Ranges" not in response.headers
    assert response.headers["ETag"].startswith(f'"{dataset.version}-')
    (tmp_path / "part.tif").write_bytes(response.body)
    with open_file(tmp_path / "part.tif") as made:
        assert inspect(made).report.valid
    with rasterio.open(world.folder / "elevation.tif") as old, rasterio.open(tmp_path / "part.tif") as new:
        left, top = ~old.transform * (503_000, 5_296_000)
        window = Window(int(left), int(top), new.width, new.height)
        assert new.transform == old.window_transform(window)
        seen = new.dataset_mask() == 255
        assert np.array_equal(new.read(1)[seen], old.read(1, window=window)[seen])
    assert 0.5 < seen.mean() < 0.52
    (row,) = world.audit("download.part")
    assert (row.detail["route"], row.detail["native"], row.detail["format"]) == ("feature", True, "tif")
    for changed in ("&max_size=16", "&dst_crs=EPSG:3857", "&rescale=0,1", "&unscale=true"):
        assert (await fetch(path + changed, "POST", body=body, token=token)).code == 400
    far = json.dumps({**FEATURE, "geometry": {"type": "Polygon", "coordinates": [[[x - 9e5, y] for x, y in ring]]}})
    assert (await fetch(path, "POST", body=far, token=token)).code == 404
    assert (await fetch(path.replace(".tif", ".png"), "POST", body=body, token=token)).code == 400


@pytest.mark.parametrize("settings", [{"part_async_mb": 0}], indirect=True)
async def test_large_ones_are_made_by_a_job_whose_result_has_ranges(fetch, world):
    dataset, token = world.add(), world.bearer()
    path = url(dataset, f"feature.tif?native=true&{IN_UTM}&bidx=1")
    response = await fetch(path, "POST", body=BODY, token=token)
    assert response.code == 202

    done = await ended(fetch, response.headers["Location"], token)
    assert done["status"] == "done"
    part = await fetch(own(done["result"]), token=token, headers={"Range": "bytes=0-9"})
    assert (part.code, len(part.body)) == (206, 10)


async def test_pictures_have_the_sizes_and_formats_of_the_path(fetch, world):
    dataset = world.add()
    kinds = {}
    for path in ("feature", "feature.png", "feature.jpg", "feature/40x30.webp", "feature.gif", "feature/0x9.png"):
        response = await fetch(url(dataset, f"{path}?{IN_UTM}&rescale=0,60000"), "POST", body=BODY)
        kinds[path] = response.headers["Content-Type"] if response.code == 200 else response.code
    assert kinds == {
        "feature": "image/jpeg", "feature.png": "image/png", "feature.jpg": "image/jpeg",
        "feature/40x30.webp": "image/webp", "feature.gif": 400, "feature/0x9.png": 400,
    }  # fmt: skip
    assert (await fetch(url(dataset, "feature.png"))).code == 405


@pytest.mark.parametrize("settings", [{"part_mb": 1, "parts_mb": 64}], indirect=True)
async def test_what_cannot_be_is_refused_by_name(fetch, world):
    dataset = world.add()
    world_wide = {"type": "Polygon", "coordinates": [[[-180, -90], [180, -90], [180, 90], [-180, 90], [-180, -90]]]}
    whole = json.dumps({**FEATURE, "geometry": world_wide})
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [9, 9], [9, 0], [0, 9], [0, 0]]]}
    for path, body, code, told in (
        ("statistics", whole, 413, "the limit is 1 MiB"), ("statistics?max_size=256", whole, 200, ""),
        ("statistics", "", 400, "GeoJSON"), ("statistics", "[" * 100_000, 400, "GeoJSON"),
        ("statistics", '{"type": NaN}', 400, "GeoJSON"), ("statistics", BODY, 400, "latitude within 90"),
        (f"statistics?{IN_UTM}", json.dumps({**FEATURE, "properties": {"name": "\ud800"}}), 400, "GeoJSON"),
        ("statistics", json.dumps({**FEATURE, "geometry": bow}), 400, "not valid"),
        (f"statistics?{IN_UTM}&algorithm=hillshade", BODY, 400, "algorithm"), ("statistics?bidx=9", whole, 400, "bidx"),
        (f"feature.png?{IN_UTM}&dst_crs=EPSG:0", BODY, 400, "dst_crs"),
        (f"feature.png?{IN_UTM}", json.dumps({"type": "FeatureCollection", "features": [FEATURE]}), 400, "a Feature"),
    ):  # fmt: skip
        response = await fetch(url(dataset, path), "POST", body=body)
        assert response.code == code, (path, response.body)
        assert code == 200 or told in problem(response)["detail"]


@pytest.mark.parametrize("settings", [{"tile_rate": "40/minute"}], indirect=True)
async def test_each_feature_costs_what_statistics_cost(fetch, world):
    dataset = world.add()
    both = json.dumps({"type": "FeatureCollection", "features": [FEATURE] * 2})
    assert (await fetch(url(dataset, f"statistics?{IN_UTM}"), "POST", body=both)).code == 200
    assert (await fetch(url(dataset, f"feature.png?{IN_UTM}"), "POST", body=BODY)).code == 429
    assert (await fetch(url(dataset, f"statistics?{IN_UTM}"), "POST", body=BODY)).code == 429
