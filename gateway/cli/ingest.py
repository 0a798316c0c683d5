"""`ingest`: register the true COGs among the sources, and say why the others are refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import click

from gateway.cli.named import Named, chosen
from gateway.cli.progress import with_progress
from gateway.cli.shared import Moment, as_json, by_nul, complain, print_json, printable, settings_of
from gateway.cli.workers import in_order
from gateway.cog import DEPTHS
from gateway.ingest import Ingested, Ingestor, IngestStatus
from gateway.ingest_options import IngestOptions
from gateway.judging import DEPTH, Judged, Task, attempt
from gateway.model import Finding, Report, Scale
from gateway.records import open_records
from gateway.services import new_state, storages_of
from gateway.sources import Lack, Problem

SCALES = click.Choice([scale.value for scale in Scale])
EXITS = {IngestStatus.REFUSED: 1, IngestStatus.FAILED: 2}


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--visibility", type=SCALES, help="Who may see it; a new dataset is private.")
@click.option("--download", type=SCALES, help="Who may have the file; as --visibility unless given.")
@click.option("--title", help="Title; the file's name unless given.")
@click.option("--owner", help="User who may always have it.")
@click.option("--convert", is_flag=True, help="Make a COG, beside the source or in --copy-to, of what is none.")
@click.option("--copy-to", metavar="ROOT", help="Storage root that files from elsewhere are copied into.")
@click.option(
    "--depth",
    type=click.Choice(list(DEPTHS)),
    help="How deep to look: blocks on a disk and header in a bucket unless given; full decodes every block.",
)
@click.option("--dry-run", is_flag=True, help="Judge and tell, but write nothing.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that judge and hash."
)
@click.option("--since", type=Moment(), help="Only files modified at this moment or later; UTC without an offset.")
@by_nul
@as_json
@click.pass_context
def ingest(context: click.Context, /, sources: tuple[str, ...], jobs: int, as_json: bool, **wishes: Any) -> None:
    """Register true COGs: files, folders, patterns, s3://bucket/prefix, or - for a list on stdin.

    The same object again keeps its id. Exit code 0: all are in. 1: some are refused. 2: wrong usage, or a
    source that is missing, may not be read, or failed.
    """
    since, null = wishes.pop("since"), wishes.pop("null")
    options = options_of(wishes)
    settings = settings_of(context)
    if options.copy_to is not None and options.copy_to not in settings.roots:
        raise click.BadParameter(f"there is no storage root named {options.copy_to}", param_hint="--copy-to")
    # All of them at once: what ingest itself makes must not become one of its sources.
    found = list(chosen(sources, since, settings, null))
    worst = 0
    with ExitStack() as stack:
        records = stack.enter_context(closing(open_records(new_state(settings))))
        storages = {name: stack.enter_context(closing(storage)) for name, storage in storages_of(settings)}
        ingestor = Ingestor(records, storages, allow_missing_overviews=settings.allow_missing_overviews)
        for outcome in with_progress(run(ingestor, found, options, jobs), lambda: len(found), "ingesting"):
            tell(outcome, as_json=as_json)
            worst = max(worst, EXITS.get(outcome.status, 0))
    context.exit(worst)


def options_of(wishes: dict[str, Any]) -> IngestOptions:
    """Return the options of the command line; raises BadParameter where they contradict each other."""
    scales = {name: Scale(wishes.pop(name)) for name in ("visibility", "download") if wishes[name] is not None}
    return IngestOptions(**{**wishes, **scales})


def run(ingestor: Ingestor, found: Iterable[Named], options: IngestOptions, jobs: int) -> Iterator[Ingested]:
    """Yield what becomes of each source, in their order; judged in `jobs` processes."""
    tasks = (no_source(item) if isinstance(item, Problem) else ingestor.plan(item, options) for item in found)
    for task, judged in in_order(attempt_task, tasks, jobs):
        if isinstance(task, Ingested):
            yield task
        elif judged is not None:
            yield ingestor.settle(task, judged, options)


def attempt_task(task: Task | Ingested) -> Judged | str | None:
    """Return the verdict over a task's file; None where there is nothing left to judge."""
    return attempt(task) if isinstance(task, Task) else None


def no_source(problem: Problem) -> Ingested:
    """Return the outcome for an argument that names no file."""
    if problem.lack is Lack.NO_RASTER:
        report = Report(DEPTH, (Finding(problem.lack.value, problem.message),))
        return Ingested(problem.name, IngestStatus.REFUSED, findings=report.findings, report=report)
    return Ingested(problem.name, IngestStatus.FAILED, message=problem.message)


def tell(outcome: Ingested, *, as_json: bool) -> None:
    """Print one outcome: a line on stdout, and on stderr why something was not taken in."""
    if as_json:
        print_json(outcome.as_json())
        return
    if outcome.status is IngestStatus.FAILED:
        complain(outcome.source, outcome.message or "failed")
        return
    click.echo(f"{outcome.status.value:<10}  {outcome.id or '-':<36}  {printable(outcome.source)}")
    for finding in outcome.findings:
        click.echo(f"- {finding.severity.value}: {printable(finding.message)}", err=True)
    if outcome.message:
        click.echo(f"- {printable(outcome.message)}", err=True)
    if outcome.mend:
        click.echo(f"- mend it with --convert, or: {outcome.mend}", err=True)
