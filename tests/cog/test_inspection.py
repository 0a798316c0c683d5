import os
import socket
import subprocess
import sys

import pytest

from gateway import cog
from gateway.cog import DEPTHS, inspect, not_regular_report
from gateway.cog.layout import read_layout
from gateway.files import NotRegular, open_file
from gateway.model import Inspection, Report
from tests.cog.samples import SAMPLES
from tests.cog.tiffs import GEO, BytesSource, Image, Patch, ghost_of, pyramid, write


class Remote(BytesSource):
    """The bytes of a file with no path that GDAL could open."""

    remote = True


@pytest.mark.parametrize("name", SAMPLES)
def test_the_header_of_a_small_remote_cog_is_read_at_once(cogs, name):
    source = Remote(cogs[name].read_bytes(), str(cogs[name]))
    assert inspect(source, depth="header", facts=False).report.valid
    assert len(source.reads) == 1


@pytest.mark.parametrize("name", SAMPLES)
def test_of_a_file_little_more_than_the_header_is_read(cogs, name):
    source = BytesSource(cogs[name].read_bytes(), str(cogs[name]))
    header = max(end for _, end in read_layout(source).header_extents)
    source.reads.clear()
    inspection = inspect(source, depth="header", facts=False)
    assert inspection.report.valid
    assert sum(length for _, length in source.reads) <= 1.2 * header


def test_gdal_is_asked_at_depth_header_only_for_its_facts():
    source = BytesSource(write(pyramid()))
    assert inspect(source, depth="header", facts=False) == Inspection(Report("header"), None)
    for depth, facts in (("header", True), ("blocks", False)):
        (found,) = inspect(source, depth=depth, facts=facts).report.findings
        assert found.rule == "gdal-cannot-open"


def test_a_header_with_large_arrays_takes_two_reads():
    images = pyramid(width=16 * 300, height=16 * 100, sparse="all")
    for number, image in enumerate(images[1:], 1):
        image.width, image.height, image.sparse = images[0].width >> number, images[0].height >> number, "all"
    source = Remote(write(images))
    assert not inspect(source, depth="header", facts=False).report.errors
    assert len(source.reads) == 2


def test_long_metadata_and_large_arrays_take_one_read_more():
    tags = {**GEO, 42112: (2, b"<GDALMetadata>" + b" " * 40_000 + b"</GDALMetadata>\0")}
    images = pyramid(width=16 * 100, height=16 * 88, sparse="all", tags=tags)
    images[1] = Image(16 * 50, 16 * 44, subfile=1, sparse="all")
    images[2] = Image(16 * 25, 16 * 22, subfile=1, sparse="all")
    source = Remote(write(images))
    assert inspect(source, depth="header", facts=False).report.findings == ()
    assert len(source.reads) == 3


def test_leaders_and_trailers_take_one_read_for_each_tile(cogs):
    source = BytesSource(cogs["plain"].read_bytes(), str(cogs["plain"]))
    assert inspect(source, depth="blocks").report.valid
    header = len(source.reads) - ((9 + 4 + 1) + 1)
    source.reads.clear()
    assert inspect(source, depth="header").report.valid
    assert len(source.reads) == header


def test_gdal_is_not_asked_about_a_broken_structure():
    inspection = inspect(BytesSource(write(pyramid())[:-1]))
    assert [found.rule for found in inspection.report.findings] == ["tile-beyond-end"]
    assert inspection.raster is None


def test_what_gdal_cannot_open_is_a_finding_without_any_text_of_gdal():
    inspection = inspect(BytesSource(write(pyramid()), "/nonexistent/secret.tif"))
    (found,) = inspection.report.findings
    assert found.rule == "gdal-cannot-open"
    assert "secret" not in found.message
    assert inspection.raster is None


def test_the_room_of_the_check_has_what_it_names_and_nothing_else():
    assert all(getattr(cog, name) for name in cog.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        cog.nothing  # noqa: B018 - the look itself raises


def test_the_depths_are_the_three_of_the_command_line():
    assert DEPTHS == ("header", "blocks", "full")
    with pytest.raises(ValueError, match="header, blocks, full"):
        inspect(BytesSource(b""), depth="deep")
    assert inspect(BytesSource(b""), depth="full").report.depth == "full"


def test_an_error_of_the_source_reaches_the_caller():
    class Failing(BytesSource):
        def read_at(self, offset_bytes, length_bytes):
            raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        inspect(Failing(b"II*\0"))


@pytest.mark.parametrize("kept", [10, 400, 1000])
def test_a_file_that_shrinks_during_the_check_is_a_finding(kept):
    class Shrinking(BytesSource):
        size_bytes = len(write(pyramid(), ghost=ghost_of()))

    source = Shrinking(write(pyramid(), ghost=ghost_of())[:kept])
    assert [found.rule for found in inspect(source).report.findings] == ["changed-while-read"]


def test_a_report_holds_a_bounded_number_of_findings_and_never_loses_the_errors(report_of):
    pages = [Image(16, 16) for _ in range(250)]
    report = report_of(write([*pyramid(), *pages, Image(80, 20), Image(40, 10, subfile=1)]))
    assert (len(report.warnings), report.valid) == (0, False)
    far = Image(16, 16, tags=dict.fromkeys(range(60000, 60300), (2, b"far away")))
    hostile = Patch(write([*pyramid(), far]))
    for tag in range(60000, 60300):
        hostile.pointer(3, tag, 2**32 - 20)
    assert len(report_of(hostile).errors) == 200
    report = report_of(write([*pyramid(), *(Image(16, 16, tile=(32, 16)) for _ in range(250))]))
    assert (len(report.warnings), report.valid) == (200, True)


def test_a_pipe_or_folder_is_reported_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.tif")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket.tif"))
        for path in (tmp_path / "pipe.tif", tmp_path / "socket.tif", tmp_path):
            with pytest.raises(NotRegular):
                open_file(path)
    report = not_regular_report("blocks")
    assert (report.valid, report.depth, report.errors[0].rule) == (False, "blocks", "not-a-regular-file")


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("name", SAMPLES)
def test_a_remote_source_is_judged_like_a_file(cogs, name, depth):
    path = cogs[name]
    source = Remote(path.read_bytes(), "s3://bucket/folder/elevation.tif")
    with open_file(path) as file:
        assert inspect(source, depth=depth) == inspect(file, depth=depth)


def test_a_remote_source_is_judged_by_its_header_when_nobody_says(cogs):
    source = Remote(next(iter(cogs.values())).read_bytes(), "s3://bucket/elevation.tif")
    found = inspect(source, siblings=frozenset({"elevation.tif.ovr"}))
    assert found.report.depth == "header"
    assert [finding.rule for finding in found.report.warnings] == ["sidecar-overviews"]


@pytest.mark.parametrize(("depth", "loaded"), [("header", False), ("blocks", True)])
def test_rasterio_is_loaded_by_the_first_depth_that_needs_it(cogs, depth, loaded):
    code = (
        "import sys; from gateway.__main__ import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: print(end.code, 'rasterio' in sys.modules)"
    )
    command = [sys.executable, "-c", code, "check", "--depth", depth, str(cogs["deflate"])]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == f"0 {loaded}"
