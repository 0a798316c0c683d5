"""What the arguments of a command name, on disks and in buckets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime

from gateway.buckets import BucketSource, expand_bucket
from gateway.settings import Settings
from gateway.sources import Hidden, Problem, Source, expand, modified_since, names_in

Named = Source | BucketSource | Problem


def chosen(
    sources: tuple[str, ...], since: datetime | None, settings: Settings, hidden: Hidden, null: bool = False
) -> Iterator[Named]:
    """Yield what the arguments name, without files that were last modified before `since`.

    With `null` the names on stdin end with a NUL each. What is passed over in folders is counted in `hidden`.
    """
    stdin = names_in(sys.stdin.buffer, null)
    found = expand(sources, stdin, lambda name: expand_bucket(name, settings.roots), hidden)
    return found if since is None else (each for each in found if is_new(each, since))


def is_new(source: Named, since: datetime) -> bool:
    """Return whether a source was modified at a moment or after it; what cannot be asked counts as modified."""
    if isinstance(source, BucketSource):
        return source.modified_at >= since
    return modified_since(source, since)
