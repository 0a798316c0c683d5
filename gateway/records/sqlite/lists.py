"""Lists of files in SQL."""

from __future__ import annotations

from gateway.model import AuditRow, utc_text
from gateway.principal import StoredToken
from gateway.records.lists import COLUMNS, HOLDER_COLUMNS, FileList, key_of, list_of, list_row, list_token_of
from gateway.records.sqlite import audit_rows
from gateway.records.sqlite.connection import Connections, rows_of
from gateway.records.sqlite.library import Database

TABLE = """CREATE TABLE download_lists (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    roles TEXT NOT NULL,
    dataset_id TEXT,
    collection TEXT,
    via TEXT REFERENCES stored_tokens (id) ON DELETE CASCADE,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    files BLOB NOT NULL
)"""
INDEXES = (
    "CREATE INDEX download_lists_by_end ON download_lists (expires_at)",
    "CREATE INDEX download_lists_by_via ON download_lists (via) WHERE via IS NOT NULL",
)
INSERT = f"""INSERT INTO download_lists ({", ".join(COLUMNS)})
    VALUES ({", ".join(f":{name}" for name in COLUMNS)})"""  # noqa: S608 - no text of others

# The first byte is number 1, and each id has 16.
LEFT_OUT = "SELECT 1 FROM download_lists WHERE id = :id AND instr(files, :key) % 16 <> 1"


class SqliteLists:
    """The lists in one file (a `ListRecords`)."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def store(self, files: FileList, most: int, row: AuditRow) -> bool:
        """Return whether the list is on record now."""
        return self._connections.write(_store, files, most, row)

    def by_id(self, list_id: str) -> FileList | None:
        """Return the list with this id."""
        return self._connections.run(_by_id, list_id)

    def token(self, list_id: str) -> StoredToken | None:
        """Return what a list is as a token on record."""
        return self._connections.run(_token, list_id)


def leaves_out(database: Database, token_id: str | None, dataset_id: str) -> bool:
    """Return whether the token is that of a list in which the dataset is not."""
    if token_id is None:
        return False
    return bool(rows_of(database, LEFT_OUT, {"id": token_id, "key": key_of(dataset_id)}))


def _store(database: Database, files: FileList, most: int, row: AuditRow) -> bool:
    values = {"owner": files.token.owner, "now": utc_text(files.token.created_at)}
    database.execute("DELETE FROM download_lists WHERE expires_at <= :now", values)
    number = rows_of(database, "SELECT count(*) AS number FROM download_lists WHERE owner = :owner", values)
    if number[0]["number"] >= most:
        return False
    database.execute(INSERT, list_row(files))
    audit_rows.append(database, [row])
    return True


def _by_id(database: Database, list_id: str) -> FileList | None:
    found = rows_of(database, "SELECT * FROM download_lists WHERE id = :id", {"id": list_id})
    return list_of(found[0]) if found else None


def _token(database: Database, list_id: str) -> StoredToken | None:
    sql = f"SELECT {HOLDER_COLUMNS} FROM download_lists WHERE id = :id"  # noqa: S608 - no text of others
    found = rows_of(database, sql, {"id": list_id})
    return list_token_of(found[0]) if found else None
