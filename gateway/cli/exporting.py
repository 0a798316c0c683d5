"""`collections export`: a collection as a static catalogue of STAC, and as stac-geoparquet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import click

from gateway.catalogue.collections import SeenCollection
from gateway.cli.administration import NoSuch, records_of
from gateway.cli.people import PERSON
from gateway.cli.runs import ended_by_sigterm
from gateway.cli.shared import as_json, print_json, printable, settings_of
from gateway.errors import SettingsError
from gateway.export.pages import pages
from gateway.export.places import written_whole
from gateway.export.static import StaticCatalogue, is_export
from gateway.model import AuditRow, Principal, Scale
from gateway.records import Holder, Records
from gateway.settings import Settings
from gateway.stac.items import item_of
from gateway.stac.site import Site

PLACE = click.Path(path_type=Path)


class Target(Protocol):
    """What items are written to, page by page."""

    def add(self, items: Sequence[dict[str, Any]]) -> None:
        """Take a page of items."""

    def finish(self, seen: SeenCollection, at: datetime) -> None:
        """Write what is left, and the collection."""


@dataclass(frozen=True, slots=True)
class Exported:
    """How many items were written, and how many of them not everybody may see."""

    items: int
    not_public: int


@click.command()
@click.argument("collection_id", metavar="ID")
@click.option("--stac", "folder", type=PLACE, metavar="DIR", help="Write a static catalogue into a new folder.")
@click.option("--stac-geoparquet", "file", type=PLACE, metavar="FILE",
              help="Write a file of stac-geoparquet; needs the extra `geoparquet`.")  # fmt: skip
@click.option(
    "--url", metavar="URL", help="Origin (and path) under which clients reach the gateway; PUBLIC_URL unless given."
)
@click.option("--public", is_flag=True, help="Only what everybody may see; else all.")
@click.option("--as", "user", type=PERSON, metavar="NAME", help="Only what this user may see.")
@click.option("--role", "roles", multiple=True, type=PERSON, metavar="ROLE",
              help="A role of that user; may be given again.")  # fmt: skip
@as_json
@click.pass_context
def export(
    context: click.Context, /, collection_id: str, folder: Path | None, file: Path | None, url: str | None,
    as_json: bool, **who: Any,
) -> None:  # fmt: skip
    """Write a collection as a static STAC catalogue or as Parquet.

    Items are as the API has them, and their assets lead to the gateway at --url.

    What is there at DIR or FILE is replaced only if it is an older export of the same collection, and at one moment.
    Without --public or --as every dataset is in it, whoever may see it.
    """
    reader = reader_of(**who)
    if folder is None and file is None:
        raise click.UsageError("nothing to write: give --stac DIR, --stac-geoparquet FILE, or both", context)
    site = site_of(settings_of(context, public_url=url))
    geoparquet = _imported() if file is not None else None
    with records_of(context, write=True) as records:
        require_seen(records, collection_id, reader)
        try:
            with ended_by_sigterm(), ExitStack() as stack:
                targets: list[Target] = []
                if folder is not None:
                    targets.append(stack.enter_context(static_catalogue(folder, collection_id, site)))
                if geoparquet is not None and file is not None:
                    targets.append(stack.enter_context(parquet_file(geoparquet, file, collection_id, site)))
                exported = write(records, collection_id, reader, (site, targets))
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise SettingsError(f"the export cannot be written: {error.filename or ''}: {reason}") from error
        detail = {"collection": collection_id, "items": exported.items, "public": who["public"], "as": who["user"]}
        records.append_audit([AuditRow("collection.exported", detail=detail)])
    places = {"stac": folder, "stac_geoparquet": file}
    told = {name: str(place.absolute()) for name, place in places.items() if place is not None}
    present(collection_id, exported, told, as_json=as_json)


def reader_of(*, public: bool, user: str | None, roles: tuple[str, ...]) -> Principal | None:
    """Return whose view is exported, None for the operator's."""
    if public and user is not None:
        raise click.UsageError("--public and --as exclude each other")
    if roles and user is None:
        raise click.UsageError("--role is of the user that --as names")
    if user is not None:
        return Principal(user, frozenset(roles))
    return Principal() if public else None


def site_of(settings: Settings) -> Site:
    """Return where assets lead to. Raises SettingsError."""
    if settings.public_url is None:
        raise SettingsError(
            "assets need the address under which clients reach the gateway: give --url https://..., "
            "or set GATEWAY_PUBLIC_URL"
        )
    return Site(settings.public_url + settings.prefix, settings.open_downloads, settings.oidc_issuer)


def require_seen(records: Records, collection_id: str, reader: Principal | None) -> SeenCollection:
    """Return the collection as the reader sees it; raises NoSuch."""
    if reader is not None and reader.user is not None and records.is_refused(Holder(reader.user)):
        raise NoSuch(f"{reader.user} is disabled, and sees nothing")
    found = records.collection(collection_id, reader)
    if found is None:
        seen = "" if reader is None else " of which that reader sees a dataset"
        raise NoSuch(f"there is no collection {printable(collection_id)}{seen}")
    return found


def write(
    records: Records, collection_id: str, reader: Principal | None, to: tuple[Site, Sequence[Target]]
) -> Exported:
    """Return what was written to all targets."""
    (site, targets), number, hidden = to, 0, 0
    for datasets in pages(records, collection_id, reader):
        items = [item_of(dataset, site) for dataset in datasets]
        for target in targets:
            target.add(items)
        number += len(items)
        hidden += sum(dataset.visibility is not Scale.PUBLIC for dataset in datasets)
    seen, at = require_seen(records, collection_id, reader), datetime.now(UTC)
    for target in targets:
        target.finish(seen, at)
    return Exported(number, hidden)


@contextmanager
def static_catalogue(folder: Path, collection_id: str, site: Site) -> Iterator[Target]:
    """Yield a static catalogue, whole in its place at the end."""
    older = partial(is_export, collection_id=collection_id)
    with written_whole(folder, Path.mkdir, older) as temporary:
        yield StaticCatalogue(temporary, site)


@contextmanager
def parquet_file(module: ModuleType, file: Path, collection_id: str, site: Site) -> Iterator[Target]:
    """Yield a file of stac-geoparquet, whole in its place at the end."""
    older = partial(module.is_export, collection_id=collection_id)
    with (
        written_whole(file, Path.touch, older) as temporary,
        tempfile.TemporaryFile(dir=temporary.parent) as spool,
    ):
        yield module.StacGeoparquet(temporary, site, spool)


def _imported() -> ModuleType:
    """Return the module that knows Parquet, which an extra brings."""
    try:
        from gateway.export import geoparquet  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"--stac-geoparquet needs {error.name}: pip install 'cog-gateway[geoparquet]' brings it"
        ) from None
    return geoparquet


def present(collection_id: str, exported: Exported, told: dict[str, str], *, as_json: bool) -> None:
    """Print what was written, and a warning where not everybody may see all of it."""
    if as_json:
        counts = {"items": exported.items, "not_public": exported.not_public}
        print_json({"id": collection_id, **counts, **told})
        return
    for place in told.values():
        click.echo(printable(f"{exported.items} items in {place}"))
    if exported.not_public:
        click.echo(f"{exported.not_public} of them are not public: --public leaves them out", err=True)
