"""What the commands of administration share: open services, and datasets by id."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from gateway.cli.shared import printable, settings_of
from gateway.model import Dataset, dataset_uuid
from gateway.records import DatasetQuery, Records
from gateway.services import Services, open_services

PAGE = 500


class NoSuch(click.ClickException):
    """Something that a command names and that is not on record: one line on stderr, exit 1."""

    exit_code = 1


def dataset_or_exit(services: Services, dataset_id: str) -> Dataset:
    """Return the dataset, its id in any case; raises NoSuch where there is none."""
    known = dataset_uuid(dataset_id)
    dataset = services.records.dataset(known) if known else None
    if dataset is None:
        raise NoSuch(f"there is no dataset {printable(dataset_id)}")
    return dataset


def every(records: Records) -> Iterator[Dataset]:
    """Yield all datasets, oldest first, read page by page."""
    offset = 0
    while found := records.find_datasets(DatasetQuery(principal=None, limit=PAGE, offset=offset)).datasets:
        yield from found
        offset += len(found)


@contextmanager
def services_of(context: click.Context) -> Iterator[Services]:
    """Yield the open services of the settings. Raises SettingsError and RecordsUnavailable."""
    with open_services(settings_of(context)) as services:
        yield services
