"""`check`: are these files true COGs? Needs no catalogue and reads no state."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from enum import StrEnum
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import click

from gateway.buckets import BucketSource
from gateway.cli.blocks import decode_in_processes
from gateway.cli.completion import files
from gateway.cli.earlier import Earlier
from gateway.cli.lines import (
    Manner,
    advise,
    advise_hidden,
    advise_mending,
    is_alone,
    is_coloured,
    tell_findings,
    verbose,
)
from gateway.cli.lines import tell as tell_line
from gateway.cli.named import Named, chosen, in_buckets, takes_sources
from gateway.cli.progress import PACE, ReadAhead, Underway, with_progress
from gateway.cli.pulse import told_now_and_then
from gateway.cli.runs import Workplace, run_at, takes_workplace
from gateway.cli.shared import Moment, as_json, by_nul, complain, print_json, printable, settings_of
from gateway.cli.summary import Summary
from gateway.cog.depths import DEPTHS, usual_depth
from gateway.cog.inspection import decoded, inspect, not_regular_report
from gateway.errors import GatewayError
from gateway.files import NotRegular, open_file, sidecars_of
from gateway.model import Finding, Report
from gateway.sources import Hidden, Lack, Problem, Source

AGAIN = "what is judged is told; --resume REPORT goes on after the lines of a report"


class Checked(NamedTuple):
    """The report on one version of a file; `version` is None of what has none, such as a pipe."""

    report: Report
    version: str | None = None


Verdict = Checked | str


class Outcome(StrEnum):
    """What a check says of one source."""

    VALID = "valid"
    WARNED = "valid with warnings"
    NOT_VALID = "not valid"
    UNREADABLE = "unreadable"


EXITS = {Outcome.VALID: 0, Outcome.WARNED: 0, Outcome.NOT_VALID: 1, Outcome.UNREADABLE: 2}
FAILING = (Outcome.NOT_VALID, Outcome.UNREADABLE)


@click.command()
@takes_sources
@click.option("--depth", type=click.Choice(list(DEPTHS)),
              help="How far to look: blocks unless given, header in buckets; full decodes every block.")  # fmt: skip
@click.option("--strict", is_flag=True, help="Let warnings fail as well.")
@click.option("--allow-missing-overviews", is_flag=True, default=None, help="Only warn where overviews are missing.")
@click.option("--since", type=Moment(), help="Only files modified at this moment or later; UTC without an offset.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first file that fails.")
@takes_workplace("Processes to work in; with more than one, results come as they are ready.")
@click.option("--sorted", "is_sorted", is_flag=True, help="Keep the order of the sources with --jobs as well.")
@click.option("--resume", type=click.Path(dir_okay=False, path_type=Path), metavar="REPORT", shell_complete=files,
              help="Write the JSON lines into this file, and judge only what they do not tell of yet.")  # fmt: skip
@by_nul
@verbose
@as_json
@click.pass_context
def check(
    context: click.Context, /, sources: tuple[str, ...], workplace: Workplace, strict: bool, **options: Any
) -> None:
    """Say whether files are true COGs: files, folders, patterns, s3://bucket/prefix, or - for a list on stdin.

    A file that is named alone gets its sentence. Of many, each that is bad gets a line on stderr: the rule that it
    breaks, its name, and the reason.

    Exit code 0: all are. 1: some are not. 2: wrong usage, a source that is missing or may not be read, or a cluster
    that was lost. 130 and 143: interrupted. What an earlier run told of with --resume counts.
    """
    settings = settings_of(context, allow_missing_overviews=options["allow_missing_overviews"])
    inventories = options["inventories"]
    manner = Manner(options["as_json"], is_alone(sources) and not inventories, options["verbosity"])
    # One file is judged in this process, and its blocks are decoded in the others.
    by_blocks = not (workplace.is_cluster or inventories) and is_one_file(sources)
    place = replace(workplace, jobs=1) if by_blocks else workplace
    rules = partial(judge, depth=options["depth"], allow_missing_overviews=settings.allow_missing_overviews)
    work = partial(rules, jobs=workplace.jobs) if by_blocks else rules
    hidden, summary = Hidden(), Summary(Outcome)
    with ExitStack() as stack:
        earlier = stack.enter_context(closing(Earlier(options["resume"], depth=options["depth"], strict=strict)))
        far, is_sorted = in_buckets(sources), options["is_sorted"]
        run = stack.enter_context(run_at(place, again=AGAIN, in_buckets=far, here=is_problem, is_sorted=is_sorted))
        named = chosen(sources, inventories, options["since"], settings, hidden, options["null"])
        # Only a terminal shows how many there are, and names that come on stdin may be long in coming.
        ahead = sys.stderr.isatty() and "-" not in sources
        found = ReadAhead(earlier.left(named), PACE if ahead else 0)
        underway = Underway(found, attrgetter("name"), lambda result: result[0].name, run.jobs)
        results = stack.enter_context(closing(run(work, underway)))
        stack.enter_context(told_now_and_then(run, summary, FAILING))
        shown = stack.enter_context(closing(with_progress(results, lambda: found.total, "checking", underway)))
        for _ in tell_each(shown, summary, manner, earlier, strict=strict):
            if options["fail_fast"] and exit_of(summary, earlier):
                break
    conclude(summary, hidden, earlier, sources, manner)
    context.exit(exit_of(summary, earlier))


def tell_each(
    results: Iterator[tuple[Named, Verdict]], summary: Summary, manner: Manner, earlier: Earlier, *, strict: bool
) -> Iterator[Outcome]:
    """Yield the outcome of each source, after it is printed, in the report, and counted."""
    for source, verdict in results:
        outcome = tell(source.name, verdict, manner, earlier, strict=strict)
        summary.add(outcome, verdict.report if isinstance(verdict, Checked) else None)
        yield outcome


def exit_of(summary: Summary, earlier: Earlier) -> int:
    """Return the exit code of a whole check: what was told before counts like what is told now."""
    return max([min(1, earlier.bad), *(EXITS[outcome] for outcome in Outcome if summary[outcome])])


def is_one_file(sources: tuple[str, ...]) -> bool:
    """Return whether the arguments are one file of a disk."""
    return len(sources) == 1 and "-" not in sources and Path(sources[0]).is_file()


def is_problem(source: Named) -> bool:
    """Return whether a source is none, so that there is nothing to judge."""
    return isinstance(source, Problem)


def conclude(summary: Summary, hidden: Hidden, earlier: Earlier, sources: tuple[str, ...], manner: Manner) -> None:
    """Print on stderr what it all came to, and what can be done; nothing of one file alone, or for programs."""
    if manner.alone or (manner.as_json and not sys.stderr.isatty()):
        return
    summary.show()
    if earlier.count:
        advise(f"{earlier.count} were judged before; of them, {earlier.bad} fail")
    advise_hidden(hidden)
    advise_mending(summary.mendable, sources, manner.verbosity)


def judge(source: Named, depth: str | None, allow_missing_overviews: bool, jobs: int = 1) -> Verdict:
    """Return the report on one source, or a sentence when it is missing or may not be read.

    With more than one of `jobs`, the blocks are decoded in so many processes.
    """
    if isinstance(source, BucketSource):
        return judge_object(source, depth, allow_missing_overviews)
    depth = depth or usual_depth(remote=False)
    if isinstance(source, Source):
        return judge_file(source, depth, allow_missing_overviews, jobs)
    return (
        source.message
        if source.lack is Lack.MISSING
        else Checked(Report(depth, (Finding(source.lack.value, source.message),)))
    )


def judge_file(source: Source, depth: str, allow_missing_overviews: bool, jobs: int) -> Verdict:
    """Return the report on a file, or a sentence when it may not be read."""
    try:
        with open_file(source.path) as file:
            decode = partial(decode_in_processes, source.path, file.version, jobs) if jobs > 1 else decoded
            report = inspect(
                file,
                depth=depth,
                allow_missing_overviews=allow_missing_overviews,
                siblings=sidecars_of(os.path.realpath(source.path)),
                facts=False,
                decode=decode,
            ).report
            return Checked(report, file.version)
    except NotRegular:
        return Checked(not_regular_report(depth))
    except OSError as error:
        return f"cannot be read: {(error.strerror or type(error).__name__).lower()}"
    except MemoryError:
        return "cannot be read: out of memory"


def judge_object(source: BucketSource, depth: str | None, allow_missing_overviews: bool) -> Verdict:
    """Return the report on an object of a bucket, or a sentence when it cannot be read."""
    try:
        with source.storage.open(source.key) as opened:
            siblings = source.storage.siblings(source.key) if source.beside is None else source.beside
            found = inspect(
                opened, depth=depth, allow_missing_overviews=allow_missing_overviews, siblings=siblings, facts=False
            )
            # A read that failed looks to GDAL like a fault of the file.
            if not opened.unchanged():
                return "cannot be read: it changed, or the bucket did not answer"
            return Checked(found.report, opened.stat.version)
    except GatewayError as error:
        return f"cannot be read: {str(error).lower().rstrip('.')}"


def tell(name: str, verdict: Verdict, manner: Manner, earlier: Earlier, *, strict: bool) -> Outcome:
    """Print the verdict on one source, add it to the report, and return what it comes to."""
    outcome = Outcome.UNREADABLE if isinstance(verdict, str) else outcome_of(verdict.report, strict=strict)
    told = line_of(name, verdict, outcome)
    earlier.add(told)
    if isinstance(verdict, str) and (manner.as_json or manner.alone):
        complain(name, verdict)
    if manner.as_json:
        print_json(told)
    elif isinstance(verdict, Checked):
        tell_people(name, verdict.report, outcome, manner, strict=strict)
    elif not manner.alone:
        tell_line(outcome, name, verdict, colour="red", err=True)
    return outcome


def line_of(name: str, verdict: Verdict, outcome: Outcome) -> dict[str, Any]:
    """Return the verdict as a line of `check --json`."""
    if isinstance(verdict, str):
        unread = Report("header", (Finding("unreadable", verdict),))
        return {**unread.as_json(name), "depth": None, "version": None}
    return {**verdict.report.as_json(name), "valid": EXITS[outcome] == 0, "version": verdict.version}


def tell_people(name: str, report: Report, outcome: Outcome, manner: Manner, *, strict: bool) -> None:
    """Print a report for people: all of it for a file named alone, else one line where something is wrong."""
    valid = EXITS[outcome] == 0
    if manner.alone:
        list_findings("warnings", "yellow", name, report.warnings)
        list_findings("errors", "red", name, report.errors)
        if mend := report.mend(name):
            click.echo(f"This makes a COG of it:\n  {mend}\n", err=True)
    elif outcome is not Outcome.VALID:
        tell_findings(name, report, manner, strict=strict)
    if manner.alone or (manner.verbosity and valid):
        click.echo(f"{printable(name)} is {'' if valid else 'NOT '}a valid cloud optimized GeoTIFF")


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
