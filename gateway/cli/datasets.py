"""`datasets`: what is registered, and who may have it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import PurePosixPath
from typing import Any

import click

from gateway.cli.administration import ALL, NoSuch, count, dataset_or_exit, records_of
from gateway.cli.describing import described
from gateway.cli.people import PERSON_OR_NONE
from gateway.cli.recheck import recheck
from gateway.cli.shared import as_json, is_terminal, print_json, print_table, printable, settings_of
from gateway.model import AuditRow, Dataset, Scale, utc_text
from gateway.records import SORTINGS, Change
from gateway.state import place_of_records

SCALES = click.Choice([scale.value for scale in Scale])


@click.group()
def datasets() -> None:
    """List, show, judge again, update or remove datasets; never their files."""


datasets.add_command(recheck)


@datasets.command("list")
@click.option("--root", metavar="NAME", help="Only those of this storage root.")
@click.option("--collection", metavar="ID", help="Only those of this collection.")
@click.option("--invalid", "valid", flag_value=False, default=None, help="Only those that are no true COGs.")
@click.option("--visibility", type=SCALES, help="Only those that these people may see.")
@click.option("--owner", metavar="NAME", help="Only those of this user; an empty text: those without an owner.")
@click.option("--search", "q", metavar="TEXT", help="Only those with this text in title or object, in any case.")
@click.option("--sort", "sortby", type=click.Choice(SORTINGS), default="created_at", show_default=True,
              help="Order; a minus turns it around.")  # fmt: skip
@as_json
@click.pass_context
def list_(context: click.Context, /, as_json: bool, visibility: str | None, **wishes: Any) -> None:
    """List datasets, oldest first."""
    query = replace(ALL, visibility=Scale(visibility) if visibility else None, **wishes)
    with records_of(context) as records:
        found = records.every_dataset(query)
        if as_json:
            for dataset in found:
                print_json(told(dataset))
            return
        shown = list(found)
        total = count(records)
    print_list(shown)
    number = f"{total}" if len(shown) == total else f"{len(shown)} of {total}"
    noun = "dataset" if total == 1 else "datasets"
    click.echo(f"{number} {noun} in {printable(place_of_records(settings_of(context)))}", err=True)


def print_list(datasets: list[Dataset]) -> None:
    """Print the datasets as a table, on a terminal with ids that are as short as they can be."""
    length = id_length([dataset.id for dataset in datasets]) if is_terminal() else None
    columns = ("id", "visibility", "download", "valid", "owner", "title", "object")
    print_table(columns, (line(dataset, length) for dataset in datasets))


def id_length(ids: list[str]) -> int:
    """Return how many characters tell these ids from each other; eight at least."""
    return next((n for n in range(8, 36) if len({each[:n] for each in ids}) == len(ids)), 36)


@datasets.command()
@click.argument("dataset_id", metavar="ID")
@as_json
@click.pass_context
def show(context: click.Context, /, dataset_id: str, as_json: bool) -> None:
    """Show one dataset and what was judged of it."""
    with records_of(context) as records:
        present(dataset_or_exit(records, dataset_id), as_json=as_json)


@datasets.command()
@click.argument("dataset_id", metavar="ID")
@click.option("--visibility", type=SCALES, help="Who may see it; narrows the download with it.")
@click.option("--download", type=SCALES, help="Who may have the file; never wider than the visibility.")
@click.option("--title", help="Title.")
@click.option("--owner", type=PERSON_OR_NONE, metavar="NAME",
              help="User who may always have it; an empty text takes the owner away.")  # fmt: skip
@described
@as_json
@click.pass_context
def update(context: click.Context, /, dataset_id: str, as_json: bool, **wishes: Any) -> None:
    """Change who may have a dataset, or what it shows."""
    given = {name: value for name, value in wishes.items() if value is not None}
    if not given:
        told = "nothing to change: give --visibility, --download, --title, --owner, --collection or another option"
        raise click.UsageError(told, context)
    with records_of(context, write=True) as records:
        known = dataset_or_exit(records, dataset_id)
        change = change_of(given, known)
        row = AuditRow("dataset.updated", dataset_id=known.id, detail=detail_of(given, change))
        changed = records.change_dataset(known.id, change, row)
    if changed is None:
        raise NoSuch(f"there is no dataset {known.id} any more")
    present(changed, as_json=as_json)


@datasets.command()
@click.argument("dataset_id", metavar="ID")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@as_json
@click.pass_context
def remove(context: click.Context, /, dataset_id: str, yes: bool, as_json: bool) -> None:
    """Remove the record of a dataset and its grants.

    The file and the audit stay.
    """
    with records_of(context, write=True) as records:
        known = dataset_or_exit(records, dataset_id)
        if not yes:
            click.confirm(f"Remove the record of {printable(known.title)} ({known.id})?", abort=True, err=True)
        row = AuditRow("dataset.removed", dataset_id=known.id, detail={"root": known.root, "key": known.key})
        removed = records.remove_dataset(known.id, row)
    if not removed:
        raise NoSuch(f"there is no dataset {known.id} any more")
    if as_json:
        print_json({"id": known.id, "removed": True})
    else:
        click.echo(f"removed {known.id}")


def change_of(given: dict[str, Any], known: Dataset) -> Change:
    """Return what the command line asks for; raises BadParameter where it contradicts itself, and NoSuch."""
    visibility, download = (Scale(given[name]) if name in given else None for name in ("visibility", "download"))
    dates = given.get("moments")
    if dates is None and "pattern" in given:
        dates = given["pattern"].dates(PurePosixPath(known.key).name)
        if dates is None:
            raise NoSuch(f"the pattern finds no date in {printable(PurePosixPath(known.key).name)}")
    shown = (given.get("collection"), dates, given.get("properties"))
    return Change(visibility, download, given.get("title"), given.get("owner"), *shown)


def detail_of(given: dict[str, Any], change: Change) -> dict[str, Any]:
    """Return what was asked for, as it stands on record."""
    told = {name: value for name, value in given.items() if name not in ("moments", "pattern")}
    if change.dates is not None:
        told["datetime"] = f"{utc_text(change.dates.start_at)}/{utc_text(change.dates.end_at)}"
        told["dated_by"] = change.dates.dated_by.value
    return told


def told(dataset: Dataset) -> dict[str, Any]:
    """Return a dataset as JSON for operators: the public record, its object, and the last report."""
    facts = asdict(replace(dataset, raster=None))
    raster = asdict(dataset.raster) if dataset.raster else {}
    facts |= facts.pop("dates")
    times = {name: utc_text(facts[name]) for name in ("start_at", "end_at", "created_at", "updated_at")}
    del facts["raster"]
    for name in ("tagged_at", "small"):
        raster.pop(name, None)
    return {**facts, **raster, **times, "report": dataset.report.as_json(dataset.key)}


def line(dataset: Dataset, id_length: int | None) -> tuple[object, ...]:
    """Return the cells of one dataset in the list, its id cut to that length."""
    valid = "yes" if dataset.report.valid else "no"
    scales = (dataset.visibility, dataset.download)
    return (dataset.id[:id_length], *scales, valid, dataset.owner, dataset.title, f"{dataset.root}:{dataset.key}")


def present(dataset: Dataset, *, as_json: bool) -> None:
    """Print one dataset."""
    facts = told(dataset)
    if as_json:
        print_json(facts)
        return
    report = facts.pop("report")
    print_table(("field", "value"), facts.items(), whole=True)
    click.echo(f"valid at depth {report['depth']}: {'yes' if report['valid'] else 'no'}")
    for finding in dataset.report.findings:
        click.echo(f"- {finding.severity.value}: {printable(finding.message)}")
