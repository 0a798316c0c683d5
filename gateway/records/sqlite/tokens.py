"""Tokens on record in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.model import AuditRow, utc_text
from gateway.principal import StoredKind, StoredToken
from gateway.records.rows import Row
from gateway.records.sqlite import audit_rows
from gateway.records.sqlite.connection import Connections, rows_of
from gateway.records.sqlite.library import Database
from gateway.records.tokens import (
    COLUMNS,
    KEPT_EXPIRED,
    PAGE,
    TOUCH_EVERY,
    USE_LASTS,
    LinkUse,
    TokenQuery,
    token_of,
    token_row,
)

INSERT = f"""INSERT INTO stored_tokens ({", ".join(COLUMNS)})
    VALUES ({", ".join(f":{name}" for name in COLUMNS)})"""  # noqa: S608 - no text of others
OPEN = "SELECT 1 FROM link_uses WHERE token_id = :id AND client = :client AND began_at > :since"
TABLE = "SELECT 1 FROM sqlite_schema WHERE name = 'stored_tokens'"


class SqliteTokens:
    """The tokens in one file (a `TokenRecords`)."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def by_hash(self, hash_hex: str) -> StoredToken | None:
        """Return the token whose secret has this SHA-256."""
        return self._connections.run(_one, "hash", hash_hex)

    def by_id(self, token_id: str) -> StoredToken | None:
        """Return the token with this id."""
        return self._connections.run(_one, "id", token_id)

    def ids(self, prefix: str, kind: StoredKind) -> tuple[str, ...]:
        """Return the first few ids of tokens of a kind that begin like this."""
        return self._connections.run(_ids, prefix, kind)

    def find(self, query: TokenQuery) -> tuple[StoredToken, ...]:
        """Return the tokens of the query, the newest first."""
        return self._connections.run(_find, query)

    def every(self) -> Iterator[StoredToken]:
        """Yield all tokens by id, each page behind the last one of the page before."""
        page = self._connections.run(_behind, "")
        while page:
            yield from page
            page = self._connections.run(_behind, page[-1].id)

    def store(self, token: StoredToken, most: int, row: AuditRow) -> bool:
        """Return whether the token is on record now."""
        return self._connections.write(_store, token, most, row)

    def revoke(self, token_id: str, row: AuditRow) -> bool:
        """Return whether there was such a token, which is gone then."""
        return self._connections.write(_revoke, token_id, row)

    def touch(self, token_id: str, at: datetime) -> None:
        """Note that the token was used at a moment."""
        self._connections.run(_touch, token_id, at)

    def may_use(self, use: LinkUse) -> bool:
        """Return whether the use would be granted now."""
        return self._connections.run(_may_use, use)

    def use(self, use: LinkUse, row: AuditRow) -> bool:
        """Return whether the use is granted and on record."""
        return self._connections.write(_use, use, row)

    def clear(self) -> None:
        """Remove all tokens."""
        self._connections.write(_clear)

    def copy_in(self, tokens: Sequence[StoredToken]) -> None:
        """Store tokens of another database, as they are there."""
        self._connections.write(_copy_in, tokens)


def exists(database: Database, token_id: str) -> bool:
    """Return whether the token is on record still, be it that of a list of files."""
    sql = """SELECT 1 FROM stored_tokens WHERE id = :id
        UNION ALL SELECT 1 FROM download_lists WHERE id = :id"""
    return bool(rows_of(database, sql, {"id": token_id}))


def _one(database: Database, column: str, value: str) -> StoredToken | None:
    found = rows_of(database, f"SELECT * FROM stored_tokens WHERE {column} = :value", {"value": value})  # noqa: S608
    return token_of(found[0]) if found else None


def _ids(database: Database, prefix: str, kind: StoredKind) -> tuple[str, ...]:
    sql = "SELECT id FROM stored_tokens WHERE kind = :kind AND substr(id, 1, :length) = :prefix ORDER BY id LIMIT 3"
    return tuple(row["id"] for row in rows_of(database, sql, {"kind": kind, "length": len(prefix), "prefix": prefix}))


