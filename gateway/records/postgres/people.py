"""Grants and users in SQL, and what the door asks of every request."""

from __future__ import annotations

from gateway.errors import NotFound
from gateway.model import AuditRow, Grant, Level
from gateway.records.base import Standing, UserState
from gateway.records.postgres import audit_rows
from gateway.records.postgres.connection import Bounded, one
from gateway.records.postgres.datasets import COLUMNS, of_row
from gateway.records.rows import grantee

GRANTS = "SELECT kind, name, level FROM grants WHERE dataset_id = %s ORDER BY kind DESC, name"
ADD_GRANT = """INSERT INTO grants (dataset_id, kind, name, level) VALUES (%s, %s, %s, %s)
    ON CONFLICT (dataset_id, kind, name) DO UPDATE SET level = excluded.level"""
SET_DISABLED = """INSERT INTO users (name, disabled) VALUES (%s, %s)
    ON CONFLICT (name) DO UPDATE SET disabled = excluded.disabled"""
IS_DISABLED = "SELECT EXISTS (SELECT 1 FROM users WHERE name = %s AND disabled)"
# One round trip, and as of one moment.
STANDING = f"""SELECT
        EXISTS (SELECT 1 FROM users WHERE name = %(user)s AND disabled) AS disabled,
        (SELECT json_agg(json_build_array(kind, name, level) ORDER BY kind DESC, name)
            FROM grants WHERE dataset_id = %(id)s) AS granted,
        {COLUMNS}
    FROM (VALUES (1)) AS always (one) LEFT JOIN datasets ON id = %(id)s"""  # noqa: S608 - no text of others


def standing(connection: Bounded, dataset_id: str, user: str | None) -> Standing:
    """Return the dataset, its grants, and whether the user is disabled."""
    row = connection.execute(STANDING, {"id": dataset_id, "user": user}, prepare=True).fetchone()
    assert row is not None  # noqa: S101 - there is always one
    granted = tuple(_grant(dataset_id, *each) for each in row.pop("granted") or ())
    return Standing(of_row(row) if row["id"] is not None else None, granted, row["disabled"])


def _grant(dataset_id: str, kind: str, name: str, level: str) -> Grant:
    return Grant(dataset_id, Level(level), **{kind: name})


def grants(connection: Bounded, dataset_id: str) -> tuple[Grant, ...]:
    """Return the grants on a dataset, users first, by name."""
    return tuple(_grant(dataset_id, **row) for row in connection.execute(GRANTS, [dataset_id]))


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


def is_disabled(connection: Bounded, user: str) -> bool:
    """Return whether the user is disabled; one who is not on record is not."""
    return bool(one(connection, IS_DISABLED, [user]))


def set_disabled(connection: Bounded, user: str, disabled: bool, row: AuditRow) -> None:
    """Store whether the user is disabled. In a transaction."""
    connection.execute(SET_DISABLED, [user, disabled])
    audit_rows.append(connection, [row])


def users(connection: Bounded) -> tuple[UserState, ...]:
    """Return all users on record, by name."""
    rows = connection.execute("SELECT name, disabled FROM users ORDER BY name")
    return tuple(UserState(row["name"], row["disabled"]) for row in rows)
