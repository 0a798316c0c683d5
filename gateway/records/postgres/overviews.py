"""Overviews of collections in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway.catalogue.overviews import Overview, OverviewState
from gateway.model import AuditRow, Principal, utc_text
from gateway.records.overviews import COLUMNS, changes, seen_by
from gateway.records.postgres import audit_rows
from gateway.records.postgres.connection import Bounded
from gateway.records.postgres.pool import Pool
from gateway.records.rows import Row, overview_of, overview_row

TABLE = """CREATE TABLE overviews (
    id text COLLATE "C" PRIMARY KEY,
    collection text COLLATE "C" NOT NULL,
    root text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    zoom integer NOT NULL,
    members bigint NOT NULL,
    begun_at timestamptz(3) NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('begun', 'kept', 'dropped')),
    holds boolean NOT NULL,
    version text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text,
    report text,
    raster text,
    made_at timestamptz(3),
    UNIQUE (root, key)
)"""
INDEXES = (
    "CREATE INDEX overviews_by_collection ON overviews (collection)",
    "CREATE UNIQUE INDEX overviews_kept ON overviews (collection) WHERE state = 'kept'",
)
# Who begins one has the row of its collection for themselves: whoever changes a member meanwhile has it as well, all
# of them together, so that a change either was committed before the members are read, or finds the overview.
FUNCTIONS = (
    """CREATE FUNCTION outdate_overview(changed text) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM 1 FROM collections WHERE id = changed FOR KEY SHARE;
            UPDATE overviews SET holds = false WHERE collection = changed AND holds;
        END $$""",
    """CREATE FUNCTION member_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP <> 'INSERT' THEN
                PERFORM outdate_overview(OLD.collection);
            END IF;
            IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND OLD.collection IS DISTINCT FROM NEW.collection) THEN
                PERFORM outdate_overview(NEW.collection);
            END IF;
            RETURN NULL;
        END $$""",
    """CREATE FUNCTION member_granted() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM outdate_overview(collection) FROM datasets
                WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.dataset_id ELSE NEW.dataset_id END;
            RETURN NULL;
        END $$""",
    """CREATE FUNCTION drop_overviews() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE overviews SET state = 'dropped', holds = false WHERE collection = OLD.id;
            RETURN NULL;
        END $$""",
)
TRIGGERS = (
    """CREATE TRIGGER datasets_outdating AFTER INSERT OR DELETE ON datasets
        FOR EACH ROW EXECUTE FUNCTION member_changed()""",
    f"""CREATE TRIGGER datasets_update_outdating AFTER UPDATE ON datasets
        FOR EACH ROW WHEN ({changes("OLD", "NEW", "IS DISTINCT FROM")}) EXECUTE FUNCTION member_changed()""",
    """CREATE TRIGGER grants_outdating AFTER INSERT OR UPDATE OR DELETE ON grants
        FOR EACH ROW EXECUTE FUNCTION member_granted()""",
    "CREATE TRIGGER collections_dropping AFTER DELETE ON collections FOR EACH ROW EXECUTE FUNCTION drop_overviews()",
)
OVERVIEWS = (TABLE, *INDEXES, *FUNCTIONS, *TRIGGERS)
NAMES = ", ".join(COLUMNS)
SELECT = f"SELECT {NAMES} FROM overviews AS o WHERE "  # noqa: S608 - no text of others
INSERT = f"""INSERT INTO overviews ({NAMES}) VALUES ({", ".join(f"%({name})s" for name in COLUMNS)})
    ON CONFLICT (id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])}"""  # noqa: S608 - no text of others
DROP = "UPDATE overviews SET state = 'dropped', holds = false WHERE "
HOLDING = "collection = %s AND state = 'kept' AND holds"
LEFT = "collection = %s AND (state = 'dropped' OR (state = 'begun' AND begun_at < %s)) ORDER BY id"
# Who does not see some dataset does not see one with a row of these audiences, unless by a row of their own.
FOR_READER = """collection = %(collection)s AND state = 'kept' AND holds
    AND NOT EXISTS (SELECT 1 FROM dataset_audiences AS a
        WHERE a.audience = ANY(%(others)s) AND a.collection = %(collection)s
            AND NOT EXISTS (SELECT 1 FROM dataset_audiences AS own WHERE own.dataset_id = a.dataset_id
                AND own.audience = ANY(%(own)s)))"""


class PostgresOverviews:
    """The overviews in one database (an `OverviewRecords`)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def begin(self, overview: Overview) -> bool:
        """Return whether its collection is there, and it is on record as being written."""
        return self._pool.run(_begin, overview)

    def by_id(self, overview_id: str) -> Overview | None:
        """Return one in any state."""
        return self._pool.run(_one, "id = %s", [overview_id])

    def finish(self, overview: Overview, row: AuditRow) -> bool:
        """Return whether it is the one of its collection from now on."""
        return self._pool.write([row], _finish, overview, row)

    def drop(self, ids: Sequence[str], rows: Sequence[AuditRow]) -> None:
        """Store that these are to be removed."""
        self._pool.write(rows, _drop, ids, rows)

    def of_collection(self, collection: str) -> Overview | None:
        """Return the one of a collection, whether it holds or not."""
        return self._pool.run(_one, "collection = %s AND state = 'kept'", [collection])

    def holding(self, collection: str) -> str | None:
        """Return the id of the one of a collection, None where there is none that holds."""
        found = self._pool.run(_one, HOLDING, [collection])
        return found.id if found else None

    def left(self, collection: str, before: datetime) -> tuple[Overview, ...]:
        """Return those that are to be removed, and that were begun before a moment and not ended."""
        return self._pool.run(_all, LEFT, [collection, before])

    def forget(self, overview_id: str) -> None:
        """Remove what is on record of one whose file is gone."""
        self._pool.run(_forget, overview_id)

    def for_reader(self, collection: str, reader: Principal | None) -> Overview | None:
        """Return the one of a collection, where it holds and the reader may see every member."""
        seen = seen_by(collection, reader)
        if seen is None:
            return None
        values = {"collection": collection, "own": seen[0], "others": seen[1]}
        return self._pool.run(_one, FOR_READER, values)

    def every(self) -> tuple[Overview, ...]:
        """Return all of them by id."""
        return self._pool.run(_all, "true ORDER BY id", [])

    def copy_in(self, overviews: Sequence[Overview]) -> None:
        """Store those of another database."""
        self._pool.run(_copy_in, overviews)


