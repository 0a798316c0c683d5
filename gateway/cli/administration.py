"""What the commands of administration share: the catalogue that is there, and datasets by id."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from gateway.cli.shared import printable, settings_of
from gateway.errors import SettingsError
from gateway.model import Dataset
from gateway.records import DatasetQuery, Records, open_records
from gateway.settings import Settings

PAGE = 500
ALL = DatasetQuery(principal=None)
# An id, or how one begins.
PREFIX = re.compile("[0-9a-fA-F-]{1,36}")


class NoSuch(click.ClickException):
    """Something that a command names and that is not on record: one line on stderr, exit 1."""

    exit_code = 1


def catalogue_file(settings: Settings) -> Path:
    """Return the path of the catalogue; raises SettingsError, with the folder, where there is none."""
    folder = settings.state_dir.absolute()
    if not (folder / "gateway.db").exists():
        named = "GATEWAY_STATE_DIR, or state_dir in the settings file, names another folder"
        raise SettingsError(f"there is no catalogue in {folder}: {named}")
    return folder / "gateway.db"


@contextmanager
def records_of(context: click.Context, *, write: bool = False) -> Iterator[Records]:
    """Yield the records of the catalogue that is there; nothing is made, and without `write` nothing changed.

    Raises SettingsError and RecordsUnavailable.
    """
    records = open_records(catalogue_file(settings_of(context)), read_only=not write)
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


def every(records: Records, query: DatasetQuery = ALL) -> Iterator[Dataset]:
    """Yield all datasets of a query, in its order, read page by page."""
    offset = 0
    while found := records.find_datasets(replace(query, limit=PAGE, offset=offset)).datasets:
        yield from found
        offset += len(found)
