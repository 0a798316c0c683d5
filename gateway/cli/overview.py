"""`collections overview`: one COG over a collection, for the zoom levels at which its datasets are small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from typing import Any, TypeVar

import click

from gateway.catalogue.overviews import Overview
from gateway.cli.administration import NoSuch, records_of
from gateway.cli.progress import with_progress
from gateway.cli.runs import ended_by_sigterm
from gateway.cli.shared import as_json, complain, print_json, printable, settings_of
from gateway.errors import BadParameter, GatewayError, NotACog, NotFound
from gateway.model import utc_text
from gateway.overviews.removal import Removal
from gateway.records import Records
from gateway.services import storages_of
from gateway.settings import Settings
from gateway.storage import Storage

T = TypeVar("T")

MOST_ZOOM = 24
EXITS = {"refused": 1, "failed": 2}


@click.command()
@click.argument("collection_id", metavar="ID")
@click.option("--zoom", type=click.IntRange(0, MOST_ZOOM), help="Zoom level of its pixels; chosen unless given.")
@click.option("--copy-to", metavar="ROOT", help="Storage root that the file is written into.")
@click.option("--remove", is_flag=True, help="Remove the overview that there is, and its file.")
@as_json
@click.pass_context
def overview(
    context: click.Context, /, collection_id: str, zoom: int | None, copy_to: str | None, remove: bool, as_json: bool
) -> None:
    """Write one COG over a collection, for far zooms.

    It is judged as every file is, and used until a dataset of the collection changes; the same command makes it
    anew, and removes the file before. Exit code 0: it is on record. 1: there is none of this collection, or it
    changed meanwhile. 2: wrong usage, or a file or a root that cannot be read or written. 130 and 143:
    interrupted, and nothing is left.
    """
    settings = settings_of(context)
    if remove == (copy_to is not None) or (remove and zoom is not None):
        raise click.UsageError("give --copy-to ROOT, or --remove alone", context)
    if copy_to is not None and copy_to not in settings.roots:
        raise click.BadParameter(f"there is no storage root named {copy_to}", param_hint="--copy-to")
    with ended_by_sigterm(), ExitStack() as stack:
        records = stack.enter_context(records_of(context, write=True))
        storages = {name: stack.enter_context(closing(storage)) for name, storage in storages_of(settings)}
        if copy_to is None:
            code = _remove(records, storages, collection_id, as_json=as_json)
        else:
            code = _make(settings, records, storages, (collection_id, zoom, copy_to), as_json=as_json)
    context.exit(code)


def _make(
    settings: Settings,
    records: Records,
    storages: dict[str, Storage],
    wanted: tuple[str, int | None, str],
    *,
    as_json: bool,
) -> int:
    """Print what became of it; returns the exit code."""
    # What reads and writes rasters takes half a second to import, and other commands of collections need none of it.
    from gateway.overviews.making import Maker  # noqa: PLC0415
    from gateway.overviews.planning import Plan  # noqa: PLC0415

    def told(plan: Plan) -> None:
        width, height = plan.grid.size
        click.echo(
            f"zoom level {plan.grid.zoom}: {width} x {height} pixels over {_number(plan.members)}, "
            f"{plan.size_bytes / 1e6:.1f} MB before compression",
            err=True,
        )

    collection_id, *_ = wanted
    allowed = settings.allow_missing_overviews
    with closing(Maker(records, storages, allow_missing_overviews=allowed)) as maker:
        try:
            made = maker.make(wanted, told, _watched)
        except NotFound:
            raise no_collection(collection_id) from None
        except (BadParameter, NotACog) as error:
            return _failed(collection_id, "refused", error, as_json=as_json)
        except (GatewayError, OSError) as error:
            return _failed(collection_id, "failed", error, as_json=as_json)
        if as_json:
            print_json({"status": "made", **facts_of(made)})
        else:
            click.echo(f"made  {line_of(made)}")
        _tell_left(maker.removal.left)
    return 0


def _remove(records: Records, storages: dict[str, Storage], collection_id: str, *, as_json: bool) -> int:
    """Print what became of it; returns the exit code."""
    if records.collection(collection_id, None) is None:
        raise no_collection(collection_id)
    removal = Removal(records, storages)
    removed = removal.remove(collection_id)
    _tell_left(removal.left)
    if removed is None:
        raise NoSuch(f"{collection_id} has no overview")
    if as_json:
        print_json({"status": "removed", **facts_of(removed)})
    else:
        click.echo(f"removed  {line_of(removed)}")
    return 0


def sweep(records: Records, storages: dict[str, Storage], collection_id: str) -> None:
    """Remove the files of a collection that are not needed; what cannot be is told on stderr."""
    removal = Removal(records, storages)
    removal.sweep(collection_id)
    _tell_left(removal.left)


def _watched(tiles: Iterable[T], number: int) -> Iterable[T]:
    """Return the tiles, with progress on stderr."""
    return with_progress(tiles, lambda: number, "painting")


def _failed(collection_id: str, status: str, error: GatewayError | OSError, *, as_json: bool) -> int:
    """Print why there is none; returns the exit code."""
    from gateway.judging import sentence  # noqa: PLC0415 - the same

    told = sentence(error)
    if as_json:
        print_json({"status": status, "collection": collection_id, "message": told})
    complain(collection_id, told)
    return EXITS[status]


def _tell_left(names: Sequence[str]) -> None:
    for name in names:
        complain(name, "cannot be removed now, and is tried again by the next run")


def facts_of(overview: Overview) -> dict[str, Any]:
    """Return what is told of an overview, as JSON."""
    raster = overview.raster
    return {
        "collection": overview.collection, "id": overview.id, "holds": overview.holds, "zoom": overview.zoom,
        "datasets": overview.members, "root": overview.root, "key": overview.key, "version": overview.version,
        "size_bytes": overview.size_bytes, "sha256": overview.sha256, "width": raster.width if raster else None,
        "height": raster.height if raster else None, "made_at": utc_text(overview.made_at or overview.begun_at),
    }  # fmt: skip


def line_of(overview: Overview) -> str:
    """Return what is told of an overview on one line."""
    size = f"{overview.size_bytes / 1e6:.1f} MB in {overview.root}:{overview.key}"
    return f"overview of {overview.collection}: zoom level {overview.zoom}, {_number(overview.members)}, {size}"


def _number(datasets: int) -> str:
    return f"{datasets} dataset{'s' * (datasets != 1)}"


def no_collection(collection_id: str) -> NoSuch:
    """Return what says that there is no such collection."""
    return NoSuch(f"there is no collection {printable(collection_id)}")