def _find(database: Database, query: TokenQuery) -> tuple[StoredToken, ...]:
    if not _is_there(database):
        return ()
    sql = """SELECT * FROM stored_tokens WHERE (:kind IS NULL OR kind = :kind) AND (
        (:owner IS NULL AND :keeper IS NULL) OR owner = :owner
        OR dataset_id IN (SELECT id FROM datasets WHERE owner = :keeper)
    ) ORDER BY created_at DESC, id"""
    values = {"kind": query.kind, "owner": query.owner, "keeper": query.of_datasets_of}
    return tuple(map(token_of, rows_of(database, sql, values)))


def _is_there(database: Database) -> bool:
    """Return whether there is such a table: a database of an older release is read as it is."""
    return bool(rows_of(database, TABLE, {}))


def _behind(database: Database, last: str) -> list[StoredToken]:
    if not _is_there(database):
        return []
    sql = "SELECT * FROM stored_tokens WHERE id > :last ORDER BY id LIMIT :most"
    return list(map(token_of, rows_of(database, sql, {"last": last, "most": PAGE})))


def _store(database: Database, token: StoredToken, most: int, row: AuditRow) -> bool:
    now, old = utc_text(token.created_at), utc_text(token.created_at - KEPT_EXPIRED)
    values = {"owner": token.owner, "kind": token.kind, "now": now, "old": old}
    of_theirs = "owner = :owner AND kind = :kind AND expires_at"
    sql = f"SELECT count(*) AS number FROM stored_tokens WHERE {of_theirs} > :now"  # noqa: S608
    if rows_of(database, sql, values)[0]["number"] >= most:
        return False
    database.execute(f"DELETE FROM stored_tokens WHERE {of_theirs} < :old", values)  # noqa: S608
    database.execute(INSERT, token_row(token))
    audit_rows.append(database, [row])
    return True


def _revoke(database: Database, token_id: str, row: AuditRow) -> bool:
    if database.execute("DELETE FROM stored_tokens WHERE id = ?", [token_id]).rowcount == 0:
        return False
    audit_rows.append(database, [row])
    return True


def _touch(database: Database, token_id: str, at: datetime) -> None:
    sql = "UPDATE stored_tokens SET last_used_at = ? WHERE id = ? AND coalesce(last_used_at, '') < ?"
    database.execute(sql, [utc_text(at), token_id, utc_text(at - TOUCH_EVERY)])


def _values(use: LinkUse) -> Row:
    since = utc_text(use.at - USE_LASTS)
    return {"id": use.token_id, "client": use.client, "at": utc_text(use.at), "since": since}


def _joins(database: Database, use: LinkUse) -> bool:
    return use.joins and bool(rows_of(database, OPEN, _values(use)))


def _may_use(database: Database, use: LinkUse) -> bool:
    sql = "SELECT uses, used FROM stored_tokens WHERE id = :id AND expires_at > :at"
    found = rows_of(database, sql, _values(use))
    return bool(found) and (found[0]["uses"] is None or found[0]["used"] < found[0]["uses"] or _joins(database, use))


def _use(database: Database, use: LinkUse, row: AuditRow) -> bool:
    """Count and record in one transaction that holds the lock of the file from its begin."""
    if not _may_use(database, use):
        return False
    values = _values(use)
    if not _joins(database, use):
        sql = "UPDATE stored_tokens SET used = used + 1, last_used_at = :at WHERE id = :id"
        database.execute(sql, values)
        database.execute("DELETE FROM link_uses WHERE token_id = :id AND began_at <= :since", values)
        sql = """INSERT INTO link_uses (token_id, client, began_at) VALUES (:id, :client, :at)
            ON CONFLICT (token_id, client) DO UPDATE SET began_at = excluded.began_at"""
        database.execute(sql, values)
    (found,) = rows_of(database, "SELECT used FROM stored_tokens WHERE id = :id", values)
    audit_rows.append(database, [replace(row, detail={**row.detail, "use": found["used"]})])
    return True


def _clear(database: Database) -> None:
    database.execute("DELETE FROM stored_tokens")


def _copy_in(database: Database, tokens: Sequence[StoredToken]) -> None:
    for token in tokens:
        database.execute(INSERT, token_row(token))
