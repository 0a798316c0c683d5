"""`ingest`: register the true COGs among the sources, and say why the others are refused."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from gateway.buckets import BucketSource
from gateway.cli.describing import described
from gateway.cli.lines import SHORT_ID, Manner, advise_hidden, advise_mending, is_alone, tell_findings, verbose
from gateway.cli.lines import tell as tell_line
from gateway.cli.named import Named, chosen, in_buckets, takes_sources
from gateway.cli.outside import Outside
from gateway.cli.people import PERSON
from gateway.cli.progress import Underway, with_progress
from gateway.cli.pulse import told_now_and_then
from gateway.cli.runs import Run, Workplace, run_at, takes_workplace
from gateway.cli.shared import Moment, as_json, by_nul, complain, is_terminal, print_json, settings_of
from gateway.cli.spool import Spool
from gateway.cli.summary import Summary
from gateway.cog import DEPTHS
from gateway.copying import batches
from gateway.digests import Digests
from gateway.ingest import Ingestor
from gateway.ingest_options import IngestOptions
from gateway.ingest_outcome import Ingested, IngestStatus
from gateway.ingest_records import stem_of
from gateway.judging import DEPTH, Judged, Task, attempt
from gateway.model import Finding, Report, Scale
from gateway.records import Records, file_of, open_records
from gateway.services import storages_of
from gateway.settings import Settings
from gateway.sources import Hidden, Lack, Problem
from gateway.state import database_url, existing_records, new_state
from gateway.storage import Storage

SCALES = click.Choice([scale.value for scale in Scale])
EXITS = {IngestStatus.REFUSED: 1, IngestStatus.FAILED: 2}
FAILING = ("refused", "failed")
AGAIN = "what is done is on record, and the same command goes on with the rest"
# New files are recorded together: a transaction for each of many small ones takes longer than to judge it.
BATCH, BATCH_SECONDS, QUICK_SECONDS = 100, 0.25, 0.05
# Sources that the records are asked for together, by two keys each.
PLANNED = 500
# What people are told instead of the status.
CONVERTED, COVERED, WOULD_CONVERT = "converted", "covered", "would convert"
IF_DONE = {IngestStatus.REGISTERED: "would register", IngestStatus.UPDATED: "would update"}
WORDS = ("registered", "would register", CONVERTED, WOULD_CONVERT, "updated", "would update", "unchanged", COVERED,
         "refused", "failed")  # fmt: skip
# Good, and nothing to do about it: no line unless one is asked for.
QUIET = {"unchanged", COVERED}


@click.command()
@takes_sources
@click.option("--visibility", type=SCALES, help="Who may see it; a new dataset is private.")
@click.option("--download", type=SCALES, help="Who may have the file; as --visibility unless given.")
@click.option("--title", help="Title; the file's name unless given.")
@click.option("--owner", type=PERSON, metavar="NAME", help="User who may always have it.")
@described
@click.option("--convert", is_flag=True, help="Make a COG, beside the source or in --copy-to, of what is none.")
@click.option("--copy-to", metavar="ROOT", help="Storage root that files from elsewhere are copied into.")
@click.option(
    "--depth",
    type=click.Choice(list(DEPTHS)),
    help="How deep to look: blocks on a disk and header in a bucket unless given; full decodes every block.",
)
@click.option("--dry-run", is_flag=True, help="Judge and tell, but write nothing.")
@takes_workplace("Processes that judge and hash.")
@click.option("--since", type=Moment(), help="Only files modified at this moment or later; UTC without an offset.")
@by_nul
@verbose
@as_json
@click.pass_context
def ingest(context: click.Context, /, sources: tuple[str, ...], workplace: Workplace, **wishes: Any) -> None:
    """Register true COGs: files, folders, patterns, s3://bucket/prefix, or - for a list on stdin.

    The same object again keeps its id. A source whose conversion is registered is covered by that. Exit code 0: all
    are in. 1: some are refused. 2: wrong usage, a source that is missing, may not be read, or failed, or a cluster
    that was lost. 130 and 143: interrupted; what is done is on record, and the same command goes on.
    """
    since, null, inventories = (wishes.pop(name) for name in ("since", "null", "inventories"))
    manner = Manner(wishes.pop("as_json"), is_alone(sources) and not inventories, wishes.pop("verbosity"))
    options = options_of(wishes)
    settings = settings_of(context)
    if options.copy_to is not None and options.copy_to not in settings.roots:
        raise click.BadParameter(f"there is no storage root named {options.copy_to}", param_hint="--copy-to")
    hidden, stems = Hidden(), Stems()
    summary, outside, worst = Summary(WORDS), Outside(settings), 0
    with ExitStack() as stack:
        # To the end before the first is judged: what ingest itself makes must not become one of its sources.
        named = stems.noted(chosen(sources, inventories, since, settings, hidden, null))
        found = stack.enter_context(closing(Spool(named, shared=storages_in)))
        records = stack.enter_context(records_of(settings, dry_run=options.dry_run))
        at = run_at(workplace, again=AGAIN, in_buckets=in_buckets(sources), here=is_outcome, is_sorted=True)
        run = stack.enter_context(at)
        underway = Underway(found, attrgetter("name"), attrgetter("source"), run.jobs)
        storages = {name: stack.enter_context(closing(storage)) for name, storage in storages_of(settings)}
        ingestor = Ingestor(
            *(records, storages),
            allow_missing_overviews=settings.allow_missing_overviews,
            repeated=stems.repeated,
        )
        results = stack.enter_context(closing(outcomes(ingestor, underway, options, run)))
        stack.enter_context(told_now_and_then(run, summary, FAILING))
        for outcome in with_progress(results, lambda: len(found), "ingesting", underway):
            word = word_of(outcome, options.dry_run)
            tell(outcome, word, manner)
            outside.take(outcome)
            summary.add(word, outcome.report if outcome.status is IngestStatus.REFUSED else None)
            worst = max(worst, EXITS.get(outcome.status, 0))
    if not manner.as_json:
        conclude(summary, hidden, outside, sources, manner)
    context.exit(worst)


@contextmanager
def records_of(settings: Settings, *, dry_run: bool) -> Iterator[Records]:
    """Yield the records to ingest into, made where there are none; a dry run only reads those that are there."""
    file = file_of(database_url(settings))
    if dry_run and file is not None and not file.exists():
        with TemporaryDirectory() as scratch, closing(open_records(Path(scratch) / file.name)) as records:
            yield records
    else:
        with closing(existing_records(settings, read_only=True) if dry_run else new_state(settings)) as records:
            yield records


def conclude(summary: Summary, hidden: Hidden, outside: Outside, sources: tuple[str, ...], manner: Manner) -> None:
    """Print on stderr what it all came to, and what can be done."""
    if not manner.alone:
        summary.show()
        advise_hidden(hidden)
        advise_mending(summary.mendable, sources, manner.verbosity)
    outside.show()


def storages_in(item: Named) -> Iterator[Storage]:
    """Yield the storage that an object of a bucket shares with the others."""
    if isinstance(item, BucketSource):
        yield item.storage


@dataclass(slots=True)
class Stems:
    """The stems of file names that came more than once, in `repeated`; of the others only digests are kept."""

    repeated: set[str] = field(default_factory=set)
    _seen: Digests = field(default_factory=Digests)

    def noted(self, found: Iterable[Named]) -> Iterator[Named]:
        """Yield what is found, its stems noted."""
        for item in found:
            if not isinstance(item, Problem):
                stem = stem_of(item.relative)
                if not self._seen.add(stem):
                    self.repeated.add(stem)
            yield item


def options_of(wishes: dict[str, Any]) -> IngestOptions:
    """Return the options of the command line; raises BadParameter where they contradict each other."""
    wishes["dates"] = wishes.pop("moments")
    scales = {name: Scale(wishes.pop(name)) for name in ("visibility", "download") if wishes[name] is not None}
    return IngestOptions(**{**wishes, **scales})


def outcomes(
    ingestor: Ingestor, found: Iterable[Named], options: IngestOptions, run: Run
) -> Generator[Ingested, None, None]:
    """Yield what becomes of each source, in their order unless a cluster judges; recorded in batches."""
    waiting: deque[tuple[Task, Judged | str]] = deque()
    began = came = 0.0
    try:
        for task, judged in run(attempt_task, planned(ingestor, found, options)):
            if not isinstance(task, Ingested) and judged is not None:
                waiting.append((task, judged))
            quick, came = time.monotonic() - came < QUICK_SECONDS, time.monotonic()
            began = began if len(waiting) > 1 else came
            # Only what comes quickly one after another waits for the next one.
            if isinstance(task, Ingested) or not quick or len(waiting) >= BATCH or came - began > BATCH_SECONDS:
                yield from settled(ingestor, waiting, options)
            if isinstance(task, Ingested):
                yield task
    finally:
        # Interrupted, too: what was judged comes on record.
        last = list(settled(ingestor, waiting, options))
    yield from last


def settled(
    ingestor: Ingestor, waiting: deque[tuple[Task, Judged | str]], options: IngestOptions
) -> Iterator[Ingested]:
    """Yield what became of all that waits for it; what has been told of waits no longer."""
    for outcome in ingestor.settle_all(list(waiting), options):
        waiting.popleft()
        yield outcome


def planned(ingestor: Ingestor, found: Iterable[Named], options: IngestOptions) -> Iterator[Task | Ingested]:
    """Yield what is to be judged of each source, or its outcome where nothing has to be."""
    for batch in batches(found, PLANNED):
        plans = ingestor.plan_all([item for item in batch if not isinstance(item, Problem)], options)
        for item in batch:
            yield no_source(item) if isinstance(item, Problem) else next(plans)


def is_outcome(task: Task | Ingested) -> bool:
    """Return whether nothing is left to judge."""
    return isinstance(task, Ingested)


def attempt_task(task: Task | Ingested) -> Judged | str | None:
    """Return the verdict over a task's file; None where there is nothing left to judge."""
    return attempt(task) if isinstance(task, Task) else None


