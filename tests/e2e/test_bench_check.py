"""The benchmark of the check with tiny files: its tables and what it counts, not how long anything takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rasters import write_cog

pytest.importorskip("rio_cogeo")
ROOT = Path(__file__).parent.parent.parent
SMALL = ["--files", "3", "--side", "1024", "--blocks-side", "1024", "--rounds", "1", "--tables", "checks"]


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The rows of each table of one check beside the others, their cells without the bars."""
    folder = tmp_path_factory.mktemp("bench")
    command = [sys.executable, str(ROOT / "scripts" / "bench_check.py"), *SMALL, "--folder", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert list(folder.iterdir()) == []
    return cells(done.stdout)


def cells(told):
    """The header and the rows of each table that was printed."""
    rows = [[line.strip("| ").split(" | ") for line in table.splitlines()] for table in told.strip().split("\n\n")]
    return [(header, {row[0]: row[1:] for row in body}) for header, _, *body in rows]


def test_each_set_of_files_has_a_table_with_every_check(tables):
    assert [header[0].partition(",")[0] for header, _ in tables] == [
        "3 small files",
        "one large file",
        "one file of many blocks",
        "one file of many blocks",
    ]
    names = {
        "ours, header",
        "ours, header and GDAL's facts",
        "ours, blocks",
        "ours, full",
        "its reads alone",
        "rio-cogeo",
    }
    for header, rows in tables:
        assert names <= set(rows)
        assert {len(row) for row in rows.values()} == {len(header) - 1}
        assert rows["rio-cogeo"][1] == rows["rio-cogeo"][3] == "1.00"


def test_two_processes_stand_beside_one_and_depth_full_beside_checksums(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [str(ROOT / "scripts"), *sys.path])
    from bench_check_pairs import print_pairs

    print_pairs({"one file": [write_cog(tmp_path / "a.tif")]}, 1)
    (_, jobs), (_, full) = cells(capsys.readouterr().out)
    assert list(jobs) == ["depth blocks, one file", "depth full, one file"]
    for one, two, ratio in jobs.values():
        assert float(ratio) == pytest.approx(float(one) / float(two), abs=0.05)
    ((*_, ratio),) = full.values()
    assert float(ratio) > 0


def test_at_depth_header_little_more_than_the_header_is_read(tables):
    for _, rows in tables:
        assert 0.9 <= float(rows["ours, header"][-1]) <= 1.2


def test_what_gdal_reads_by_itself_is_not_counted_as_ours(tables):
    for _, rows in tables:
        assert rows["ours, full"][4:] == ["-", "-", "-"]


def test_blocks_are_read_beside_the_header(tables):
    _, rows = tables[3]
    header, blocks = (int(rows[name][4].replace(",", "")) for name in ("ours, header", "ours, blocks"))
    # 64 tiles of the image and 16 and 4 of overviews, 16 KiB each: one read between each two, one before and one
    # after; now and then one is cut in two.
    assert 0 <= blocks - header - (64 + 16 + 4 + 1) <= 8
