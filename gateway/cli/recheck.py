"""`datasets recheck`: whether what is registered is still there, and still true COGs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import Any

import click

from gateway.cli.administration import ALL, count, dataset_or_exit, records_of
from gateway.cli.lines import SHORT_ID, Manner, verbose
from gateway.cli.lines import tell as tell_line
from gateway.cli.progress import Underway, with_progress
from gateway.cli.pulse import told_now_and_then
from gateway.cli.runs import Workplace, run_at, takes_workplace
from gateway.cli.shared import as_json, is_terminal, print_json, settings_of
from gateway.cli.summary import Summary
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

FAILING = [status for status, code in EXITS.items() if code]
AGAIN = "what was judged is stored; the same command judges all again, and IDs are judged alone"

# A true COG in the place of another one: valid, and not what is on record.
REPLACED = "replaced"
WORDS = (RecheckStatus.VALID, REPLACED, *list(RecheckStatus)[1:])


@click.command()
@click.argument("dataset_ids", nargs=-1, metavar="[ID]...")
@click.option("--depth", type=click.Choice(list(DEPTHS)),
              help="How far to look; blocks for local files and header for buckets unless given.")  # fmt: skip
@takes_workplace("Processes to judge in.")
@verbose
@as_json
@click.pass_context
def recheck(
    context: click.Context, /, dataset_ids: tuple[str, ...], depth: str | None, workplace: Workplace, **how: Any
) -> None:
    """Judge datasets again and say what changed since.

    Without an ID all of them. The new verdict is stored; no file is touched. At depth full, digests of true COGs are
    compared as well. Exit code 0: all are there and valid. 1: some are missing, not valid or altered, or an ID is
    unknown. 2: some cannot be read, or a cluster was lost. 130 and 143: interrupted; what was judged is stored.
    """
    summary, worst = Summary(WORDS, "datasets"), 0
    manner = Manner(how["as_json"], len(dataset_ids) == 1, how["verbosity"])
    settings = settings_of(context)
    with records_of(context, write=True) as records, ExitStack() as stack:
        chosen, total = choose(records, dataset_ids)
        storages = {name: stack.enter_context(closing(storage)) for name, storage in storages_of(settings)}
        far = all(storage.remote for storage in storages.values())
        run = stack.enter_context(run_at(workplace, again=AGAIN, in_buckets=far, is_sorted=True))
        tasks = looks(settings, storages, chosen, depth)
        underway = Underway(tasks, name_of, lambda result: name_of(result[0]), run.jobs)
        results = stack.enter_context(closing(run(look, underway)))
        stack.enter_context(told_now_and_then(run, summary, FAILING))
        for task, seen in stack.enter_context(closing(with_progress(results, lambda: total, "checking", underway))):
            outcome = settle(records, task.dataset, seen)
            summary.add(tell(outcome, manner))
            worst = max(worst, EXITS[outcome.status])
    if not manner.as_json and not manner.alone and summary.sources:
        summary.show()
    context.exit(worst)


def choose(records: Records, dataset_ids: Sequence[str]) -> tuple[Iterator[Dataset], int]:
    """Return the datasets of those ids, or all of them, and their number. Raises NoSuch."""
    if not dataset_ids:
        return records.every_dataset(ALL), count(records)
    named = {known.id: known for known in (dataset_or_exit(records, each) for each in dataset_ids)}
    return iter(named.values()), len(named)


def looks(
    settings: Settings, storages: Mapping[str, Storage], datasets: Iterator[Dataset], depth: str | None
) -> Iterator[Look]:
    """Yield what is to be looked at."""
    for dataset in datasets:
        yield Look(dataset, storages.get(dataset.root), depth, settings.allow_missing_overviews)


def name_of(task: Look) -> str:
    """Return the name of a dataset's object for people."""
    return f"{task.dataset.root}:{task.dataset.key}"


def tell(outcome: Rechecked, manner: Manner) -> str:
    """Print what became of one dataset and what changed, on one line; returns the word for it."""
    word = REPLACED if outcome.is_replaced else outcome.status.value
    if manner.as_json:
        print_json(outcome.as_json())
    elif word != RecheckStatus.VALID or outcome.changes or manner.alone or manner.verbosity:
        now = outcome.now
        about = now.id[: None if manner.alone or not is_terminal() else SHORT_ID]
        colour = "red" if EXITS[outcome.status] else "yellow" if word == REPLACED else "green"
        tell_line(word, f"{now.root}:{now.key}", "; ".join(outcome.changes), about=about, colour=colour)
    return word