def no_source(problem: Problem) -> Ingested:
    """Return the outcome for an argument that names no file."""
    if problem.lack is Lack.NO_RASTER:
        report = Report(DEPTH, (Finding(problem.lack.value, problem.message),))
        return Ingested(problem.name, IngestStatus.REFUSED, findings=report.findings, report=report)
    return Ingested(problem.name, IngestStatus.FAILED, message=problem.message)


def word_of(outcome: Ingested, dry_run: bool) -> str:
    """Return what people are told of an outcome in one word, or two where it was only tried."""
    made = outcome.conversion
    if made and made.fresh:
        return WOULD_CONVERT if dry_run else CONVERTED
    if made and outcome.status is IngestStatus.UNCHANGED:
        return COVERED
    return (IF_DONE if dry_run else {}).get(outcome.status, outcome.status.value)


def tell(outcome: Ingested, word: str, manner: Manner) -> None:
    """Print one outcome: what is in on stdout, and on stderr why something is not."""
    if manner.as_json:
        print_json(outcome.as_json())
    elif outcome.status is IngestStatus.FAILED:
        tell_failed(outcome, manner)
    elif outcome.status is IngestStatus.REFUSED:
        tell_refused(outcome, manner)
    elif manner.alone or manner.verbosity or word not in QUIET:
        made = outcome.conversion
        name = f"{outcome.source} -> {made.name}" if made else outcome.source
        about = (outcome.id or "-")[: None if manner.alone or not is_terminal() else SHORT_ID]
        tell_line(word, name, about=about, colour=None if word in QUIET else "green")
        if outcome.findings and outcome.report:
            tell_findings(outcome.source, outcome.report, manner)


def tell_failed(outcome: Ingested, manner: Manner) -> None:
    """Print why a source could not be tried; of many that lie below no root, all is said at the end."""
    reason = outcome.message or "failed"
    if manner.alone:
        complain(outcome.source, reason)
    elif not outcome.is_outside or manner.verbosity:
        tell_line("failed", outcome.source, reason, colour="red", err=True)


def tell_refused(outcome: Ingested, manner: Manner) -> None:
    """Print why a source is no dataset."""
    if manner.alone:
        tell_line("refused", outcome.source, about=outcome.id or "-", colour="red")
    report = outcome.report or Report(DEPTH, outcome.findings)
    # What a conversion failed for says more than what is wrong with the source.
    if outcome.message:
        tell_line("refused", outcome.source, outcome.message.rstrip("."), colour="red", err=True)
    if not outcome.message or manner.verbosity or manner.alone:
        # A conversion that has failed would fail by hand as well.
        most = 2 if outcome.mend else 1
        least = 1 if manner.alone else 0
        tell_findings(outcome.source, report, replace(manner, verbosity=max(least, min(most, manner.verbosity))))
    if manner.alone and outcome.mend and manner.verbosity < 2:
        click.echo(f"mend it with --convert, or: {outcome.mend}", err=True)
