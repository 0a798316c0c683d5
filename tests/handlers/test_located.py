"""Bounds of records that an older release made without them."""

import json
from dataclasses import replace

import pytest
from affine import Affine

from gateway.model import Inspection
from gateway.records import Verdict
from tests.handlers.conftest import act
from tests.tiles.rasters import landscape, write


@pytest.mark.gen_test
async def test_bounds_that_an_older_record_lacks_are_kept_from_the_first_map_on(fetch, world):
    for name, document in (("a.tif", "tilejson.json"), ("b.tif", "WMTSCapabilities.xml"), ("c.tif", "info.geojson")):
        write(world.folder / name, landscape(1, 200, 200), Affine(0.01, 0, 15, 0, 0.01, 47), "EPSG:4326")
        dataset = world.register(name)
        whole = dataset.raster.bounds
        known = world.services.records.dataset(dataset.id)
        old = Inspection(known.report, replace(known.raster, bounds=None))
        verdict = Verdict(known.version, known.size_bytes, old, known.sha256, known.origin)
        assert world.services.records.judge_dataset(known, verdict, act())
        found = [f"/api/datasets?bbox=15.1,47.1,15.2,47.2&q={dataset.title}", f"/api/datasets/{dataset.id}"]
        assert json.loads((await fetch(found[1])).body)["bounds"] is None
        before = json.loads((await fetch(found[0])).body)["total"]
        for _ in range(2):
            answer = await fetch(f"/api/datasets/{dataset.id}/{document}")
            assert answer.code == 200
        if document == "info.geojson":
            assert json.loads(answer.body)["bbox"] == pytest.approx(whole)
        assert json.loads((await fetch(found[1])).body)["bounds"] == pytest.approx(whole)
        assert json.loads((await fetch(found[0])).body)["total"] == before + 1
        (row,) = [row for row in world.audit("dataset.located") if row.dataset_id == dataset.id]
        assert row.detail["bounds"] == pytest.approx(whole)
