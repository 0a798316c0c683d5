"""Files by the writers in the field: the table in tests/data/writers holds, and no file is edited or made by hand."""

import hashlib
import re
from pathlib import Path

import pytest

from gateway.cog import DEPTHS, inspect
from gateway.cog.rules import RULES
from gateway.files import open_file

FOLDER = Path(__file__).parent.parent / "data" / "writers"
ROW = re.compile(r"^\| (\S+\.tif) \| (.+?) \| ([0-9a-f]{64}) \| (.+?) \| (.*?) \| (.+?) \| (.+?) \|$", re.M)
ROWS = {row[0]: row[1:] for row in ROW.findall((FOLDER / "README.md").read_text())}
VERDICT = re.compile(r"accepts|`([a-z0-9-]+)`(?: \(depth (blocks|full)\))?")


def expected(name):
    """The first rule that the file breaks, and the depths at which it is found."""
    rule, depth = VERDICT.fullmatch(ROWS[name][2]).groups()
    return rule, DEPTHS[DEPTHS.index(depth or "header") :] if rule else ()


def test_each_file_has_its_row_and_they_are_small():
    files = {path.name: path.stat().st_size for path in FOLDER.glob("*.tif")}
    assert set(files) == set(ROWS)
    assert max(files.values()) <= 40_000
    assert sum(files.values()) < 3_000_000


def test_the_writers_are_those_that_the_field_has():
    writers = {row[0] for row in ROWS.values()}
    for version in ("3.1", "3.6", "3.8", "3.10", "3.11", "3.12"):
        assert any(re.match(rf"GDAL {re.escape(version)}\.\d", writer) for writer in writers)
    for writer in ("rio-cogeo", "tifffile", "odc-geo", "libvips", "geotiff.js"):
        assert any(each.startswith(writer) for each in writers)


@pytest.mark.parametrize("name", ROWS)
def test_the_check_says_of_each_what_the_table_tells(name):
    _, digest, _, why, *_ = ROWS[name]
    path = FOLDER / name
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    rule, depths = expected(name)
    assert why == ("" if rule is None else RULES[rule].why)
    for depth in DEPTHS:
        with open_file(path) as source:
            report = inspect(source, depth=depth, facts=False).report
        assert report.valid is (depth not in depths), (depth, report.errors)
        if depth in depths:
            assert rule in {found.rule for found in report.errors}
        elif rule is None:
            assert report.findings == ()


def test_what_gdal_writes_as_a_cog_is_one():
    assert [name for name in ROWS if name.startswith("gdal-") and ROWS[name][2] != "accepts"] == []
