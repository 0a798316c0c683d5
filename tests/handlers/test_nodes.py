"""Two nodes over one database: what one of them takes away counts on the other at once, and its loop waits for nothing."""

import asyncio
import json

import pytest

from gateway.gatekeeper import Wait
from gateway.model import AuditRow, Grant, Level, Scale
from gateway.pools import Pool
from gateway.records import Change, open_records
from tests.handlers.conftest import act
from tests.postgres import DATABASES

RANGE = {"Range": "bytes=0-99"}


@pytest.fixture
def database_url(database):
    return database


@pytest.fixture
def other(world, database):
    """The records of another node, or of a command."""
    opened = open_records(database)
    yield opened
    opened.close()


REVOKED = {
    "grant": (lambda other, known: other.remove_grant(known.id, act(), user="ben"), 404),
    "user": (lambda other, known: other.set_disabled("ben", True, act()), 401),
    "download": (lambda other, known: other.add_grant(Grant(known.id, Level.VIEW, user="ben"), act()), 403),
    "dataset": (lambda other, known: other.remove_dataset(known.id, act()), 404),
}


@pytest.mark.parametrize("right", REVOKED)
@pytest.mark.gen_test
async def test_a_right_that_another_node_takes_away_is_gone_with_the_next_request(world, fetch, other, right):
    known = world.add(visibility=Scale.PRIVATE, owner="ana")
    other.add_grant(Grant(known.id, Level.DOWNLOAD, user="ben"), act())
    path, ben = f"/api/datasets/{known.id}/download/cog", world.bearer("ben")
    for _ in range(3):
        assert (await fetch(path, token=ben, headers=RANGE)).code == 206
    revoke, status = REVOKED[right]
    await asyncio.to_thread(revoke, other, known)
    answers = await asyncio.gather(*(fetch(path, token=ben, headers=RANGE) for _ in range(8)))
    assert {answer.code for answer in answers} == {status}


@pytest.mark.gen_test
async def test_a_narrowing_counts_between_two_of_many_requests(world, fetch, other):
    known = world.add(visibility=Scale.PUBLIC)
    path, eve = f"/api/datasets/{known.id}/download/cog", world.bearer("eve")

    async def ask():
        return (await fetch(path, token=eve, headers=RANGE)).code

    for _ in range(3):
        assert {await ask() for _ in range(4)} == {206}
        await asyncio.to_thread(other.change_dataset, known.id, Change(visibility=Scale.PRIVATE), act())
        assert set(await asyncio.gather(*(ask() for _ in range(6)))) == {404}
        widened = Change(visibility=Scale.PUBLIC, download=Scale.PUBLIC)
        await asyncio.to_thread(other.change_dataset, known.id, widened, act())


@pytest.mark.skipif("postgresql" not in DATABASES, reason="records in a file are asked on the loop")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.gen_test
async def test_a_repeated_request_takes_no_thread_and_keeps_the_loop_waiting_for_nothing(world, fetch, monkeypatch):
    known = world.add(visibility=Scale.INTERNAL)
    path, ben = f"/api/datasets/{known.id}/download/cog", world.bearer("ben")
    assert (await fetch(path, token=ben, headers=RANGE)).code == 206
    pool, beacon = world.services.pools[Pool.DISK], world.services.records._beacon
    submitted, asked, submit, ask = [], [], pool.submit, beacon.ask
    monkeypatch.setattr(pool, "submit", lambda *args: submitted.append(args) or submit(*args))
    monkeypatch.setattr(beacon, "ask", lambda dataset_ids: asked.append(dataset_ids) or ask(dataset_ids))
    decided = Wait.NOTHING
    assert (await fetch(path, token=ben, headers=RANGE)).code == 206
    assert asked == [[known.id]]
    assert [args for args in submitted if decided in args] == []
    assert len(submitted) == 0


@pytest.mark.gen_test
async def test_rows_of_both_nodes_are_on_one_record(world, fetch, other):
    known = world.add(visibility=Scale.PUBLIC)
    other.append_audit([AuditRow("download.cog", dataset_id=known.id, request_id="other")])
    assert (await fetch(f"/api/datasets/{known.id}/download/cog", token=world.bearer("ben"))).code == 200
    assert len(world.audit("download.cog")) == 2


@pytest.mark.skipif("postgresql" not in DATABASES, reason="one table takes the rows of all times")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.gen_test
async def test_readiness_tells_of_months_that_run_out_and_of_a_clock_that_is_wrong(world, fetch, monkeypatch, caplog):
    async def ready():
        response = await fetch("/readyz")
        return response.code, json.loads(response.body)["parts"]

    code, parts = await ready()
    assert (code, parts["audit months"], parts["database"]) == (200, "ok", "ok")
    monkeypatch.setattr("gateway.handlers.health.LEAST_MONTHS_AHEAD", 4)
    code, parts = await ready()
    assert (code, parts["audit months"]) == (200, "failing")
    monkeypatch.setattr("gateway.records.postgres.health.CLOCK_SECONDS", -1.0)
    for _ in range(3):
        code, parts = await ready()
        assert (code, parts["database"]) == (503, "failing")
    (text,) = caplog.messages
    assert text.startswith("not ready: database: the clocks of this machine and of the database are")
