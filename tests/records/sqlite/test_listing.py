import pytest

from gateway.model import Principal
from gateway.records import SORTINGS, DatasetQuery, open_sqlite
from gateway.records.sqlite import connection, listing, migrations
from tests.records.conftest import dataset, register

PRINCIPALS = {"operator": None, "anonymous": Principal(), "user": Principal("ana", frozenset({"survey"})),
              "admin": Principal("di", frozenset({"admin"}))}  # fmt: skip


@pytest.fixture(scope="module")
def plan_of(tmp_path_factory):
    path = tmp_path_factory.mktemp("listing") / "gateway.db"
    open_sqlite(path).close()
    database = connection.connect(path, "rw")

    def plan(statement, values):
        rows = database.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        return [row[3] for row in rows if "datasets" in row[3] or "B-TREE" in row[3]]

    yield plan
    database.close()


@pytest.mark.parametrize("who", PRINCIPALS)
def test_all_are_counted_in_an_index_alone(plan_of, who):
    count, _, values = listing.statements(DatasetQuery(PRINCIPALS[who], q=None if who == "operator" else "a"))
    for step in plan_of(count, values):
        narrow = "datasets_by_owner (owner=?)" in step or "sqlite_autoindex_datasets_1 (id=?)" in step
        assert step.startswith("SEARCH"), step
        assert "COVERING INDEX datasets_listed" in step or narrow, step


@pytest.mark.parametrize("who", PRINCIPALS)
@pytest.mark.parametrize("sortby", SORTINGS)
def test_a_page_is_read_in_the_order_of_an_index_and_nothing_public_or_private_is_sorted(plan_of, who, sortby):
    query = DatasetQuery(PRINCIPALS[who], sortby=sortby, limit=20, offset=500_000)
    for last in (None, dataset(1)):
        _, page, values = listing.statements(query, last)
        plan = plan_of(page, values)
        assert not [step for step in plan if step.startswith("SCAN datasets")], plan
        # Sorted are those of one owner, those granted, and the page itself.
        assert sum("B-TREE FOR ORDER BY" in step for step in plan) <= 3, plan
        parts = 1 if who == "anonymous" else 2 if who == "user" else 3
        assert sum("COVERING INDEX datasets_listed" in step for step in plan) == parts, plan


def test_a_database_of_the_release_before_is_listed_as_it_is(tmp_path):
    path = tmp_path / "a.db"
    database = connection.connect(path, "rwc")
    migrations.steps().apply(database, stop_before="7-listing")
    database.close()
    older = open_sqlite(path, read_only=True)
    assert older.find_datasets(DatasetQuery(None, q="sheet", sortby="-title")).total == 0
    assert list(older.every_dataset(DatasetQuery(None, sortby="title"))) == []
    older.close()
    records = open_sqlite(path)
    register(records, dataset(1))
    assert records.find_datasets(DatasetQuery(None, q="SHEET", sortby="-title")).total == 1
    records.close()


def test_titles_of_the_release_before_and_of_its_workers_that_run_on_are_found(tmp_path):
    path = tmp_path / "a.db"
    database = connection.connect(path, "rwc")
    migrations.steps().apply(database, stop_before="7-listing")
    older = "INSERT INTO datasets VALUES (?, 'data', ?, ?, NULL, 'public', 'public', 'v', 1, NULL, NULL, '{}', NULL, \
        NULL, NULL, NULL, NULL, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z')"
    database.execute(older, ["a", "a.tif", "Straße"])
    migrations.steps().apply(database)
    columns = "id, root, key, title, visibility, download, version, size_bytes, report, created_at, updated_at"
    database.execute(f"INSERT INTO datasets ({columns}) SELECT 'b', root, 'b.tif', 'STRASSE', visibility, download, "
                     "version, size_bytes, report, created_at, updated_at FROM datasets")  # fmt: skip
    database.execute("UPDATE datasets SET title = 'Weg' WHERE id = 'a'")
    found = database.execute("SELECT id, title_folded FROM datasets ORDER BY id").fetchall()
    assert found == [("a", "weg"), ("b", "strasse")]
    database.close()
