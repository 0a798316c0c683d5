"""Revisions are read once for all who ask, after they asked, and nobody waits for ever."""

import threading
import time
from concurrent.futures import Future
from contextlib import closing

import pytest

from gateway.errors import BadParameter, RecordsUnavailable
from gateway.records import NOBODY, Change, DatasetQuery, Holder, NotRemembered, open_records
from gateway.records.postgres.beacon import Beacon
from tests.postgres import DATABASES
from tests.proxy import Proxy
from tests.records.conftest import act, dataset, register

pytestmark = pytest.mark.skipif("postgresql" not in DATABASES, reason="there is no PostgreSQL")
ID = dataset(1).id


@pytest.fixture
def url(postgres):
    return postgres.server.url(postgres.emptied())


@pytest.fixture
def beacon(url):
    opened = Beacon(url)
    yield opened
    opened.close()


def test_who_asks_while_a_query_runs_shares_the_next_one(beacon, monkeypatch):
    read, asked, go_on = beacon._read, [], threading.Event()

    def slowly(ids):
        asked.append(sorted(set(ids)))
        assert go_on.wait(60)
        return read(ids)

    monkeypatch.setattr(beacon, "_read", slowly)
    first = beacon.ask(["a"])
    while not asked:
        time.sleep(0.001)
    others = [beacon.ask(names) for names in (["b"], ["c", "b"], ["b"])]
    go_on.set()
    told = first.result(60)["a"]
    assert [each.result(60) for each in others] == [{"b": told}, {"c": told, "b": told}, {"b": told}]
    assert asked == [["a"], ["b", "c"]]


def test_a_revision_is_another_one_after_each_change_and_never_an_old_one_again(url, beacon):
    with closing(open_records(url)) as records:
        seen = [beacon.ask([ID]).result(60)[ID]]
        for change in (
            lambda: register(records, dataset(1)),
            lambda: records.change_dataset(ID, Change(title="New"), act()),
            lambda: records.remove_dataset(ID, act()),
            lambda: register(records, dataset(1)),
            lambda: records.set_disabled("ana", True, act()),
        ):
            change()
            seen.append(beacon.ask([ID]).result(60)[ID])
        # Removed, it has none, as before it came.
        assert seen[0] == seen[3]
        assert len(set(seen)) == len(seen) - 1


def test_another_connection_remembers_nothing(postgres, url):
    name = url.split("/")[3].partition("?")[0]
    with (
        Proxy(postgres.server.port) as proxy,
        closing(Beacon(postgres.server.tcp_url(name, proxy.port))) as beacon,
    ):
        before = beacon.ask([ID]).result(60)[ID]
        assert beacon.ask([ID]).result(60)[ID] == before
        proxy.drop()
        after = beacon.ask([ID]).result(60)[ID]
        assert after != before
        assert after[1:] == before[1:]


def test_who_asks_a_database_that_is_away_is_told(monkeypatch):
    monkeypatch.setattr("gateway.records.postgres.beacon.PATIENCE_SECONDS", 0.2)
    with closing(Beacon("postgresql://gateway@127.0.0.1:1/none")) as beacon:
        asked = [beacon.ask([name]) for name in "ab"]
        errors = [each.exception(60) for each in asked]
        assert all(isinstance(error, RecordsUnavailable) for error in errors)
        assert errors[0] is not errors[1]


def test_closed_it_tells_those_who_ask(url):
    beacon = Beacon(url)
    beacon.close()
    beacon.close()
    with pytest.raises(RecordsUnavailable, match="closed"):
        beacon.ask([ID]).result(60)[ID]


def test_an_empty_table_is_told_and_ends_no_thread(records, execute, monkeypatch):
    monkeypatch.setattr("gateway.records.postgres.beacon.PATIENCE_SECONDS", 0.1)
    execute("DELETE FROM revision")
    for _ in range(2):
        with pytest.raises(RecordsUnavailable):
            records.standing(ID, NOBODY)
    execute("INSERT INTO revision VALUES (nextval('revisions'))")
    assert records.standing(ID, NOBODY).dataset is None


def test_within_as_of_memory_answers_or_nobody_does(records):
    register(records, dataset(1))
    remembering = records.remembering
    revision = remembering.revisions([ID]).result(60)[ID]
    with remembering.as_of(ID, revision), pytest.raises(NotRemembered):
        records.standing(ID, NOBODY)
    known = records.standing(ID, NOBODY)
    with remembering.as_of(ID, revision):
        assert records.standing(ID, NOBODY) is known
        with pytest.raises(NotRemembered):
            records.standing(ID, Holder("ana"))
    records.change_dataset(ID, Change(title="New"), act())
    with remembering.as_of(ID, remembering.revisions([ID]).result(60)[ID]), pytest.raises(NotRemembered):
        records.standing(ID, NOBODY)


def test_an_answer_that_never_comes_is_not_waited_for(records, monkeypatch):
    monkeypatch.setattr("gateway.records.postgres.standing.ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(records._beacon, "ask", lambda _: Future())
    with pytest.raises(RecordsUnavailable, match="does not answer"):
        records.standing(ID, NOBODY)


def test_a_text_with_nul_is_refused_and_names_nothing(records):
    with pytest.raises(BadParameter, match="NUL"):
        records.find_datasets(DatasetQuery(None, q="a\0"))
    with pytest.raises(BadParameter, match="NUL"):
        register(records, dataset(1, title="a\0"))
    assert records.find_datasets(DatasetQuery(None)).total == 0
