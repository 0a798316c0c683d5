"""Tokens on record in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.model import AuditRow, utc_text
from gateway.principal import StoredKind, StoredToken
from gateway.records.postgres import audit_rows
from gateway.records.postgres.connection import Bounded, one
from gateway.records.postgres.pool import Pool
from gateway.records.rows import Row
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

NAMES = ", ".join(COLUMNS)
# By name: a prepared statement must not change what it returns when a later release adds a column.
READ = f"SELECT {NAMES} FROM stored_tokens WHERE "  # noqa: S608 - no text of others
INSERT = f"""INSERT INTO stored_tokens ({NAMES})
    VALUES ({", ".join(f"%({name})s" for name in COLUMNS)})"""  # noqa: S608 - no text of others
FIND = f"""{READ} (%(kind)s::text IS NULL OR kind = %(kind)s) AND (
        (%(owner)s::text IS NULL AND %(keeper)s::text IS NULL) OR owner = %(owner)s
        OR dataset_id IN (SELECT id FROM datasets WHERE owner = %(keeper)s)
    ) ORDER BY created_at DESC, id"""  # noqa: S608
LEFT = "SELECT uses IS NULL OR used < uses AS free, used FROM stored_tokens WHERE id = %(id)s AND expires_at > %(at)s"
OPEN = "SELECT 1 FROM link_uses WHERE token_id = %(id)s AND client = %(client)s AND began_at > %(since)s"
BEGIN_USE = """INSERT INTO link_uses (token_id, client, began_at) VALUES (%(id)s, %(client)s, %(at)s)
    ON CONFLICT (token_id, client) DO UPDATE SET began_at = excluded.began_at"""
COUNT_USE = "UPDATE stored_tokens SET used = used + 1, last_used_at = %(at)s WHERE id = %(id)s RETURNING used"
TOUCH = """UPDATE stored_tokens SET last_used_at = %(at)s
    WHERE id = %(id)s AND (last_used_at IS NULL OR last_used_at < %(before)s)"""
OF_THEIRS = "owner = %(owner)s AND kind = %(kind)s AND expires_at"
# Two at once must not both be the last one that is allowed.
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(%(kind)s::text || ' ' || %(owner)s::text, 0))"


class PostgresTokens:
    """The tokens in one database (a `TokenRecords`)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def by_hash(self, hash_hex: str) -> StoredToken | None:
        """Return the token whose secret has this SHA-256."""
        return self._pool.run(_one, "hash = %s", hash_hex)

    def by_id(self, token_id: str) -> StoredToken | None:
        """Return the token with this id."""
        return self._pool.run(_one, "id = %s", token_id)

    def ids(self, prefix: str, kind: StoredKind) -> tuple[str, ...]:
        """Return the first few ids of tokens of a kind that begin like this."""
        return self._pool.run(_ids, prefix, kind)

    def find(self, query: TokenQuery) -> tuple[StoredToken, ...]:
        """Return the tokens of the query, the newest first."""
        return self._pool.run(_find, query)

    def every(self) -> Iterator[StoredToken]:
        """Yield all tokens by id, each page behind the last one of the page before."""
        page = self._pool.run(_behind, "")
        while page:
            yield from page
            page = self._pool.run(_behind, page[-1].id)

    def store(self, token: StoredToken, most: int, row: AuditRow) -> bool:
        """Return whether the token is on record now."""
        return self._pool.write([row], _store, token, most, row)

    def revoke(self, token_id: str, row: AuditRow) -> bool:
        """Return whether there was such a token, which is gone then."""
        return self._pool.write([row], _revoke, token_id, row)

    def touch(self, token_id: str, at: datetime) -> None:
        """Note that the token was used at a moment."""
        self._pool.run(_touch, token_id, at)

    def may_use(self, use: LinkUse) -> bool:
        """Return whether the use would be granted now."""
        return self._pool.run(_may_use, use)

    def use(self, use: LinkUse, row: AuditRow) -> bool:
        """Return whether the use is granted and on record."""
        return self._pool.write([row], _use, use, row)

    def clear(self) -> None:
        """Remove all tokens."""
        self._pool.run(_clear)

    def copy_in(self, tokens: Sequence[StoredToken]) -> None:
        """Store tokens of another database, as they are there."""
        self._pool.run(_copy_in, tokens)


