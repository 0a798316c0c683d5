"""Lists of files in SQL."""

from __future__ import annotations

from gateway.model import AuditRow, utc_text
from gateway.principal import StoredToken
from gateway.records.lists import COLUMNS, HOLDER_COLUMNS, FileList, list_of, list_row, list_token_of
from gateway.records.postgres import audit_rows
from gateway.records.postgres.connection import Bounded, one
from gateway.records.postgres.pool import Pool

NAMES = ", ".join(COLUMNS)
LISTS = (
    """CREATE TABLE download_lists (
        id text COLLATE "C" PRIMARY KEY,
        owner text COLLATE "C" NOT NULL,
        roles text NOT NULL,
        dataset_id text COLLATE "C",
        collection text COLLATE "C",
        via text COLLATE "C" REFERENCES stored_tokens (id) ON DELETE CASCADE,
        created_at timestamptz(3) NOT NULL,
        expires_at timestamptz(3) NOT NULL,
        count bigint NOT NULL,
        bytes bigint NOT NULL,
        files bytea NOT NULL
    )""",
    "CREATE INDEX download_lists_by_end ON download_lists (expires_at)",
    "CREATE INDEX download_lists_by_via ON download_lists (via) WHERE via IS NOT NULL",
    """CREATE TRIGGER download_lists_revised AFTER DELETE ON download_lists
        FOR EACH STATEMENT EXECUTE FUNCTION revise_users()""",
)
INSERT = f"""INSERT INTO download_lists ({NAMES})
    VALUES ({", ".join(f"%({name})s" for name in COLUMNS)})"""  # noqa: S608 - no text of others
# Two at once must not both be the last one that is allowed.
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('list ' || %(owner)s::text, 0))"


class PostgresLists:
    """The lists in one database (a `ListRecords`)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def store(self, files: FileList, most: int, row: AuditRow) -> bool:
        """Return whether the list is on record now."""
        return self._pool.write([row], _store, files, most, row)

    def by_id(self, list_id: str) -> FileList | None:
        """Return the list with this id."""
        return self._pool.run(_by_id, list_id)

    def token(self, list_id: str) -> StoredToken | None:
        """Return what a list is as a token on record."""
        return self._pool.run(_token, list_id)


def _store(connection: Bounded, files: FileList, most: int, row: AuditRow) -> bool:
    values = {"owner": files.token.owner, "now": utc_text(files.token.created_at)}
    connection.execute(ALONE, values)
    # Only where there is something: a statement that deletes makes what is remembered of everybody old.
    if one(connection, "SELECT EXISTS (SELECT 1 FROM download_lists WHERE expires_at <= %(now)s)", values):
        connection.execute("DELETE FROM download_lists WHERE expires_at <= %(now)s", values)
    if one(connection, "SELECT count(*) FROM download_lists WHERE owner = %(owner)s", values) >= most:
        return False
    connection.execute(INSERT, list_row(files))
    audit_rows.append(connection, [row])
    return True


def _by_id(connection: Bounded, list_id: str) -> FileList | None:
    sql = f"SELECT {NAMES} FROM download_lists WHERE id = %s"  # noqa: S608 - no text of others
    row = connection.execute(sql, [list_id]).fetchone()
    return list_of(row) if row else None


def _token(connection: Bounded, list_id: str) -> StoredToken | None:
    sql = f"SELECT {HOLDER_COLUMNS} FROM download_lists WHERE id = %s"  # noqa: S608 - no text of others
    row = connection.execute(sql, [list_id]).fetchone()
    return list_token_of(row) if row else None
