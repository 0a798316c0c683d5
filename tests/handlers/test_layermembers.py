"""What becomes of datasets of a layer whose files change, go, or cannot be reached."""

import asyncio
import json
import uuid
from dataclasses import replace

import pytest

from gateway.handlers import layermembers
from tests.handlers.conftest import *  # noqa: F403 - the gateway and how to ask it
from tests.handlers.conftest import act, problem
from tests.handlers.layerscenes import WHOLE, make_scenes, paint

TILE = f"/api/collections/scenes/tiles/{WHOLE}.png"


@pytest.fixture
def anew(monkeypatch):
    """Let every request look at all files."""
    monkeypatch.setattr(layermembers.Vouched, "holds", lambda self, dataset: False)


@pytest.mark.gen_test
async def test_a_file_that_is_replaced_is_judged_and_one_that_is_gone_or_no_cog_left_out(world, fetch, anew):
    scenes = make_scenes(world)
    before = await fetch(TILE)
    assert before.headers["X-Assets"] == "2/2"
    (world.folder / "east.tif").unlink()
    gone = await fetch(TILE)
    assert (gone.headers["X-Assets"], gone.headers["Cache-Control"]) == ("1/2", "public, max-age=300")
    paint(world, "east", 10.5, 120)
    again = await fetch(TILE)
    assert again.headers["X-Assets"] == "2/2"
    assert len({answer.headers["ETag"] for answer in (before, gone, again)}) == 3
    assert world.services.records.dataset(scenes["east"].id).version != scenes["east"].version
    (world.folder / "east.tif").write_bytes(b"no raster at all")
    assert (await fetch(TILE)).headers["X-Assets"] == "1/2"
    told = json.loads((await fetch(f"/api/collections/scenes/tiles/{WHOLE}/assets")).body)
    assert ([each["title"] for each in told["assets"]], told["found"]) == (["west"], 1)


@pytest.mark.gen_test
async def test_a_file_that_changes_after_it_was_looked_at_is_not_drawn_as_what_it_was(world, fetch):
    make_scenes(world)
    before = await fetch(TILE)
    paint(world, "other", 10.5, 120)
    (world.folder / "east.tif").write_bytes((world.folder / "other.tif").read_bytes())
    # Another tile, of which nothing is kept: who draws it finds that out.
    assert (await fetch(TILE.replace(".png", "@2x.png"))).headers["X-Assets"] == "2/2"
    assert (await fetch(TILE)).headers["ETag"] != before.headers["ETag"]


@pytest.mark.gen_test
async def test_what_cannot_be_reached_just_now_is_left_out_of_an_answer_that_nobody_keeps(world, fetch, anew):
    scenes = make_scenes(world)
    far = replace(scenes["west"], id=str(uuid.uuid4()), root="far")
    world.services.records.register_dataset(far, act())
    found = await fetch(TILE)
    assert (found.headers["X-Assets"], found.headers["Cache-Control"]) == ("2/3", "private, no-store")
    point = await fetch("/api/collections/scenes/point/10.3,47.8")
    assert (point.headers["X-Assets"], point.headers["Cache-Control"]) == ("1/2", "private, no-store")
    # Where nothing else is left, that is what is told.
    for name in ("west", "east"):
        (world.folder / f"{name}.tif").unlink()
    answer = await fetch(TILE)
    assert (answer.code, answer.headers["Retry-After"]) == (503, "2")
    problem(answer)


def test_so_many_files_are_looked_at_at_once_and_none_of_the_others_is_refused():
    known, inside, most = layermembers.Vouched(), set(), []

    async def look(number):
        inside.add(number)
        most.append(len(inside))
        await asyncio.sleep(0)
        inside.discard(number)
        return number

    async def many():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(known, "holds", lambda _: False)
            return await asyncio.gather(*(known.looked_at(number, look) for number in range(300)))

    assert asyncio.run(many()) == list(range(300))
    assert max(most) == layermembers.LOOKS


@pytest.mark.gen_test
async def test_who_is_disabled_sees_no_layer_at_all(world, fetch):
    make_scenes(world)
    minted = json.loads((await fetch("/api/auth/tile-token/collections/scenes", "POST", token=world.bearer())).body)
    world.services.records.set_disabled("ana", True, act())
    for query, token in (("", world.bearer()), (f"?token={minted['token']}", None)):
        assert (await fetch(TILE + query, token=token)).code == 401
