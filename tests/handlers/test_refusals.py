import base64

import pytest

from gateway.model import Scale
from gateway.refusals import MOST_ROWS
from tests.handlers.conftest import UNKNOWN_ID

pytestmark = pytest.mark.gen_test
BAD_TOKEN = "Bearer " + base64.b64encode(b"no token").decode()


def path_of(dataset_id):
    return f"/api/datasets/{dataset_id}/download/cog"


async def test_every_kind_of_refused_get_of_a_dataset_is_on_record_and_nothing_else(fetch, world):
    hidden = world.add("hidden.tif", visibility=Scale.PRIVATE, owner="eve").id
    seen = world.add("seen.tif", download=Scale.PRIVATE, owner="eve").id
    broken = world.add("broken.tif").id
    (world.folder / "broken.tif").write_text("no raster")
    gone = world.add("gone.tif").id
    (world.folder / "gone.tif").unlink()
    cases = [(hidden, 404), (seen, 403), (broken, 422), (gone, 404)]
    for dataset_id, status in cases:
        for method in ("HEAD", "GET"):
            response = await fetch(path_of(dataset_id.upper()), method, token=world.bearer("ben"))
            assert response.code == status, (dataset_id, method)
    for method in ("HEAD", "GET"):
        for headers in ({}, {"Authorization": BAD_TOKEN}):
            for dataset_id in (hidden, UNKNOWN_ID, "no-id"):
                assert (await fetch(path_of(dataset_id), method, headers=headers)).code == 401
        for dataset_id, status in ((UNKNOWN_ID, 404), ("no-id", 422)):
            assert (await fetch(path_of(dataset_id), method, token=world.bearer("ben"))).code == status
    rows = [(row.dataset_id, row.status, row.user_id) for row in world.audit("download.refused")]
    assert rows == [(each, status, "ben") for each, status in cases] + 2 * [(hidden, 401, None)]


@pytest.mark.parametrize("route", ["download/cog", "preview.npy", "tiles/0/0/0.tif"])
async def test_a_method_that_nobody_knows_leaves_no_row_and_no_error_in_the_log(fetch, world, caplog, route):
    response = await fetch(f"/api/datasets/{world.add().id}/{route}", "FROB")
    assert response.code == 405
    assert not world.audit("download.refused")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_texts_of_clients_are_cut(fetch, world):
    dataset_id = world.add().id
    headers = {"User-Agent": "u" * 10_000, "Range": "bytes=" + "1" * 10_000}
    assert (await fetch(path_of(dataset_id), headers=headers)).code == 401
    (row,) = world.audit("download.refused")
    assert (len(row.user_agent), len(row.range_header)) == (512, 512)


async def test_a_stranger_fills_the_audit_with_thirty_rows_a_minute_and_one(fetch, world, monkeypatch):
    monkeypatch.setattr(world.services.refusals, "_clock", lambda: 600.0)
    dataset_id = world.add().id
    for _ in range(MOST_ROWS + 10):
        assert (await fetch(path_of(dataset_id))).code == 401
    assert len(world.audit("download.refused")) == MOST_ROWS
    world.services.refusals.close()
    rows = world.audit("download.refused")
    assert [row.detail["count"] for row in rows if "count" in row.detail] == [10]
