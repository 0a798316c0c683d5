import pytest
from sqlite_utils.utils import sqlite3

from gateway.catalogue.search import Search
from gateway.dates import DatedBy
from gateway.model import Grant, Level, Principal, Scale
from gateway.records import DatasetQuery, open_sqlite
from gateway.records.sqlite import connection, migrations
from tests.records.conftest import act, dataset, register

OLD = """INSERT INTO datasets (id, root, "key", title, owner, visibility, download, version, size_bytes, report,
        west, south, east, north, created_at, updated_at)
    VALUES (?, ?, ?, 'Old', 'ana', 'private', 'private', ?, 1, '{"depth": "blocks", "errors": [], "warnings": []}',
        170, -5, -170, 5, '2026-01-02T03:04:05.000Z', '2026-01-02T03:04:05.000Z')"""
LOCAL = "1f-17a1b2c3d4e5f607-3d"


@pytest.fixture
def older(tmp_path):
    """A catalogue as the release before left it, with two datasets and a grant."""
    database = connection.connect(tmp_path / "a.db", "rwc")
    migrations.steps().apply(database, stop_before="8-collections")
    database.execute(OLD, [dataset(1).id, "data", "a.tif", LOCAL])
    database.execute(OLD, [dataset(2).id, "_odd", "b.tif", '"etag-of-a-store"'])
    database.execute("INSERT INTO grants VALUES (?, 'user', 'ben', 'view')", [dataset(1).id])
    database.close()
    return tmp_path / "a.db"


def test_a_catalogue_that_is_there_is_brought_up_to_date(older):
    before = open_sqlite(older, read_only=True)
    assert [seen.collection.id for seen in before.collections(None)] == ["data", "root_odd"]
    before.close()
    records = open_sqlite(older)
    one, other = records.find_datasets(DatasetQuery(None)).datasets
    assert (one.collection, other.collection) == ("data", "root_odd")
    assert one.dates.dated_by is other.dates.dated_by is DatedBy.MODIFIED
    assert one.dates.start_at.timestamp() == pytest.approx(0x17A1B2C3D4E5F607 / 1e9, abs=0.001)
    assert other.dates.start_at == other.created_at
    assert [seen.collection.title for seen in records.collections(None)] == ["data", "root_odd"]
    found = records.search(Search(bbox=(175, -1, 176, 1)), Principal("ben"))
    assert [each.id for each in found.datasets] == [one.id]
    records.close()


def test_a_worker_of_an_older_release_writes_what_searches_find(older):
    records = open_sqlite(older)
    look = connection.connect(older, "rw")
    look.execute(OLD, [dataset(3).id, "new", "c.tif", LOCAL])
    look.execute("INSERT INTO grants VALUES (?, 'role', 'survey', 'view')", [dataset(3).id])
    look.close()
    found = records.search(Search(collections=("new",)), Principal("cy", frozenset({"survey"})))
    assert [each.id for each in found.datasets] == [dataset(3).id]
    assert found.datasets[0].dates.start_at == found.datasets[0].created_at
    records.close()


def test_rows_for_searches_follow_every_change_and_leave_nothing_behind(tmp_path):
    records = open_sqlite(tmp_path / "a.db")
    look = sqlite3.connect(tmp_path / "a.db")

    def counts():
        return [
            look.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("dataset_audiences", "dataset_boxes")
        ]

    register(records, dataset(1, visibility=Scale.PRIVATE, download=Scale.PRIVATE))
    assert counts() == [2, 2]
    records.add_grant(Grant(dataset(1).id, Level.VIEW, role="survey"), act())
    assert counts() == [3, 3]
    records.remove_dataset(dataset(1).id, act())
    assert counts() == [0, 0]
    look.close()
    records.close()


PLANS = {
    "box and month": ({"bbox": (8, 47, 8.4, 47.4), "month": True}, Principal(), "SCAN b VIRTUAL TABLE INDEX 2"),
    "box and month, along the time": (
        {"bbox": (8, 47, 8.4, 47.4), "month": True},
        Principal(),
        "dataset_audiences_newest ",
    ),
    "newest of the world": ({}, Principal(), "dataset_audiences_newest "),
    "newest of a collection": ({"collections": ("sheets",)}, Principal(), "dataset_audiences_newest_of_collection "),
    "a caller who may see 1 of 1,000": ({}, Principal("ben"), "dataset_audiences_newest "),
    "the 1,000th page": ({"after": ("2026-01-01T00:00:00.000Z", "x")}, Principal(), "dataset_audiences_newest "),
}


