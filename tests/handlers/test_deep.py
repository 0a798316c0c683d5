"""A dataset that was ingested at depth full and whose file changes: nobody waits, and everybody gets it later."""

import asyncio
import threading
from functools import partialmethod

import pytest

from gateway.deep import DeepJudgements
from gateway.deep.judgements import RETRY_SECONDS, UNDER_WAY
from gateway.model import Report
from tests.handlers.conftest import problem
from tests.rasters import write_cog

ROUTES = ("/download/cog", "/tiles/0/0/0.png", "/preview.png", "/tilejson.json", "/info")


def after(judgements, held, answer, known):
    """Return the answer once it is let go."""
    assert held.wait(120)
    return answer(judgements, known)


def wait_until_judged(world):
    world.services.pools["deep"].submit(int).result(120)


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [{"open_downloads": True}], indirect=True)
async def test_a_file_that_was_judged_in_full_is_given_when_it_is_judged_in_full_again(
    fetch, world, tmp_path, monkeypatch, caplog
):
    held = threading.Event()
    monkeypatch.setattr(DeepJudgements, "_answer", partialmethod(after, held, DeepJudgements._answer))
    dataset = world.add(report=Report("full"))
    assert (await fetch(f"/api/datasets/{dataset.id}/download/cog")).code == 200
    neighbour = world.add("other.tif")
    (world.folder / "elevation.tif").write_bytes(write_cog(tmp_path / "new.tif").read_bytes())
    (world.folder / "other.tif").write_bytes(write_cog(tmp_path / "new2.tif").read_bytes())
    for route in ROUTES:
        answer = await fetch(f"/api/datasets/{dataset.id}{route}")
        assert problem(answer)["detail"] == UNDER_WAY, route
        assert (answer.code, answer.headers["Retry-After"]) == (503, str(RETRY_SECONDS))
    assert (await fetch(f"/api/datasets/{dataset.id}/download/cog", "HEAD")).code == 503
    assert (await fetch(f"/api/auth/download-token/{dataset.id}", "POST")).code == 503
    # Files that were judged as usual wait for nothing of it.
    assert (await fetch(f"/api/datasets/{neighbour.id}/download/cog")).code == 200
    assert not [r for r in caplog.records if r.levelname == "WARNING"]
    held.set()
    await asyncio.to_thread(wait_until_judged, world)
    for route in ROUTES:
        assert (await fetch(f"/api/datasets/{dataset.id}{route}")).code == 200, route
    now = world.services.records.dataset(dataset.id)
    assert (now.report.depth, now.sha256 is not None) == ("full", True)
    assert len([row for row in world.audit("dataset.judged") if row.dataset_id == dataset.id]) == 1