def _one(connection: Bounded, condition: str, value: str) -> StoredToken | None:
    row = connection.execute(READ + condition, [value], prepare=True).fetchone()
    return token_of(row) if row else None


def _ids(connection: Bounded, prefix: str, kind: StoredKind) -> tuple[str, ...]:
    sql = "SELECT id FROM stored_tokens WHERE kind = %s AND starts_with(id, %s) ORDER BY id LIMIT 3"
    return tuple(row["id"] for row in connection.execute(sql, [kind.value, prefix]))


def _find(connection: Bounded, query: TokenQuery) -> tuple[StoredToken, ...]:
    if not _is_there(connection):
        return ()
    kind = query.kind.value if query.kind else None
    values = {"kind": kind, "owner": query.owner, "keeper": query.of_datasets_of}
    return tuple(map(token_of, connection.execute(FIND, values)))


def _is_there(connection: Bounded) -> bool:
    """Return whether there is such a table: a database of an older release is read as it is."""
    return one(connection, "SELECT to_regclass('stored_tokens')") is not None


def _behind(connection: Bounded, last: str) -> list[StoredToken]:
    if not _is_there(connection):
        return []
    return list(map(token_of, connection.execute(f"{READ} id > %s ORDER BY id LIMIT %s", [last, PAGE])))


def _store(connection: Bounded, token: StoredToken, most: int, row: AuditRow) -> bool:
    now, old = utc_text(token.created_at), utc_text(token.created_at - KEPT_EXPIRED)
    values = {"owner": token.owner, "kind": token.kind.value, "now": now, "old": old}
    connection.execute(ALONE, values)
    if one(connection, f"SELECT count(*) FROM stored_tokens WHERE {OF_THEIRS} > %(now)s", values) >= most:  # noqa: S608
        return False
    connection.execute(f"DELETE FROM stored_tokens WHERE {OF_THEIRS} < %(old)s", values)  # noqa: S608
    connection.execute(INSERT, token_row(token))
    audit_rows.append(connection, [row])
    return True


def _revoke(connection: Bounded, token_id: str, row: AuditRow) -> bool:
    if connection.execute("DELETE FROM stored_tokens WHERE id = %s", [token_id]).rowcount == 0:
        return False
    audit_rows.append(connection, [row])
    return True


def _touch(connection: Bounded, token_id: str, at: datetime) -> None:
    connection.execute(TOUCH, {"id": token_id, "at": utc_text(at), "before": utc_text(at - TOUCH_EVERY)})


def _values(use: LinkUse) -> Row:
    since = utc_text(use.at - USE_LASTS)
    return {"id": use.token_id, "client": use.client, "at": utc_text(use.at), "since": since}


def _joins(connection: Bounded, use: LinkUse) -> bool:
    return use.joins and connection.execute(OPEN, _values(use)).fetchone() is not None


def _may_use(connection: Bounded, use: LinkUse) -> bool:
    found = connection.execute(LEFT, _values(use)).fetchone()
    return found is not None and (found["free"] or _joins(connection, use))


def _use(connection: Bounded, use: LinkUse, row: AuditRow) -> bool:
    """Count and record in one transaction; whoever uses the same link meanwhile waits for its end."""
    values = _values(use)
    found = connection.execute(f"{LEFT} FOR UPDATE", values).fetchone()
    if found is None:
        return False
    joins, number = _joins(connection, use), found["used"]
    if not joins and not found["free"]:
        return False
    if not joins:
        number = one(connection, COUNT_USE, values)
        connection.execute("DELETE FROM link_uses WHERE token_id = %(id)s AND began_at <= %(since)s", values)
        connection.execute(BEGIN_USE, values)
    audit_rows.append(connection, [replace(row, detail={**row.detail, "use": number})])
    return True


def _clear(connection: Bounded) -> None:
    connection.execute("DELETE FROM stored_tokens")


def _copy_in(connection: Bounded, tokens: Sequence[StoredToken]) -> None:
    with connection.transaction():
        for token in tokens:
            connection.execute(f"{INSERT} ON CONFLICT (id) DO NOTHING", token_row(token))
