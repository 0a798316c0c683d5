"""Fixtures of the COG check: true COGs of many kinds, and a judge that tells the rules that a file breaks."""

import pytest

from gateway.cog import inspect
from gateway.files import open_file
from tests.cog.samples import SAMPLES, write_sample


@pytest.fixture(scope="session")
def cogs(tmp_path_factory):
    """The path of each sample by its name."""
    folder = tmp_path_factory.mktemp("cogs")
    return {name: write_sample(name, folder / f"{name}.tif") for name in SAMPLES}


@pytest.fixture
def report_of(tmp_path):
    """A function that returns the report over bytes, which it writes to a file."""

    def judge(data, **options):
        path = tmp_path / "sample.tif"
        path.write_bytes(bytes(data))
        with open_file(path) as source:
            return inspect(source, **options).report

    return judge


@pytest.fixture
def errors_of(report_of):
    """A function that returns the rules that bytes break, errors only."""
    return lambda data, **options: {found.rule for found in report_of(data, **options).errors}


@pytest.fixture
def warnings_of(report_of):
    """A function that returns the rules of warnings; the bytes must be free of errors."""

    def judge(data, **options):
        report = report_of(data, **options)
        assert report.valid, report.errors
        return {found.rule for found in report.warnings}

    return judge
