"""`collections`: what the archive groups its datasets by."""

from __future__ import annotations

from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import Any

import click

from gateway.catalogue.collections import (
    Collection,
    CollectionChange,
    SeenCollection,
    providers_of,
)
from gateway.catalogue.jsontext import require_unicode, value_of
from gateway.cli.administration import NoSuch, records_of
from gateway.cli.describing import COLLECTION, Told, of_file
from gateway.cli.exporting import export
from gateway.cli.overview import facts_of, overview, sweep
from gateway.cli.shared import as_json, print_json, print_table, printable, settings_of
from gateway.errors import BadParameter
from gateway.model import AuditRow, utc_text
from gateway.records import Records
from gateway.services import storages_of
from gateway.state import new_state


@click.group()
def collections() -> None:
    """List, show, create, update, remove or export collections; never their datasets."""


def _keywords(text: str) -> tuple[str, ...]:
    return tuple(word for each in text.split(",") if (word := each.strip()))


def _providers(text: str) -> Any:
    try:
        found = value_of(text)
        require_unicode(found)
        return providers_of(found)
    except (ValueError, RecursionError) as error:
        raise BadParameter(f"Providers are a JSON list: {error}") from None


def told_by_operator(command: Any) -> Any:
    """Return a command with the options for what a collection says of itself."""
    for option in (
        click.option("--providers", type=Told("FILE", of_file(_providers)), metavar="FILE.json",
                     help="A JSON list of providers, as STAC has them."),
        click.option("--keywords", type=Told("WORDS", _keywords), metavar="WORD,...", help="Words, comma separated."),
        click.option("--license", help="SPDX identifier, or `other`."),
        click.option("--description", help="Description; CommonMark."),
        click.option("--title", help="Title; the id unless given."),
    ):  # fmt: skip
        command = option(command)
    return command


@collections.command("list")
@as_json
@click.pass_context
def list_(context: click.Context, /, as_json: bool) -> None:
    """List collections by id, with what their datasets come to."""
    with records_of(context) as records:
        found = list(every(records))
    if as_json:
        for each in found:
            print_json(told(each))
        return
    print_table(("id", "datasets", "first", "last", "title"), map(line, found))


@collections.command()
@click.argument("collection_id", metavar="ID")
@as_json
@click.pass_context
def show(context: click.Context, /, collection_id: str, as_json: bool) -> None:
    """Show one collection."""
    with records_of(context) as records:
        present(records, collection_id, as_json=as_json)


@collections.command()
@click.argument("collection_id", metavar="ID", type=COLLECTION)
@told_by_operator
@as_json
@click.pass_context
def create(context: click.Context, /, collection_id: str, as_json: bool, **wishes: Any) -> None:
    """Create an empty collection, and a catalogue where there is none."""
    change, now = change_of(wishes), datetime.now(UTC)
    new = change.of(Collection(collection_id, collection_id, now, now))
    with closing(new_state(settings_of(context))) as records:
        row = AuditRow("collection.created", at=now, detail={"collection": collection_id, **detail_of(wishes)})
        if not records.create_collection(new, row):
            raise NoSuch(f"there is a collection {collection_id} already")
        present(records, collection_id, as_json=as_json)


@collections.command()
@click.argument("collection_id", metavar="ID")
@told_by_operator
@as_json
@click.pass_context
def update(context: click.Context, /, collection_id: str, as_json: bool, **wishes: Any) -> None:
    """Change what a collection says of itself."""
    change = change_of(wishes)
    if change == CollectionChange():
        told = "nothing to change: give --title, --description, --license, --keywords or --providers"
        raise click.UsageError(told, context)
    with records_of(context, write=True) as records:
        row = AuditRow("collection.updated", detail={"collection": collection_id, **detail_of(wishes)})
        if records.change_collection(collection_id, change, row) is None:
            raise NoSuch(f"there is no collection {printable(collection_id)}")
        present(records, collection_id, as_json=as_json)


@collections.command()
@click.argument("collection_id", metavar="ID")
@as_json
@click.pass_context
def remove(context: click.Context, /, collection_id: str, as_json: bool) -> None:
    """Remove an empty collection, with the file of its overview."""
    with records_of(context, write=True) as records, ExitStack() as stack:
        row = AuditRow("collection.removed", detail={"collection": collection_id})
        try:
            removed = records.remove_collection(collection_id, row)
        except BadParameter as error:
            told = f"{str(error).rstrip('.')}: cog-gateway datasets list --collection {collection_id}"
            raise NoSuch(told) from None
        if removed and records.overviews.left(collection_id, row.at):
            storages = {name: stack.enter_context(closing(each)) for name, each in storages_of(settings_of(context))}
            sweep(records, storages, collection_id)
    if not removed:
        raise NoSuch(f"there is no collection {printable(collection_id)}")
    if as_json:
        print_json({"id": collection_id, "removed": True})
    else:
        click.echo(f"removed {collection_id}")


collections.add_command(export)
collections.add_command(overview)


def every(records: Records) -> Any:
    """Yield all collections by id, read page by page."""
    after = ""
    while found := records.collections(None, after=after, limit=100):
        yield from found
        after = found[-1].collection.id


def found_or_exit(records: Records, collection_id: str) -> SeenCollection:
    """Return the collection with this id; raises NoSuch."""
    found = records.collection(collection_id, None)
    if found is None:
        raise NoSuch(f"there is no collection {printable(collection_id)}")
    return found


def change_of(wishes: dict[str, Any]) -> CollectionChange:
    """Return what the command line asks for; what contradicts itself is wrong usage."""
    try:
        return CollectionChange(**wishes)
    except BadParameter as error:
        raise click.UsageError(str(error).rstrip(".")) from None


def detail_of(wishes: dict[str, Any]) -> dict[str, Any]:
    """Return what was asked for, as it stands on record."""
    told = {name: value for name, value in wishes.items() if value is not None}
    if "providers" in told:
        told["providers"] = [provider.as_json() for provider in told["providers"]]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}


def told(found: SeenCollection) -> dict[str, Any]:
    """Return a collection as JSON, with what its datasets come to."""
    one, extent = found.collection, found.extent
    return {
        "id": one.id, "title": one.title, "description": one.description, "license": one.license,
        "keywords": list(one.keywords), "providers": [provider.as_json() for provider in one.providers],
        "created_at": utc_text(one.created_at), "updated_at": utc_text(one.updated_at), "datasets": extent.count,
        "bbox": list(extent.bbox) if extent.bbox else None,
        "start_at": utc_text(extent.start_at) if extent.start_at else None,
        "end_at": utc_text(extent.end_at) if extent.end_at else None,
    }  # fmt: skip


def line(found: SeenCollection) -> tuple[object, ...]:
    """Return the cells of one collection in the list."""
    days = (moment.date() if moment else None for moment in (found.extent.start_at, found.extent.end_at))
    return (found.collection.id, found.extent.count, *days, found.collection.title)


def present(records: Records, collection_id: str, *, as_json: bool) -> None:
    """Print one collection, with its overview; raises NoSuch."""
    found, known = found_or_exit(records, collection_id), records.overviews.of_collection(collection_id)
    facts = {**told(found), "overview": facts_of(known) if known else None}
    if as_json:
        print_json(facts)
    else:
        print_table(("field", "value"), facts.items(), whole=True)
