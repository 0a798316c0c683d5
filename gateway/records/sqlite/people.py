"""Grants and users in SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gateway.errors import NotFound
from gateway.model import AuditRow, Grant, Level
from gateway.records.base import UserState
from gateway.records.rows import grantee
from gateway.records.sqlite import audit_rows, tokens
from gateway.records.sqlite.connection import rows_of
from gateway.records.sqlite.library import Database
from gateway.records.standing import Holder


def grants(database: Database, dataset_ids: Sequence[str]) -> tuple[Grant, ...]:
    """Return the grants on datasets, by id, users first, by name."""
    sql = """SELECT dataset_id, kind, name, level FROM grants
        WHERE dataset_id IN (SELECT value FROM json_each(:ids)) ORDER BY dataset_id, kind DESC, name"""
    return tuple(
        Grant(row["dataset_id"], Level(row["level"]), **{row["kind"]: row["name"]})
        for row in rows_of(database, sql, {"ids": json.dumps(list(dataset_ids))})
    )


def add_grant(database: Database, grant: Grant, row: AuditRow) -> None:
    """Store the grant, with its level in place of an older one."""
    kind, name = grantee(grant.user, grant.role)
    if not rows_of(database, "SELECT 1 FROM datasets WHERE id = :id", {"id": grant.dataset_id}):
        raise NotFound("There is no such dataset.")
    database.table("grants").upsert(
        {"dataset_id": grant.dataset_id, "kind": kind, "name": name, "level": grant.level.value},
        pk=("dataset_id", "kind", "name"),
    )
    audit_rows.append(database, [row])


def remove_grant(
    database: Database, dataset_id: str, row: AuditRow, user: str | None, role: str | None
) -> Grant | None:
    """Return the grant that is gone now, None where there was none."""
    sql = "DELETE FROM grants WHERE dataset_id = ? AND kind = ? AND name = ? RETURNING level"
    found = database.execute(sql, [dataset_id, *grantee(user, role)]).fetchall()
    if not found:
        return None
    audit_rows.append(database, [row])
    return Grant(dataset_id, Level(found[0][0]), user, role)


def is_refused(database: Database, holder: Holder) -> bool:
    """Return whether the user is disabled, or the token gone; a user who is not on record is not disabled."""
    if holder.token_id is not None and not tokens.exists(database, holder.token_id):
        return True
    return bool(rows_of(database, "SELECT 1 FROM users WHERE name = :name AND disabled", {"name": holder.user}))


def set_disabled(database: Database, user: str, disabled: bool, row: AuditRow) -> None:
    """Store whether the user is disabled."""
    database.table("users").upsert({"name": user, "disabled": int(disabled)}, pk="name")
    audit_rows.append(database, [row])


def users(database: Database) -> tuple[UserState, ...]:
    """Return all users on record, by name."""
    return tuple(
        UserState(row["name"], bool(row["disabled"]))
        for row in rows_of(database, "SELECT * FROM users ORDER BY name", {})
    )
