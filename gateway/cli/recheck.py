"""`datasets recheck`: whether what is registered is still there, and still true COGs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing

import click

from gateway.cli.administration import ALL, dataset_or_exit, every, records_of
from gateway.cli.progress import with_progress
from gateway.cli.shared import as_json, print_json, print_table, printable, settings_of
from gateway.cli.workers import in_order
from gateway.cog import DEPTHS
from gateway.model import Dataset
from gateway.rechecking import Look, Rechecked, RecheckStatus, look, settle
from gateway.records import Records
from gateway.services import storages_of
from gateway.settings import Settings
from gateway.storage import Storage

EXITS = {
    RecheckStatus.VALID: 0,
    RecheckStatus.NOT_VALID: 1,
    RecheckStatus.ALTERED: 1,
    RecheckStatus.MISSING: 1,
    RecheckStatus.UNREADABLE: 2,
}


@click.command()
@click.argument("dataset_ids", nargs=-1, metavar="[ID]...")
@click.option("--depth", type=click.Choice(list(DEPTHS)),
              help="How far to look; blocks for local files and header for buckets unless given.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes to judge in.")
@as_json
@click.pass_context
def recheck(
    context: click.Context, /, dataset_ids: tuple[str, ...], depth: str | None, jobs: int, as_json: bool
) -> None:
    """Judge datasets again and say what changed since.

    Without an ID all of them. The new verdict is stored; no file is touched. At depth full, digests of true COGs are
    compared as well. Exit code 0: all are there and valid. 1: some are missing, not valid or altered, or an ID is
    unknown. 2: some cannot be read.
    """
    counts: Counter[RecheckStatus] = Counter()
    settings = settings_of(context)
    with records_of(context, write=True) as records, ExitStack() as stack:
        chosen, total = choose(records, dataset_ids)
        storages = {name: stack.enter_context(closing(storage)) for name, storage in storages_of(settings)}
        results = stack.enter_context(closing(in_order(look, looks(settings, storages, chosen, depth), jobs)))
        for task, seen in stack.enter_context(closing(with_progress(results, lambda: total, "checking"))):
            outcome = settle(records, task.dataset, seen)
            tell(outcome, as_json=as_json)
            counts[outcome.status] += 1
    if not as_json and counts.total() > 1:
        print_table(("outcome", "datasets"), [(each, counts[each]) for each in RecheckStatus], err=True)
    context.exit(max((EXITS[status] for status in counts), default=0))


def choose(records: Records, dataset_ids: Sequence[str]) -> tuple[Iterator[Dataset], int]:
    """Return the datasets of those ids, or all of them, and their number. Raises NoSuch."""
    if not dataset_ids:
        return every(records), records.find_datasets(ALL).total
    named = {known.id: known for known in (dataset_or_exit(records, each) for each in dataset_ids)}
    return iter(named.values()), len(named)


def looks(
    settings: Settings, storages: Mapping[str, Storage], datasets: Iterator[Dataset], depth: str | None
) -> Iterator[Look]:
    """Yield what is to be looked at."""
    for dataset in datasets:
        yield Look(dataset, storages.get(dataset.root), depth, settings.allow_missing_overviews)


def tell(outcome: Rechecked, *, as_json: bool) -> None:
    """Print what became of one dataset, and below it what changed."""
    if as_json:
        print_json(outcome.as_json())
        return
    click.echo(f"{outcome.status.value:<10}  {outcome.now.id}  {printable(outcome.now.title)}")
    for change in outcome.changes:
        click.echo(f"- {printable(change)}")
