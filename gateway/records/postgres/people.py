"""Grants and users in SQL, and what the door asks of every request."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import NotFound
from gateway.model import AuditRow, Grant, Level
from gateway.records.base import UserState
from gateway.records.lists import key_of
from gateway.records.postgres import audit_rows
from gateway.records.postgres.connection import Bounded, one
from gateway.records.postgres.datasets import COLUMNS, of_row
from gateway.records.rows import grantee
from gateway.records.standing import Holder, Standing

GRANTS = """SELECT dataset_id, kind, name, level FROM grants WHERE dataset_id = ANY(%s)
    ORDER BY dataset_id, kind DESC, name"""
ADD_GRANT = """INSERT INTO grants (dataset_id, kind, name, level) VALUES (%s, %s, %s, %s)
    ON CONFLICT (dataset_id, kind, name) DO UPDATE SET level = excluded.level"""
SET_DISABLED = """INSERT INTO users (name, disabled) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET disabled = excluded.disabled"""
DISABLED = "EXISTS (SELECT 1 FROM users WHERE name = %(user)s AND disabled)"
GONE = f"""({DISABLED} OR NOT (EXISTS (SELECT 1 FROM stored_tokens WHERE id = %(token)s)
    OR EXISTS (SELECT 1 FROM download_lists WHERE id = %(token)s)))"""  # noqa: S608
# Of a list in which the dataset is not: the first byte is number 1, and each id has 16.
LEFT_OUT = """EXISTS (SELECT 1 FROM download_lists
    WHERE id = %(token)s AND position(%(key)s::bytea IN files) %% 16 <> 1)"""
# One round trip, and as of one moment.
STANDING = f"""SELECT
        {DISABLED} AS refused,
        (SELECT json_agg(json_build_array(kind, name, level) ORDER BY kind DESC, name)
            FROM grants WHERE dataset_id = %(id)s) AS granted,
        {COLUMNS}
    FROM (VALUES (1)) AS always (one) LEFT JOIN datasets ON id = %(id)s"""  # noqa: S608 - no text of others
BY_TOKEN = STANDING.replace(f"{DISABLED} AS refused", f"({GONE} OR {LEFT_OUT}) AS refused")


def standing(connection: Bounded, dataset_id: str, holder: Holder) -> Standing:
    """Return the dataset, its grants, and whether the holder is refused."""
    values = {"id": dataset_id, "user": holder.user, "token": holder.token_id, "key": key_of(dataset_id)}
    row = connection.execute(STANDING if holder.token_id is None else BY_TOKEN, values, prepare=True).fetchone()
    assert row is not None  # noqa: S101 - there is always one
    granted = tuple(_grant(dataset_id, *each) for each in row.pop("granted") or ())
    return Standing(of_row(row) if row["id"] is not None else None, granted, row["refused"])


def _grant(dataset_id: str, kind: str, name: str, level: str) -> Grant:
    return Grant(dataset_id, Level(level), **{kind: name})


def grants(connection: Bounded, dataset_ids: Sequence[str]) -> tuple[Grant, ...]:
    """Return the grants on datasets, by id, users first, by name."""
    return tuple(_grant(**row) for row in connection.execute(GRANTS, [list(dataset_ids)]))


def add_grant(connection: Bounded, grant: Grant, row: AuditRow) -> None:
    """Store the grant, with its level in place of an older one. In a transaction."""
    kind, name = grantee(grant.user, grant.role)
    # Locked: it must not be removed before this transaction ends.
    found = connection.execute("SELECT 1 FROM datasets WHERE id = %s FOR UPDATE", [grant.dataset_id]).fetchone()
    if found is None:
        raise NotFound("There is no such dataset.")
    connection.execute(ADD_GRANT, [grant.dataset_id, kind, name, grant.level.value])
    audit_rows.append(connection, [row])


def remove_grant(
    connection: Bounded, dataset_id: str, row: AuditRow, user: str | None, role: str | None
) -> Grant | None:
    """Return the grant that is gone now, None where there was none. In a transaction."""
    statement = "DELETE FROM grants WHERE dataset_id = %s AND kind = %s AND name = %s RETURNING level"
    found = connection.execute(statement, [dataset_id, *grantee(user, role)]).fetchone()
    if found is None:
        return None
    audit_rows.append(connection, [row])
    return Grant(dataset_id, Level(found["level"]), user, role)


def is_refused(connection: Bounded, holder: Holder) -> bool:
    """Return whether the user is disabled, or the token gone; a user who is not on record is not disabled."""
    refused = DISABLED if holder.token_id is None else GONE
    return bool(one(connection, f"SELECT {refused}", {"user": holder.user, "token": holder.token_id}))


def set_disabled(connection: Bounded, user: str, disabled: bool, row: AuditRow) -> None:
    """Store whether the user is disabled. In a transaction."""
    connection.execute(SET_DISABLED, [user, disabled])
    audit_rows.append(connection, [row])


def users(connection: Bounded) -> tuple[UserState, ...]:
    """Return all users on record, by name."""
    rows = connection.execute("SELECT name, disabled FROM users ORDER BY name")
    return tuple(UserState(row["name"], row["disabled"]) for row in rows)
