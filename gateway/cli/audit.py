"""`audit`: the rows as they are, folded into downloads, exported, added from logs, or taken out when they are old."""

from __future__ import annotations

import csv
import difflib
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from gateway.cli.administration import id_or_exit, records_of
from gateway.cli.lines import SHORT_ID
from gateway.cli.prune import prune, require_past
from gateway.cli.reconcile import reconcile
from gateway.cli.shared import Moment, as_json, fitted, is_terminal, print_json, print_table, printable
from gateway.model import utc_text
from gateway.records import ACTIONS, Archived, AuditQuery, DownloadSummary, Records, StoredAuditRow

P = ParamSpec("P")
R = TypeVar("R")

# The columns of the table `audit`, in its order.
COLUMNS = ("id", "at", "action", "dataset_id", "user_id", "request_id", "version", "backend", "range", "status",
           "bytes_expected", "ip", "user_agent", "token_id", "detail", "row_id")  # fmt: skip
DOWNLOADS = ("first_at", "last_at", "dataset_id", "user_id", "ip", "requests", "bytes_expected", "bytes_sent",
             "completed", "aborted", "version", "user_agent")  # fmt: skip
# Those for which a terminal has room, and what they are headed there.
ON_TERMINAL = {"last_at": "last_at", "dataset_id": "dataset", "user_id": "user", "ip": "ip", "requests": "requests",
               "bytes_sent": "sent", "aborted": "aborted"}  # fmt: skip
# Of a moment as many characters as tell it on a terminal: seconds for a row, minutes for many.
TIMES = {"at": 19, "last_at": 16}
WHOLE_ID = 36
# A cell that begins with one of these is a formula to spreadsheets (OWASP, CSV Injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

FILTERS = (
    click.option("--dataset", "dataset_id", metavar="ID", help="Only this dataset."),
    click.option("--user", metavar="NAME", help="Only this user."),
    click.option("--since", type=Moment(), help="From this moment on; UTC unless it has an offset."),
    click.option("--until", type=Moment(), help="Before this moment; UTC unless it has an offset."),
    click.option("--action", help="Only this action, such as download.cog."),
    click.option("--request", "request_id", metavar="ID", help="Only this request, as its answer's X-Request-ID."),
)


def filtered(command: Callable[P, R]) -> Callable[P, R]:
    """Return the command with the options that choose rows."""
    for option in reversed(FILTERS):
        command = option(command)
    return command


@click.group()
def audit() -> None:
    """Read, export, complete and prune the audit."""


audit.add_command(reconcile)


@audit.command("list")
@filtered
@as_json
@click.pass_context
def list_(context: click.Context, /, as_json: bool, **filters: Any) -> None:
    """Print the rows, oldest first."""
    with records_of(context) as records:
        for stored in records.audit_rows(query_of(context, records, filters)):
            row = told(stored)
            if as_json:
                print_json(row)
            else:
                click.echo(fitted(line(row)))


@audit.command()
@filtered
@as_json
@click.pass_context
def downloads(context: click.Context, /, as_json: bool, **filters: Any) -> None:
    """Print one line for each client and version.

    It folds the ranges that the client asked for together.
    """
    with records_of(context) as records:
        found = map(counted, records.downloads(query_of(context, records, filters)))
        if as_json:
            for summary in found:
                print_json(summary)
            return
        columns = ON_TERMINAL if is_terminal() else dict(zip(DOWNLOADS, DOWNLOADS, strict=True))
        print_table(tuple(columns.values()), ([shortened(each)[name] for name in columns] for each in found))


def counted(summary: DownloadSummary) -> dict[str, Any]:
    """Return one line of folded downloads by its columns' names."""
    return asdict(summary) | {"first_at": utc_text(summary.first_at), "last_at": utc_text(summary.last_at)}