@pytest.mark.parametrize("case", PLANS)
def test_searches_go_through_their_index_and_sort_nothing_large(tmp_path, monkeypatch, case):
    from datetime import UTC, datetime

    from gateway.catalogue.search import Interval
    from gateway.records.deadlines import Deadline
    from gateway.records.search import searching
    from gateway.records.search.walking import Walked
    from gateway.records.sqlite.searching import AsOf

    monkeypatch.setattr(searching, "FEW", 0)
    if case == "box and month":
        monkeypatch.setattr(searching, "walked", lambda *_: Walked([], None, False))
    wanted, reader, index = PLANS[case]
    wanted = dict(wanted)
    if wanted.pop("month", False):
        wanted["datetime"] = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    records = open_sqlite(tmp_path / "a.db")
    plans = []

    class Watched(AsOf):
        def rows(self, sql, values):
            if "ORDER BY" in sql and "dataset_audiences" in sql:
                plans.append([row[3] for row in self._database.execute("EXPLAIN QUERY PLAN " + sql, values)])
            return super().rows(sql, values)

    asked = Search(**wanted)
    records._connections.run(lambda database: searching.find(Watched(database, Deadline(60)), asked, reader))
    assert plans
    for plan in plans:
        used = [step for step in plan if "dataset_" in step or " a " in step or " b " in step]
        assert any(index in step + " " for step in used), plan
        # Each walk comes in the order of its index; a scan of a table is none.
        assert not any(step.startswith(("SCAN a", "SCAN d")) and "VIRTUAL" not in step for step in plan), plan
        if "newest" in index:
            assert sum("USE TEMP B-TREE FOR ORDER BY" in step for step in plan) <= 1, plan
    records.close()


def test_matches_in_a_box_and_extents_are_read_from_their_indexes_alone(tmp_path, monkeypatch):
    from gateway.records.deadlines import Deadline
    from gateway.records.search import searching
    from gateway.records.sqlite.cells import EXTENTS
    from gateway.records.sqlite.searching import AsOf

    monkeypatch.setattr(searching, "FEW", 0)
    records = open_sqlite(tmp_path / "a.db")
    for number in range(1, 4):
        register(
            records,
            dataset(number, visibility=Scale.PUBLIC if number == 1 else Scale.PRIVATE, download=Scale.PRIVATE),
        )
    looked_at = []

    class Watched(AsOf):
        def rows(self, sql, values):
            if "sure" in sql:
                plan = [row[3] for row in self._database.execute("EXPLAIN QUERY PLAN " + sql, values)]
                looked_at.append(("\n".join(plan), sql, values))
            return super().rows(sql, values)

    def find(database):
        page = searching.find(
            Watched(database, Deadline(60)), Search(bbox=(5, 45, 16, 55), limit=1), Principal("eve")
        )
        plan = [
            row[3]
            for row in database.execute("EXPLAIN QUERY PLAN " + EXTENTS, {"audiences": "[]", "collections": "[]"})
        ]
        return page, plan

    page, extents = records._connections.run(find)
    # One page has all: no more was counted. With a key behind it the matches are.
    assert page.matched == 1
    monkeypatch.setattr(searching, "MOST_BOXED", 99)
    find_on = Search(bbox=(5, 45, 16, 55), limit=1, after=("9999-01-01T00:00:00.000Z", "x"))
    page = records._connections.run(
        lambda base: searching.find(Watched(base, Deadline(60)), find_on, Principal("eve"))
    )
    assert page.matched == 1
    ((plan, sql, _),) = looked_at
    assert "SCAN b VIRTUAL TABLE INDEX 2" in plan
    assert "b.last_audience >= 1" in sql
    # The table is looked at for what lies at an edge alone, by its number.
    assert "SEARCH a USING INTEGER PRIMARY KEY" in plan
    assert "SCAN a" not in plan
    assert any("SEARCH collection_cells USING PRIMARY KEY (audience=? AND collection=?)" in step for step in extents)
    assert any("SEARCH a USING COVERING INDEX dataset_audiences_cells" in step for step in extents), extents
    records.close()
