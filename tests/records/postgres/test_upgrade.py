import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import GatewayError
from gateway.model import AuditRow, Grant, Level, Principal
from gateway.records import SORTINGS, AuditQuery, Change, DatasetQuery, Holder, open_records
from gateway.records.postgres import filling, indexes, migrations
from gateway.records.postgres.connection import Bounded, connect
from gateway.records.postgres.schema import STEPS
from tests.records.conftest import dataset

# The step that has the most to do while others work.
INDEXED = "7-collections-indexes"
LATER = ["6-collections-filled", "7-collections-indexes", "11-cells-index", "18-searches-by-maker"]


@pytest.fixture
def before(postgres, empty, monkeypatch):
    """The URL of a database as the release before left it: without that step."""
    url = postgres.server.url(empty)
    monkeypatch.setattr(migrations, "STEPS", {name: step for name, step in STEPS.items() if name != INDEXED})
    monkeypatch.setattr(migrations.indexes, "build_words", lambda connection: None)
    migrations.migrate(url, "gateway")
    records = open_records(url)
    monkeypatch.undo()
    yield url, records
    records.close()


def everything(records, number):
    """Do what a node does; return the audit row of one download."""
    assert records.register_dataset(dataset(number), AuditRow("test.act"))
    row = AuditRow("download.cog", dataset_id=dataset(number).id, request_id=str(number))
    records.append_audit([row])
    records.add_grant(Grant(dataset(number).id, Level.VIEW, user="ben"), AuditRow("test.act"))
    assert len(records.standing(dataset(number).id, Holder("ben")).grants) == 1
    records.remove_grant(dataset(number).id, AuditRow("test.act"), user="ben")
    assert records.standing(dataset(number).id, Holder("ben")).grants == ()
    records.change_dataset(dataset(number).id, Change(title=f"Title {number}"), AuditRow("test.act"))
    for sortby in SORTINGS:
        assert records.find_datasets(DatasetQuery(Principal("ben"), q="TITLE", sortby=sortby)).total > 0
    records.ping()
    return row.row_id


def test_nodes_of_the_release_before_serve_on_while_the_tables_are_brought_up_to_date(before):
    url, records = before
    assert all(step.adds for step in STEPS.values())
    told, failures, begun, stop = [], [], threading.Event(), threading.Event()

    def serve():
        try:
            while not stop.is_set() or len(told) < 4:
                told.append(everything(records, len(told) + 1))
                begun.set()
        except GatewayError as error:
            failures.append(error)
        finally:
            begun.set()

    serving = threading.Thread(target=serve)
    serving.start()
    begun.wait()
    assert migrations.migrate(url, "gateway") == [INDEXED]
    done = len(told)
    # Old and new beside each other.
    with contextlib.closing(open_records(url)) as newer:
        everything(newer, 500)
        while len(told) < done + 2 and serving.is_alive():
            serving.join(0.01)
        stop.set()
        serving.join()
        assert [failure.reason for failure in failures] == []
        stored = [each.row.row_id for each in newer.audit_rows(AuditQuery(action="download.cog"))]
        assert set(told) < set(stored)
        assert len(stored) == len(told) + 1


def test_every_step_leaves_columns_as_releases_before_know_them_and_makes_none_that_they_would_have_to_fill(
    postgres, empty, monkeypatch
):
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns \
        WHERE table_schema = 'public' AND table_name NOT LIKE 'audit\\_%'"
    )
    known: set[tuple[str, ...]] = set()
    with contextlib.closing(connect(postgres.server.url(empty), long=True)) as connection:
        for number in range(list(STEPS).index("3-audit"), len(STEPS)):
            monkeypatch.setattr(migrations, "STEPS", dict(list(STEPS.items())[: number + 1]))
            migrations.migrate(postgres.server.url(empty), "gateway")
            now = {tuple(row.values()) for row in connection.execute(columns)}
            assert known <= now, list(STEPS)[number]
            filled = [new for new in now - known if new[3] == "NO" and new[4] is None]
            assert not {new[0] for new in filled} & {old[0] for old in known}, filled
            known = now


def test_who_writes_does_not_wait_for_an_index_that_waits_for_others(before, caplog, postgres):
    url, records = before
    with contextlib.closing(connect(url, long=True)) as reading, contextlib.closing(connect(url, long=True)) as owner:
        # As an export of the audit does.
        reading.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reading.execute("SELECT count(*) FROM datasets")
        owner.execute("SET lock_timeout = '300ms'")
        with ThreadPoolExecutor(1) as thread:
            built = thread.submit(indexes.build, owner, STEPS[INDEXED].indexes)
            everything(records, 1)
            assert built.result() is False
        assert "cog-gateway migrate" in caplog.text
        reading.execute("COMMIT")
    assert migrations.migrate(url, "gateway") == [INDEXED]
    with contextlib.closing(connect(url)) as connection:
        broken = "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid"
        assert connection.execute(broken).fetchall() == []
        assert migrations.pending(connection) == []