@audit.command()
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@filtered
@click.pass_context
def export(context: click.Context, /, form: str, **filters: Any) -> None:
    """Write every column of the rows as CSV or JSON lines.

    CSV is that of RFC 4180, and safe in spreadsheets.
    """
    with records_of(context) as records:
        found = map(told, records.audit_rows(query_of(context, records, filters)))
        if form == "jsonl":
            for row in found:
                print_json(row)
            return
        writer = csv.writer(sys.stdout)
        writer.writerow(COLUMNS)
        for row in found:
            writer.writerow([cell(row[name]) for name in COLUMNS])


@audit.command("prune")
@click.option("--before", type=Moment(), required=True, help="Older than this moment; UTC unless it has an offset.")
@click.option("--archive", type=click.Path(dir_okay=False, path_type=Path), required=True, metavar="FILE",
              help="New file that takes the rows as JSON lines first.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only say how many rows there are.")
@as_json
@click.pass_context
def prune_(context: click.Context, /, before: datetime, archive: Path, dry_run: bool, as_json: bool) -> None:
    """Archive old rows, then delete them from the table.

    The pruning itself is put on record.
    """
    require_past(before)
    with records_of(context, write=not dry_run) as records:
        until = records.prunable_until(before)
        old = (told(stored) for stored in records.audit_rows(AuditQuery(until=until)))
        pruned = Archived(sum(1 for _ in old)) if dry_run else prune(records, old, until, archive)
    if until != before:
        click.echo(f"whole months: those before {utc_text(until)}", err=True)
    if as_json:
        print_json({"before": utc_text(until), "dry_run": dry_run, "archive": str(archive), **asdict(pruned)})
    else:
        click.echo(f"{pruned.rows} rows {'would be' if dry_run else 'were'} archived and deleted")


def query_of(context: click.Context, records: Records, filters: dict[str, Any]) -> AuditQuery:
    """Return the query of the options. Raises NoSuch and UsageError for what is not on record."""
    given, action = filters["dataset_id"], filters["action"]
    if given is not None:
        filters = filters | {"dataset_id": id_or_exit(records, given, removed=True)}
    # Rows may have been written by another release, which knew other actions.
    if action is not None and action not in ACTIONS and not any(records.audit_rows(AuditQuery(action=action))):
        nearest = difflib.get_close_matches(action, ACTIONS, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(ACTIONS)}"
        raise click.UsageError(f"there is no action {printable(action)}: {hint}", context)
    request_id = filters["request_id"]
    others = {name: value for name, value in filters.items() if name != "request_id"}
    return AuditQuery(**others, request_ids=None if request_id is None else (request_id,))


def told(stored: StoredAuditRow) -> dict[str, Any]:
    """Return one row by its columns' names."""
    facts = {"id": stored.id, **asdict(stored.row), "at": utc_text(stored.row.at)}
    facts["range"] = facts.pop("range_header")
    return {name: facts[name] for name in COLUMNS}


def line(row: dict[str, Any]) -> str:
    """Return one row as a line for people; the rest of its columns is in the JSON."""
    who = row["user_id"] or "-"
    detail = json.dumps(row["detail"]) if row["detail"] else ""
    row, width = shortened(row), SHORT_ID if is_terminal() else WHOLE_ID
    facts = [f"{row['at']}  {row['action']:<18} {row['dataset_id'] or '-':<{width}} {who:<12}"]
    facts += [str(row[name]) for name in ("status", "range", "ip") if row[name] is not None]
    return printable("  ".join([*facts, detail])).rstrip()


def shortened(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with times and ids as short as people need them, for a terminal; else as it is."""
    if not is_terminal():
        return row
    times = {name: f"{row[name][:length]}Z" for name, length in TIMES.items() if name in row}
    return {**row, **times, "dataset_id": row["dataset_id"] and row["dataset_id"][:SHORT_ID]}


def cell(value: object) -> str:
    """Return one value as a CSV cell that no spreadsheet takes for a formula."""
    if value is None:
        return ""
    text = json.dumps(value) if isinstance(value, dict) else str(value)
    return "'" + text if text.startswith(FORMULA_STARTS) else text
