"""What ingest has to judge of a source: which object of which root it is, or is to become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.buckets import BucketSource
from gateway.catalogue.overviews import is_overview
from gateway.ingest_options import IngestOptions
from gateway.ingest_outcome import CannotIngest, OutsideRoots
from gateway.judging import Reading, Task, key_in, key_of_copy, reading_of
from gateway.sources import Source, is_utf8
from gateway.storage import Storage


def task_of(
    source: Source | BucketSource,
    storages: Mapping[str, Storage],
    options: IngestOptions,
    *,
    allow_missing_overviews: bool,
) -> Task:
    """Return where a source is read and where its object is to be. Raises CannotIngest and StorageUnavailable."""
    whole = str(source.path.absolute()) if isinstance(source, Source) else source.name
    if not is_utf8(whole) or not is_utf8(source.relative):
        raise CannotIngest("its path is no UTF-8; records and URLs need one that is: rename it")
    if options.copy_to is not None and options.copy_to not in storages:
        raise CannotIngest(f"there is no storage root named {options.copy_to}")
    homes = [(root, key_in(storage, source)) for root, storage in storages.items()]
    # The shortest key is that of the longest root.
    for root, key in sorted(((r, k) for r, k in homes if k is not None), key=lambda home: len(home[1])):
        if options.copy_to in (None, root):
            if is_overview(key):
                raise CannotIngest("is the overview of a collection, which is no dataset")
            beside = source.beside if isinstance(source, BucketSource) else None
            reading = Reading(storages[root], key, allow_missing_overviews, options.depth, beside)
            return Task(source, reading, root, key, in_place=True)
    if options.copy_to is None:
        raise OutsideRoots("lies below no storage root: --copy-to ROOT copies it into one")
    key = key_of_copy(storages[options.copy_to], source.relative)
    reading = replace(reading_of(source, allow_missing_overviews), depth=options.depth)
    return Task(source, reading, options.copy_to, key, in_place=False)
