"""Jobs: large parts are made while the client asks after them, for their maker alone, and never stand still."""

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile

from gateway.handlers import jobrunning
from gateway.model import Inspection, Level, Scale
from gateway.records import Verdict
from tests.handlers.conftest import UNKNOWN_ID, act, grant, problem
from tests.handlers.test_nativeparts import BOX, COLUMN, HEIGHT, ROW, WIDTH, url
from tests.handlers.test_values import token_for
from tests.patience import SECONDS, eventually

pytestmark = [pytest.mark.gen_test, pytest.mark.parametrize("settings", [{"part_async_mb": 0}], indirect=True)]
OTHER = BOX.replace("515000", "515050")


async def begun(fetch, dataset, token=None, path=BOX, **query):
    """Return the address of the job that an answer names."""
    answer = await fetch(url(dataset, path, **query), token=token)
    assert answer.code == 202
    assert json.loads(answer.body)["status"] in ("queued", "running")
    assert answer.headers["Location"] == f"/api/jobs/{json.loads(answer.body)['id']}"
    assert "ETag" not in answer.headers
    return answer.headers["Location"]


async def ended(fetch, path, token=None, going=("queued", "running")):
    """Return what is told of a job when it goes on no more, or is `going` no more."""
    end = datetime.now(UTC) + timedelta(seconds=SECONDS)
    while datetime.now(UTC) < end:
        told = await fetch(path, token=token)
        assert told.code == 200
        if json.loads(told.body)["status"] not in going:
            return json.loads(told.body)
        assert told.headers["Retry-After"] == "2"
    raise AssertionError("it never ended")


def own(path):
    return path[path.index("/api/") :]


async def test_a_large_part_is_made_by_a_job_and_taken_like_a_file(fetch, world):
    dataset, token = world.add(), world.bearer()
    head = await fetch(url(dataset), "HEAD", token=token)
    assert (head.code, "Location" in head.headers) == (202, False)
    place = await begun(fetch, dataset, token)
    done = await ended(fetch, place, token)
    assert (done["status"], done["reason"], done["dataset"]) == ("done", None, dataset.id)
    result = own(done["result"])
    assert result == f"{place}/result.tif"
    whole = await fetch(result, token=token)
    assert (whole.code, len(whole.body)) == (200, done["bytes"])
    with rasterio.open(world.folder / "elevation.tif") as old, MemoryFile(whole.body) as file, file.open() as new:
        assert np.array_equal(new.read(), old.read(window=rasterio.windows.Window(COLUMN, ROW, WIDTH, HEIGHT)))
    part = await fetch(result, token=token, headers={"Range": "bytes=-7", "If-Range": whole.headers["ETag"]})
    assert (part.code, part.body) == (206, whole.body[-7:])
    # As it lies ready the address of the part itself gives it, with the same entity tag.
    again = await fetch(url(dataset), "HEAD", token=token)
    assert (again.code, again.headers["ETag"]) == (200, whole.headers["ETag"])
    (created,) = world.audit("job.created")
    assert (created.user_id, created.dataset_id, created.detail["route"]) == ("ana", dataset.id, "bbox")
    granted = world.audit("download.part")
    assert [(row.status, row.range_header, row.detail["box"][0]) for row in granted] == [
        (200, None, 503010), (206, "bytes=-7", 503010),
    ]  # fmt: skip


async def test_a_job_is_its_makers_alone(fetch, world):
    dataset, token = world.add(), world.bearer()
    place = await begun(fetch, dataset, token)
    await ended(fetch, place, token)
    for path in (place, f"{place}/result.tif", f"/api/jobs/{UNKNOWN_ID}", "/api/jobs/none"):
        assert problem(await fetch(path, token=world.bearer("ben")))["detail"] == "There is no such job."
    assert (await fetch(place)).code == 401
    assert (await fetch(place, "DELETE", token=world.bearer("ben"))).code == 404
    # By the token in an address, as whoever shows it.
    download = await token_for(fetch, dataset, "download", token)
    assert (await fetch(f"{place}?token={download}")).code == 200
    # Addresses are passed on.
    assert problem(await fetch(f"{place}?token={download}", "DELETE"))["status"] == 403
    assert (await ended(fetch, place, token))["status"] == "done"
    other = await token_for(fetch, world.add("b.tif"), "download", token)
    assert (await fetch(f"{place}?token={other}")).code == 404
    tiles = await token_for(fetch, dataset, "tile", token)
    assert (await fetch(f"{place}?token={tiles}")).code == 401


