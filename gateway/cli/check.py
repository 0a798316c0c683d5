"""`check`: are these files true COGs? Needs no catalogue and reads no state."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from gateway.cli.shared import as_json, complain, print_json, printable, settings_of, stdin_lines, with_progress
from gateway.cli.workers import in_order
from gateway.cog import DEPTHS, inspect, not_regular_report
from gateway.files import NotRegular, open_file
from gateway.model import Finding, Report
from gateway.sources import Lack, Problem, Source, expand

Verdict = Report | str
VALID, NOT_VALID, UNREADABLE = 0, 1, 2


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--depth", type=click.Choice(list(DEPTHS)), default="blocks", show_default=True,
              help="How far to look; full decodes every block.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Let warnings fail as well.")
@click.option("--allow-missing-overviews", is_flag=True, default=None, help="Only warn where overviews are missing.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes to work in.")
@as_json
@click.pass_context
def check(context: click.Context, /, sources: tuple[str, ...], as_json: bool, strict: bool, **options: Any) -> None:
    """Say whether files are true COGs: files, folders, patterns, or - for a list of paths on stdin.

    Exit code 0: all are. 1: some are not. 2: wrong usage, or a source that is missing or may not be read.
    """
    settings = settings_of(context, allow_missing_overviews=options["allow_missing_overviews"])
    work = partial(judge, depth=options["depth"], allow_missing_overviews=settings.allow_missing_overviews)
    found = list(expand(sources, stdin_lines()))
    worst = VALID
    results = in_order(work, found, options["jobs"])
    for source, verdict in with_progress(results, len(found), "checking"):
        worst = max(worst, tell(source.name, verdict, strict=strict, as_json=as_json))
    context.exit(worst)


def judge(source: Source | Problem, depth: str, allow_missing_overviews: bool) -> Verdict:
    """Return the report on one source, or a sentence when it is missing or may not be read."""
    if isinstance(source, Problem):
        if source.lack is Lack.MISSING:
            return source.message
        return Report(depth, (Finding(source.lack.value, source.message),))
    try:
        with open_file(source.path) as file:
            return inspect(
                file, depth=depth, allow_missing_overviews=allow_missing_overviews, siblings=siblings_of(source.path)
            ).report
    except NotRegular:
        return not_regular_report(depth)
    except OSError as error:
        return f"cannot be read: {(error.strerror or type(error).__name__).lower()}"


def siblings_of(path: Path) -> frozenset[str]:
    """Return the names in the file's folder, for the search of sidecars; none where it cannot be listed."""
    try:
        return frozenset(entry.name for entry in path.absolute().parent.iterdir())
    except OSError:
        return frozenset()


def tell(name: str, verdict: Verdict, *, strict: bool, as_json: bool) -> int:
    """Print the verdict on one source and return the exit code that it asks for."""
    if isinstance(verdict, str):
        complain(name, verdict)
        if as_json:
            unread = Report("header", (Finding("unreadable", verdict),))
            print_json({**unread.as_json(name), "depth": None})
        return UNREADABLE
    valid = verdict.valid and not (strict and verdict.warnings)
    if as_json:
        print_json({**verdict.as_json(name), "valid": valid})
        return VALID if valid else NOT_VALID
    list_findings("warnings", "yellow", verdict.warnings)
    list_findings("errors", "red", verdict.errors)
    if mend := verdict.mend(name):
        click.echo(f"This makes a COG of it:\n  {mend}\n", err=True)
    click.echo(f"{printable(name)} is {'' if valid else 'NOT '}a valid cloud optimized GeoTIFF")
    return VALID if valid else NOT_VALID


def list_findings(kind: str, colour: str, findings: tuple[Finding, ...]) -> None:
    """Print findings on stderr in the words of rio-cogeo; nothing where there are none."""
    if not findings:
        return
    sys.stdout.flush()
    click.secho(f"The following {kind} were found:", fg=colour, err=True)
    for finding in findings:
        click.echo(f"- {printable(finding.message)}", err=True)
    click.echo(err=True)