PLAIN = """INSERT INTO datasets (id, root, key, title, title_folded, key_folded, owner, visibility, download, version,
        size_bytes, report, created_at, updated_at, revision)
    SELECT '00000000-0000-0000-0000-' || lpad(n::text, 12, '0'), '_data', n || '.tif', 'Sheet', 'sheet', 'sheet', 'ana',
        'private', 'private', '1f-18bcfe56800f1234-3d', 1, '{"valid": true, "depth": "header", "findings": []}',
        now(), now(), 0 FROM generate_series(%s::int, %s::int) AS n"""
GRANT = """INSERT INTO grants VALUES ('00000000-0000-0000-0000-' || lpad(%s::text, 12, '0'), 'user', 'ben', 'view')
    ON CONFLICT DO NOTHING"""
SHOWN = "SELECT dataset_id, audience, collection, start_at FROM dataset_audiences ORDER BY 1, 2"


@pytest.fixture
def plain(postgres, empty, monkeypatch):
    """The URL of a database before there were collections, with thirty datasets."""
    url = postgres.server.url(empty)
    monkeypatch.setattr(migrations, "STEPS", dict(list(STEPS.items())[: list(STEPS).index("5-collections")]))
    migrations.migrate(url, "gateway")
    monkeypatch.undo()
    with contextlib.closing(connect(url)) as connection:
        connection.execute(PLAIN, [1, 30])
    return url


def test_a_large_catalogue_is_filled_in_pieces_between_which_nodes_of_the_release_before_read_and_write(
    plain, monkeypatch
):
    monkeypatch.setattr(filling, "ROWS", 5)
    step, turns = STEPS["6-collections-filled"], iter(range(1, 100))
    execute = Bounded.execute

    with contextlib.closing(connect(plain)) as older:
        older.execute("SET lock_timeout = '100ms'")

        def executed(self, statement, *args, **options):
            result = execute(self, statement, *args, **options)
            if statement == step.fill:
                turn = next(turns)
                # What has had its turn, and what waits for it still.
                for number in (turn, 31 - turn):
                    identity = f"00000000-0000-0000-0000-{number:012}"
                    execute(older, "UPDATE datasets SET title = 'New' WHERE id = %s", [identity])
                    execute(older, GRANT, [number])
                    execute(older, "UPDATE datasets SET owner = 'eve' WHERE id = %s", [identity])
                execute(older, PLAIN, [30 + turn, 30 + turn])
                if turn == 2:
                    raise KeyboardInterrupt
            return result

        monkeypatch.setattr(Bounded, "execute", executed)
        with pytest.raises(KeyboardInterrupt):
            migrations.migrate(plain, "gateway")
        assert migrations.pending(older) == LATER
        assert migrations.migrate(plain, "gateway") == LATER
        assert next(turns) > 6
        monkeypatch.undo()
        shown = older.execute(SHOWN).fetchall()
        count = older.execute("SELECT count(*) AS n FROM datasets").fetchone()["n"]
        # An admin and the owner see each one, and ben those that were granted.
        assert len(shown) == 2 * count + older.execute("SELECT count(*) AS n FROM grants").fetchone()["n"]
        assert {row["collection"] for row in shown} == {"root_data"}
        # The date of the file that its version names, whoever has filled it in.
        assert {row["start_at"].isoformat() for row in shown} == {"2026-06-27T16:53:20+00:00"}
        trusted = "SELECT convalidated FROM pg_constraint WHERE conname = 'datasets_collection'"
        assert older.execute(trusted).fetchone()["convalidated"]


def test_nobody_waits_behind_a_change_of_tables_that_waits_for_somebody_else(plain, monkeypatch):
    monkeypatch.setattr(migrations, "LOCK_PAUSE_SECONDS", 0.05)
    with contextlib.closing(connect(plain, long=True)) as reading, contextlib.closing(connect(plain)) as older:
        # As pg_dump does.
        reading.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reading.execute("SELECT count(*) FROM datasets")
        older.execute("SET lock_timeout = '5s'; SET statement_timeout = '8s'")
        older.limit_seconds = 10
        with ThreadPoolExecutor(1) as thread:
            migrated = thread.submit(migrations.migrate, plain, "gateway")
            waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'datasets'::regclass"
            while older.execute(waits).fetchone() is None:
                assert not migrated.done()
            try:
                older.execute("SELECT count(*) FROM datasets")
            finally:
                reading.execute("COMMIT")
            assert "5-collections" in migrated.result()