async def test_a_job_of_a_download_token_without_a_user_is_theirs_who_know_its_id(fetch, world):
    dataset = world.add()
    token = await token_for(fetch, dataset, "download")
    place = await begun(fetch, dataset, path=f"{BOX}&token={token}")
    answer = await fetch(f"{place}?token={token}")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert (await fetch(place, token=world.bearer())).code == 404
    assert (await fetch(place, "DELETE")).code == 401
    assert (await fetch(f"{place}?token={token}", "DELETE")).code == 204


async def test_a_job_made_by_a_link_is_that_links_and_not_of_who_made_the_link(fetch, world):
    dataset = world.add(visibility=Scale.PRIVATE, owner="ana")
    body = json.dumps({"dataset": dataset.id, "right": "download"})
    link = json.loads((await fetch("/api/links", "POST", token=world.bearer(), body=body)).body)
    opened = await fetch("/api/auth/link-token", "POST", token=link["url"].rpartition("=")[2])
    token = json.loads(opened.body)["token"]
    place = await begun(fetch, dataset, token)
    assert (await fetch(place, token=token)).code == 200
    assert (await fetch(place, token=world.bearer())).code == 404
    await ended(fetch, place, token)
    assert [row.user_id for row in world.audit("job.created")] == [None]


async def test_rights_are_judged_again_when_the_result_is_taken(fetch, world):
    dataset = world.add(visibility=Scale.PUBLIC, download=Scale.PRIVATE)
    grant(world, dataset, Level.DOWNLOAD, user="ana")
    place = await begun(fetch, dataset, world.bearer())
    await ended(fetch, place, world.bearer())
    world.services.records.remove_grant(dataset.id, act(), user="ana")
    assert problem(await fetch(f"{place}/result.tif", token=world.bearer()))["status"] == 403
    assert [row.dataset_id for row in world.audit("download.refused")] == [dataset.id]
    assert world.audit("download.part") == []
    # A file that is another one by now has no such part.
    grant(world, dataset, Level.DOWNLOAD, user="ana")
    world.add("elevation.tif")
    assert "replaced" in problem(await fetch(f"{place}/result.tif", token=world.bearer()))["detail"]


async def test_a_cancelled_job_ends_and_gives_no_result(fetch, world):
    dataset, token = world.add(), world.bearer()
    for wait in (False, True):
        place = await begun(fetch, dataset, token, OTHER if wait else BOX)
        if wait:
            await ended(fetch, place, token)
        assert (await fetch(place, "DELETE", token=token)).code == 204
        assert (await ended(fetch, place, token))["status"] == "cancelled"
        assert problem(await fetch(f"{place}/result.tif", token=token))["status"] == 404
    assert len(world.audit("job.cancelled")) == 2


@pytest.mark.one_node("the jobs of one node are held back")
async def test_the_same_part_is_one_job_and_too_many_are_told_to_wait(fetch, world, app, monkeypatch):
    dataset, token, runner = world.add(), world.bearer(), app.settings["runner"]
    monkeypatch.setattr(runner, "begin", lambda job, wanted: None)
    places = {await begun(fetch, dataset, token) for _ in range(2)}
    assert len(places) == 1
    for number in range(3):
        await begun(fetch, dataset, token, BOX.replace("515000", f"51{number}100"))
    told = await fetch(url(dataset, OTHER), token=token)
    assert problem(told)["status"] == 429
    assert told.headers["Retry-After"] == "30"
    await begun(fetch, dataset, world.bearer("ben"))