def _of_row(row: Row) -> Overview:
    times = {name: row[name] and utc_text(row[name]) for name in ("begun_at", "made_at")}
    return overview_of({**row, **times})


def _all(connection: Bounded, where: str, values: Any) -> tuple[Overview, ...]:
    return tuple(map(_of_row, connection.execute(SELECT + where, values)))


def _one(connection: Bounded, where: str, values: Any) -> Overview | None:
    found = connection.execute(SELECT + where, values).fetchone()
    return _of_row(found) if found else None


def _begin(connection: Bounded, overview: Overview) -> bool:
    with connection.transaction():
        locked = "SELECT 1 FROM collections WHERE id = %s FOR UPDATE"
        if connection.execute(locked, [overview.collection]).fetchone() is None:
            return False
        connection.execute(INSERT, overview_row(overview))
    return True


def _finish(connection: Bounded, overview: Overview, row: AuditRow) -> bool:
    connection.execute("SELECT 1 FROM collections WHERE id = %s FOR UPDATE", [overview.collection])
    known = _one(connection, "id = %s", [overview.id])
    if known is None or not known.holds or known.state is not OverviewState.BEGUN:
        return False
    connection.execute(DROP + "collection = %s AND state = 'kept'", [overview.collection])
    connection.execute(INSERT, overview_row(overview))
    audit_rows.append(connection, [row])
    return True


def _drop(connection: Bounded, ids: Sequence[str], rows: Sequence[AuditRow]) -> None:
    connection.execute(DROP + "id = ANY(%s)", [list(ids)])
    audit_rows.append(connection, rows)


def _forget(connection: Bounded, overview_id: str) -> None:
    connection.execute("DELETE FROM overviews WHERE id = %s", [overview_id])


def _copy_in(connection: Bounded, overviews: Sequence[Overview]) -> None:
    with connection.transaction():
        connection.execute("DELETE FROM overviews")
        for overview in overviews:
            connection.execute(INSERT, overview_row(overview))
