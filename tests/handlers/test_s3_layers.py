"""Layers of files in a bucket: one range of values for all tiles, and far zooms of what was taken at ingest."""

from dataclasses import replace

import numpy as np
import pytest
from rasterio.io import MemoryFile
from rasterio.transform import from_origin

from gateway.judging import Reading, judge
from gateway.settings import RootSettings, Settings
from tests.handlers.conftest import SECRET_KEYS, act
from tests.rasters import write_cog_of
from tests.s3 import one_store
from tests.stac.conftest import dated

pytestmark = [
    pytest.mark.gen_test,
    one_store,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]
WEST, EAST, BOTH = "11/1082/715", "11/1084/715", "7/67/44"


@pytest.fixture
def settings(tmp_path, store, bucket, shared) -> Settings:
    """A bucket as the only root."""
    (tmp_path / "rasters").mkdir()
    roots = {"data": RootSettings(uri=f"file:{tmp_path / 'rasters'}"), "bucket": store.root(bucket, "cogs")}
    return Settings(state_dir=tmp_path / "state", roots=roots, secret_keys=SECRET_KEYS, **shared, _env_file=None)


@pytest.fixture
def scenes(world, store, bucket):
    """Two scenes of half a degree beside each other, the values of the eastern one a hundred times as large."""
    found = []
    for number, (name, factor) in enumerate({"west": 1, "east": 100}.items()):
        pixels = (np.arange(80 * 80, dtype="uint16").reshape(1, 80, 80) // 16 + 1) * factor
        place = from_origin(10 + number / 2, 48.0, 1 / 160, 1 / 160)
        path = write_cog_of(world.folder / f"{name}.tif", pixels, crs="EPSG:4326", transform=place)
        store.client.put_object(Bucket=bucket, Key=f"cogs/{name}.tif", Body=path.read_bytes())
        raster = judge(Reading(world.services.storages["bucket"], f"{name}.tif")).inspection.raster
        found.append(
            world.register(f"{name}.tif", root="bucket", collection="scenes", raster=raster, dates=dated(number))
        )
    return found


def gray(answer):
    assert answer.code == 200, answer.body
    with MemoryFile(answer.body) as file, file.open() as raster:
        return raster.read(1)


async def test_neighbouring_tiles_have_one_range_and_far_ones_all_scenes(fetch, world, scenes):
    tiles, ends = "/api/collections/scenes/tiles", [scene.raster.stretch[0] for scene in scenes]
    told = f"?rescale={ends[0][0]},{ends[1][1]}"
    for place in (WEST, EAST):
        plain = await fetch(f"{tiles}/{place}.png")
        assert plain.body == (await fetch(f"{tiles}/{place}.png{told}")).body
    assert gray(await fetch(f"{tiles}/{WEST}.png")).max() < 5
    far = await fetch(f"{tiles}/{BOTH}.png?limit_assets=1")
    assert far.headers["X-Assets"] == "2/2"
    assert gray(far).max() > 250


async def test_where_no_range_is_on_record_that_of_one_file_holds_for_all(fetch, world, scenes):
    for scene in scenes:
        world.services.records.remove_dataset(scene.id, act())
        bare = replace(scene, raster=replace(scene.raster, stretch=None, small=None))
        world.register(scene.key, root="bucket", collection="scenes", raster=bare.raster, dates=scene.dates)
    tiles, (low, high) = "/api/collections/scenes/tiles", scenes[1].raster.stretch[0]
    for place in (WEST, EAST):
        plain = await fetch(f"{tiles}/{place}.png")
        assert plain.body == (await fetch(f"{tiles}/{place}.png?rescale={low},{high}")).body
