"""What the commands of administration share: the catalogue that is there, and datasets by id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from gateway.cli.shared import printable, settings_of
from gateway.model import Dataset
from gateway.records import DatasetQuery, Records
from gateway.state import existing_records

ALL = DatasetQuery(principal=None, limit=500)
# An id, or how one begins.
PREFIX = re.compile("[0-9a-fA-F-]{1,36}")


class NoSuch(click.ClickException):
    """Something that a command names and that is not on record: one line on stderr, exit 1."""

    exit_code = 1


@contextmanager
def records_of(context: click.Context, *, write: bool = False) -> Iterator[Records]:
    """Yield the records of the catalogue that is there; nothing is made, and without `write` nothing changed.

    Raises SettingsError and RecordsUnavailable.
    """
    records = existing_records(settings_of(context), read_only=not write)
    try:
        yield records
    finally:
        records.close()


def id_or_exit(records: Records, given: str, *, removed: bool = False) -> str:
    """Return the one id that begins as `given` does, in any case; raises NoSuch.

    `removed` lets ids of datasets count of which only the audit is left.
    """
    found = records.dataset_ids(given.lower(), removed=removed) if PREFIX.fullmatch(given) else ()
    if len(found) > 1:
        raise NoSuch(f"{given} is how several ids begin: {', '.join(found)}")
    if not found:
        raise NoSuch(f"there is no dataset {printable(given)}")
    return found[0]


def dataset_or_exit(records: Records, given: str) -> Dataset:
    """Return the dataset whose id begins as `given` does; raises NoSuch."""
    dataset = records.dataset(id_or_exit(records, given))
    if dataset is None:
        raise NoSuch(f"there is no dataset {printable(given)} any more")
    return dataset


def count(records: Records) -> int:
    """Return how many datasets there are."""
    return records.find_datasets(replace(ALL, limit=0)).total
