import contextlib
import json

import pytest

from gateway.model import Principal
from gateway.records import SORTINGS, DatasetQuery
from gateway.records.postgres import listing, migrations
from gateway.records.postgres.connection import connect
from gateway.records.postgres.schema import STEPS
from tests.records.conftest import dataset

PRINCIPALS = {"operator": None, "anonymous": Principal(), "user": Principal("ana", frozenset({"survey"})),
              "admin": Principal("di", frozenset({"admin"}))}  # fmt: skip
ROWS = 20_000
# Enough that the planner weighs ways, and most of them private.
FILL = f"""INSERT INTO datasets SELECT md5(n::text), 'data', n::text, 'Sheet ' || n, 'sheet ' || n, n::text,
        CASE WHEN n % 50 = 0 THEN 'ana' ELSE 'eve' END, CASE WHEN n % 400 = 0 THEN 'public' ELSE 'private' END,
        'private', 'v', n % 1000, NULL, NULL, json_build_object('valid', true, 'padding', repeat('x', 400)), NULL,
        NULL, NULL, NULL, NULL, now() + n * interval '1 second', now(), 0
    FROM generate_series(1, {ROWS}) AS n"""
GRANT = "INSERT INTO grants SELECT md5(n::text), 'role', 'survey', 'view' FROM generate_series(1, 40) AS n"


@pytest.fixture(scope="module")
def filled(postgres):
    with postgres.new() as name:
        postgres.server.execute("SET session_replication_role = replica", FILL, GRANT, name=name)
        postgres.server.execute("VACUUM ANALYZE datasets, grants", name=name)
        with contextlib.closing(connect(postgres.server.url(name))) as connection:
            yield connection


def steps_of(connection, statement, values):
    """Return the steps of a plan, as it was carried out."""
    row = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).fetchone()
    (plan,) = row["QUERY PLAN"] if isinstance(row["QUERY PLAN"], list) else json.loads(row["QUERY PLAN"])
    found, steps = [plan["Plan"]], []
    while found:
        step = found.pop()
        steps.append(step)
        found += step.get("Plans", [])
    return steps


def read(steps):
    """Return how many rows of the table itself, and entries of indexes, were looked at."""

    def looked_at(step):
        return step["Actual Loops"] * (step["Actual Rows"] + step.get("Rows Removed by Filter", 0))

    kinds = {"Index Only Scan": 0, "Index Scan": 0, "Seq Scan": 0, "Bitmap Heap Scan": 0}
    for step in steps:
        if step["Node Type"] in kinds and step["Relation Name"] == "datasets":
            kinds[step["Node Type"]] += looked_at(step)
    return kinds.pop("Index Only Scan"), sum(kinds.values())


@pytest.mark.parametrize("who", PRINCIPALS)
def test_all_are_counted_without_a_look_at_the_table(filled, who):
    count, _, values = listing.statements(DatasetQuery(PRINCIPALS[who]))
    entries, rows = read(steps_of(filled, count, values))
    seen = filled.execute(count, values).fetchone()
    # What the role was granted is looked up one by one.
    assert rows <= 40
    assert entries <= next(iter(seen.values())) + 10


@pytest.mark.parametrize("who", PRINCIPALS)
@pytest.mark.parametrize("sortby", SORTINGS)
def test_a_page_reads_as_many_entries_as_it_shows_and_the_rows_of_those_alone(filled, who, sortby):
    _, page, values = listing.statements(DatasetQuery(PRINCIPALS[who], sortby=sortby, limit=20))
    entries, rows = read(steps_of(filled, page, values))
    # In another order than that of their index the user's own ones, one in fifty, are sorted or looked for.
    assert entries <= 70 + (400 if who == "user" else 0)
    assert rows <= 60 + (1200 if who == "user" else 0)


def test_a_page_far_on_passes_over_entries_of_the_index_and_no_rows(filled):
    _, page, values = listing.statements(DatasetQuery(None, limit=20, offset=ROWS // 2))
    entries, rows = read(steps_of(filled, page, values))
    assert entries >= ROWS // 2
    assert rows == 20


def test_the_next_page_of_all_begins_where_the_last_one_ended(filled):
    (place,) = filled.execute(
        "SELECT created_at, id FROM datasets ORDER BY created_at OFFSET 10000 LIMIT 1"
    ).fetchall()
    last = dataset(1, id=place["id"], created_at=place["created_at"])
    _, page, values = listing.statements(DatasetQuery(None, limit=20), last)
    entries, rows = read(steps_of(filled, page, values))
    assert (entries <= 70, rows) == (True, 20)


def test_a_rare_word_is_found_by_its_index(filled):
    count, page, values = listing.statements(DatasetQuery(PRINCIPALS["admin"], q="sheet 12345"))
    for statement in (count, page):
        steps = steps_of(filled, statement, values)
        assert any(step.get("Index Name") == "datasets_by_words" for step in steps)
        assert sum(read(steps)) < 100


@pytest.mark.parametrize("q", ["zu", "1-2", "%", "__", "a'b"])
def test_what_has_no_word_for_the_index_is_not_looked_for_in_it(filled, q):
    count, page, values = listing.statements(DatasetQuery(PRINCIPALS["admin"], q=q))
    for statement in (count, page):
        assert not any(step.get("Index Name") == "datasets_by_words" for step in steps_of(filled, statement, values))


def test_an_owner_who_cannot_have_the_extension_gets_tables_without_the_index(roles, postgres, empty):
    _, owner_url = roles
    assert migrations.migrate(owner_url, f"{empty}_server") == list(STEPS)
    with contextlib.closing(connect(postgres.server.url(empty))) as connection:
        indexes = [row["indexname"] for row in connection.execute("SELECT indexname FROM pg_indexes")]
        assert "datasets_listed" in indexes
        assert "datasets_by_words" not in indexes
        # Once it is there, whoever made it, the next migration makes the index.
        connection.execute("CREATE EXTENSION pg_trgm")
        assert migrations.migrate(owner_url, f"{empty}_server") == []
        assert connection.execute("SELECT 1 FROM pg_class WHERE relname = 'datasets_by_words'").fetchone()
