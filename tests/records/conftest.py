from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.dates import DatedBy, Dates
from gateway.model import AuditRow, Dataset, Finding, RasterFacts, Report, Scale, Severity
from gateway.records import open_records, sqlite_url
from tests.postgres import DATABASES

START = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
WARNING = Finding("overviews", "no overviews", Severity.WARNING, ifd=0, block=3, offset=8192)
RASTER = RasterFacts(640, 480, 3, "uint8", "nan", "EPSG:32632", (5.5, 45.25, 15.5, 55.0))


def dataset(number, **changes):
    """Return the dataset with this number; a larger number was created later."""
    moment = START + timedelta(minutes=number)
    identity = str(UUID(int=number))
    base = Dataset(
        identity, "data", f"folder/{number}.tif", f"Sheet {number}", "ana", Scale.PUBLIC, Scale.INTERNAL, "1f-2e-3d",
        1234, Report("blocks", (WARNING,)), RASTER, moment, moment, sha256="ab" * 32, origin="s3://b/k@v1",
        collection="sheets", dates=Dates(moment, moment, DatedBy.MODIFIED),
    )  # fmt: skip
    return replace(base, **changes)


def act(at=START):
    """Return the audit row of an act of a test."""
    return AuditRow("test.act", at=at)


def register(records, new):
    """Store a new dataset."""
    assert records.register_dataset(new, act())


@pytest.fixture
def path(tmp_path):
    folder = tmp_path / "with space?"
    folder.mkdir()
    return folder / "gateway.db"


@pytest.fixture(params=DATABASES)
def url(request, path):
    if request.param == "sqlite":
        return sqlite_url(path)
    postgres = request.getfixturevalue("postgres")
    return postgres.server.url(postgres.emptied())


@pytest.fixture
def records(url):
    opened = open_records(url)
    yield opened
    opened.close()
