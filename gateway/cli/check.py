"""`check`: are these files true COGs? Needs no catalogue and reads no state."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from enum import StrEnum
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

import click

from gateway.buckets import BucketSource
from gateway.cli.blocks import decode_in_processes
from gateway.cli.completion import files
from gateway.cli.lines import Manner, advise_hidden, advise_mending, is_alone, is_coloured, tell_findings, verbose
from gateway.cli.lines import tell as tell_line
from gateway.cli.named import Named, chosen
from gateway.cli.progress import PACE, ReadAhead, Underway, with_progress
from gateway.cli.shared import Moment, as_json, by_nul, complain, print_json, printable, settings_of
from gateway.cli.summary import Summary
from gateway.cli.workers import as_they_come, in_order
from gateway.cog.depths import DEPTHS
from gateway.cog.inspection import decoded, inspect, not_regular_report
from gateway.errors import GatewayError
from gateway.files import NotRegular, open_file, sidecars_of
from gateway.model import Finding, Report
from gateway.sources import Hidden, Lack, Source

Verdict = Report | str
LOCAL_DEPTH = "blocks"


class Outcome(StrEnum):
    """What a check says of one source."""

    VALID = "valid"
    WARNED = "valid with warnings"
    NOT_VALID = "not valid"
    UNREADABLE = "unreadable"


EXITS = {Outcome.VALID: 0, Outcome.WARNED: 0, Outcome.NOT_VALID: 1, Outcome.UNREADABLE: 2}


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", shell_complete=files)
@click.option("--depth", type=click.Choice(list(DEPTHS)),
              help="How far to look: blocks unless given, header in buckets; full decodes every block.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Let warnings fail as well.")
@click.option("--allow-missing-overviews", is_flag=True, default=None, help="Only warn where overviews are missing.")
@click.option("--since", type=Moment(), help="Only files modified at this moment or later; UTC without an offset.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first file that fails.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True,
              help="Processes to work in; with more than one, results come as they are ready.")  # fmt: skip
@click.option("--sorted", "is_sorted", is_flag=True, help="Keep the order of the sources with --jobs as well.")
@by_nul
@verbose
@as_json
@click.pass_context
def check(context: click.Context, /, sources: tuple[str, ...], strict: bool, **options: Any) -> None:
    """Say whether files are true COGs: files, folders, patterns, s3://bucket/prefix, or - for a list on stdin.

    A file that is named alone gets its sentence. Of many, each that is bad gets a line on stderr: the rule that it
    breaks, its name, and the reason.

    Exit code 0: all are. 1: some are not. 2: wrong usage, or a source that is missing or may not be read.
    """
    settings = settings_of(context, allow_missing_overviews=options["allow_missing_overviews"])
    jobs, manner = options["jobs"], Manner(options["as_json"], is_alone(sources), options["verbosity"])
    # One file is judged in this process, and its blocks are decoded in the others.
    alone = len(sources) == 1 and "-" not in sources and Path(sources[0]).is_file()
    work = partial(
        judge,
        depth=options["depth"],
        allow_missing_overviews=settings.allow_missing_overviews,
        jobs=jobs if alone else 1,
    )
    # Only a terminal shows how many there are, and names that come on stdin may be long in coming.
    ahead = sys.stderr.isatty() and "-" not in sources
    hidden = Hidden()
    found = ReadAhead(chosen(sources, options["since"], settings, hidden, options["null"]), PACE if ahead else 0)
    underway = Underway(found, attrgetter("name"), lambda result: result[0].name, 1 if alone else jobs)
    summary, worst = Summary(Outcome), 0
    run = in_order if options["is_sorted"] else as_they_come
    with (
        closing(run(work, underway, underway.jobs)) as results,
        closing(with_progress(results, lambda: found.total, "checking", underway)) as shown,
    ):
        for source, verdict in shown:
            outcome = tell(source.name, verdict, manner, strict=strict)
            summary.add(outcome, verdict if isinstance(verdict, Report) else None)
            worst = max(worst, EXITS[outcome])
            if options["fail_fast"] and worst:
                break
    if not manner.alone and (not manner.as_json or sys.stderr.isatty()):
        conclude(summary, hidden, sources, manner)
    context.exit(worst)


def conclude(summary: Summary, hidden: Hidden, sources: tuple[str, ...], manner: Manner) -> None:
    """Print on stderr what it all came to, and what can be done."""
    summary.show()
    advise_hidden(hidden)
    advise_mending(summary.mendable, sources, manner.verbosity)


def judge(source: Named, depth: str | None, allow_missing_overviews: bool, jobs: int = 1) -> Verdict:
    """Return the report on one source, or a sentence when it is missing or may not be read.

    With more than one of `jobs`, the blocks are decoded in so many processes.
    """
    if isinstance(source, BucketSource):
        return judge_object(source, depth, allow_missing_overviews)
    depth = depth or LOCAL_DEPTH
    if isinstance(source, Source):
        return judge_file(source, depth, allow_missing_overviews, jobs)
    return (
        source.message
        if source.lack is Lack.MISSING
        else Report(depth, (Finding(source.lack.value, source.message),))
    )


def judge_file(source: Source, depth: str, allow_missing_overviews: bool, jobs: int) -> Verdict:
    """Return the report on a file, or a sentence when it may not be read."""
    try:
        with open_file(source.path) as file:
            decode = partial(decode_in_processes, source.path, file.version, jobs) if jobs > 1 else decoded
            return inspect(
                file,
                depth=depth,
                allow_missing_overviews=allow_missing_overviews,
                siblings=sidecars_of(os.path.realpath(source.path)),
                facts=False,
                decode=decode,
            ).report
    except NotRegular:
        return not_regular_report(depth)
    except OSError as error:
        return f"cannot be read: {(error.strerror or type(error).__name__).lower()}"
    except MemoryError:
        return "cannot be read: out of memory"


def judge_object(source: BucketSource, depth: str | None, allow_missing_overviews: bool) -> Verdict:
    """Return the report on an object of a bucket, or a sentence when it cannot be read."""
    try:
        with source.storage.open(source.key) as opened:
            siblings = source.storage.siblings(source.key)
            found = inspect(
                opened, depth=depth, allow_missing_overviews=allow_missing_overviews, siblings=siblings, facts=False
            )
            # A read that failed looks to GDAL like a fault of the file.
            return found.report if opened.unchanged() else "cannot be read: it changed, or the bucket did not answer"
    except GatewayError as error:
        return f"cannot be read: {str(error).lower().rstrip('.')}"


def tell(name: str, verdict: Verdict, manner: Manner, *, strict: bool) -> Outcome:
    """Print the verdict on one source and return what it comes to."""
    if isinstance(verdict, str):
        if manner.as_json or manner.alone:
            complain(name, verdict)
        else:
            tell_line(Outcome.UNREADABLE, name, verdict, colour="red", err=True)
        if manner.as_json:
            unread = Report("header", (Finding("unreadable", verdict),))
            print_json({**unread.as_json(name), "depth": None})
        return Outcome.UNREADABLE
    outcome = outcome_of(verdict, strict=strict)
    valid = EXITS[outcome] == 0
    if manner.as_json:
        print_json({**verdict.as_json(name), "valid": valid})
        return outcome
    if manner.alone:
        list_findings("warnings", "yellow", name, verdict.warnings)
        list_findings("errors", "red", name, verdict.errors)
        if mend := verdict.mend(name):
            click.echo(f"This makes a COG of it:\n  {mend}\n", err=True)
    elif outcome is not Outcome.VALID:
        tell_findings(name, verdict, manner, strict=strict)
    if manner.alone or (manner.verbosity and valid):
        click.echo(f"{printable(name)} is {'' if valid else 'NOT '}a valid cloud optimized GeoTIFF")
    return outcome


def outcome_of(report: Report, *, strict: bool) -> Outcome:
    """Return what a report comes to; with `strict` a warning is as bad as an error."""
    if not report.valid or (strict and report.warnings):
        return Outcome.NOT_VALID
    return Outcome.WARNED if report.warnings else Outcome.VALID


def list_findings(kind: str, colour: str, name: str, findings: tuple[Finding, ...]) -> None:
    """Print findings on stderr in the words of rio-cogeo; nothing where there are none."""
    if not findings:
        return
    sys.stdout.flush()
    heading = f"The following {kind} were found:"
    click.echo(click.style(heading, fg=colour) if is_coloured(err=True) else heading, err=True)
    for finding in findings:
        click.echo(f"- {printable(f'{name}: {finding.message}')}", err=True)
    click.echo(err=True)