@pytest.mark.one_node("the worker of one node is made to have ended")
async def test_a_job_whose_worker_ended_is_taken_over_and_one_that_is_made_here_no_more_is_made_again(
    fetch, world, app, monkeypatch
):
    dataset, token, runner, jobs = world.add(), world.bearer(), app.settings["runner"], world.services.records.jobs
    with monkeypatch.context() as patched:
        patched.setattr(runner, "begin", lambda job, wanted: None)
        place = await begun(fetch, dataset, token)
        assert json.loads((await fetch(place, token=token)).body)["status"] == "queued"
    monkeypatch.setattr(jobrunning, "LEFT_SECONDS", 0.0)
    assert (await ended(fetch, place, token))["status"] == "done"
    first = await fetch(f"{place}/result.tif", token=token)
    for folder in (world.services.settings.state_dir / "parts").iterdir():
        folder.rename(world.folder / folder.name)
    second = await fetch(f"{place}/result.tif", token=token)
    assert (second.body, second.headers["ETag"]) == (first.body, first.headers["ETag"])
    assert jobs.by_id(place.rpartition("/")[2]).tries == 2
    await fetch(place, "DELETE", token=token)
    told = (await fetch("/metrics")).body.decode()
    for line in (
        'jobs_total{status="done"} 1.0',
        'jobs_total{status="cancelled"} 1.0',
        'parts_total{result="written"} 2.0',
    ):
        assert f"cog_gateway_{line}" in told


@pytest.mark.one_node("the worker of one node is made to have ended")
async def test_a_job_over_a_file_that_was_replaced_has_failed_and_says_so(fetch, world, app, monkeypatch):
    dataset, token, runner = world.add(), world.bearer(), app.settings["runner"]
    with monkeypatch.context() as patched:
        patched.setattr(runner, "begin", lambda job, wanted: None)
        place = await begun(fetch, dataset, token)
    monkeypatch.setattr(jobrunning, "LEFT_SECONDS", 0.0)
    verdict = Verdict("another", dataset.size_bytes, Inspection(dataset.report, dataset.raster))
    world.services.records.judge_dataset(dataset, verdict, act())
    told = await ended(fetch, place, token)
    assert (told["status"], "replaced" in told["reason"], told["result"]) == ("failed", True, None)
    assert problem(await fetch(f"{place}/result.tif", token=token))["status"] == 404


@pytest.mark.one_node("one node closes")
async def test_a_server_that_closes_leaves_its_jobs_to_others(fetch, world, app):
    dataset, token = world.add(), world.bearer()
    places = [await begun(fetch, dataset, token, BOX.replace("515000", f"51{number}100")) for number in range(4)]
    await app.settings["runner"].close()
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if task.get_coro().__qualname__ == "Event.wait"] == []
    told = [json.loads((await fetch(place, token=token)).body)["status"] for place in places]
    assert set(told) <= {"queued", "running", "done"}
    assert [path.name for path in (world.services.settings.state_dir / "parts").glob("making-*")] == []


@pytest.mark.one_node("the disk of one node is held back")
async def test_a_part_that_is_given_up_while_it_begins_can_be_made_again(fetch, world, app, monkeypatch):
    dataset, token, files = world.add(), world.bearer(), app.settings["cutter"]._files
    begins, goes_on, begin = threading.Event(), threading.Event(), files.begin

    def slow(key, decoded_bytes):
        begins.set()
        assert goes_on.wait(SECONDS)
        return begin(key, decoded_bytes)

    with monkeypatch.context() as patched:
        patched.setattr(files, "begin", slow)
        # What is told does not wait for the next look at the job.
        patched.setattr(jobrunning, "SEEN_SECONDS", 2 * SECONDS)
        place = await begun(fetch, dataset, token)
        await eventually(begins.is_set)
        assert (await ended(fetch, place, token, going=("queued",)))["status"] == "running"
        assert (await fetch(place, "DELETE", token=token)).code == 204
        await eventually(lambda: not app.settings["cutter"]._waiting)
        goes_on.set()
    again = await begun(fetch, dataset, token)
    assert (await ended(fetch, again, token))["status"] == "done"
