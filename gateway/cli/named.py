"""What the arguments of a command name, on disks and in buckets."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import wraps
from itertools import chain
from typing import Any

import click

from gateway.buckets import BucketSource, expand_bucket
from gateway.cli.completion import files
from gateway.inventory import inventoried
from gateway.settings import Settings
from gateway.sources import BUCKET_SCHEME, Hidden, Problem, Source, expand, modified_since, names_in

Named = Source | BucketSource | Problem


def takes_sources(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command, which takes SOURCE... and --inventory. Raises UsageError where there is none of either."""

    @wraps(command)
    def called(*arguments: Any, sources: tuple[str, ...], inventories: tuple[str, ...], **others: Any) -> Any:
        if not sources and not inventories:
            raise click.UsageError("Missing argument 'SOURCE...'.", ctx=click.get_current_context())
        return command(*arguments, sources=sources, inventories=inventories, **others)

    option = click.option("--inventory", "inventories", multiple=True, metavar="MANIFEST", shell_complete=files,
                          help="Take the objects of an S3 inventory in CSV, by its manifest.json.")  # fmt: skip
    return click.argument("sources", nargs=-1, metavar="SOURCE...", shell_complete=files)(option(called))


def chosen(
    sources: tuple[str, ...],
    inventories: tuple[str, ...],
    since: datetime | None,
    settings: Settings,
    hidden: Hidden,
    null: bool = False,
) -> Iterator[Named]:
    """Yield what the arguments name and inventories list, without files that were last modified before `since`.

    With `null` the names on stdin end with a NUL each. What is passed over in folders is counted in `hidden`. Raises
    InventoryError.
    """
    stdin = names_in(sys.stdin.buffer, null)
    listed = chain.from_iterable(inventoried(name, settings.roots) for name in inventories)
    found = expand(sources, stdin, lambda name: expand_bucket(name, settings.roots), hidden, listed)
    return found if since is None else (each for each in found if is_new(each, since))


def is_new(source: Named, since: datetime) -> bool:
    """Return whether a source was modified at a moment or after it; what cannot be asked counts as modified."""
    if isinstance(source, BucketSource):
        return source.modified_at is None or source.modified_at >= since
    return modified_since(source, since)


def in_buckets(sources: tuple[str, ...]) -> bool:
    """Return whether all arguments name objects of buckets, so that time is spent in waiting for them."""
    return all(source.startswith(BUCKET_SCHEME) for source in sources)
