import os

import pytest

from gateway.cli import blocks
from gateway.cli.workers import DIED
from gateway.cog import read_layout
from gateway.files import open_file
from tests.rasters import write_cog


@pytest.fixture
def damaged(gateway):
    """A COG with three damaged tiles in its first IFD."""
    path = write_cog(gateway.data / "a.tif")
    with open_file(path) as file:
        offsets = read_layout(file).ifds[0].offsets.tolist()
    with path.open("r+b") as file:
        for block in (1, 6, 11):
            file.seek(offsets[block] + 100)
            file.write(b"\xff" * 50)
    return path


@pytest.mark.parametrize("sound", [True, False])
def test_one_file_has_the_same_report_in_one_process_and_in_several(gateway, damaged, sound):
    path = write_cog(gateway.data / "b.tif") if sound else damaged
    code = 0 if sound else 1
    in_one = gateway.json("check", "--depth", "full", path, exit_code=code)
    assert gateway.json("check", "--depth", "full", "--jobs", "2", path, exit_code=code) == in_one
    assert sound or "more" in in_one[0]["errors"][0]["message"]


def test_only_depth_full_of_one_file_starts_processes(gateway, monkeypatch):
    ran = []
    monkeypatch.setattr(
        blocks, "in_order", lambda work, items, jobs: (ran.append(jobs), ((i, work(i)) for i in items))[1]
    )
    path = write_cog(gateway.data / "a.tif")
    gateway.run("check", "--jobs", "3", path)
    gateway.run("check", "--depth", "full", path)
    assert ran == []
    gateway.run("check", "--depth", "full", "--jobs", "3", path)
    assert ran == [3]


def test_a_process_that_dies_makes_the_file_unreadable(gateway, monkeypatch):
    monkeypatch.setattr(blocks, "in_order", lambda work, items, jobs: ((i, DIED) for i in items))
    path = write_cog(gateway.data / "a.tif")
    result = gateway.run("check", "--depth", "full", "--jobs", "2", path, exit_code=2)
    assert f"cannot be read: {DIED}" in result.stderr


def test_a_part_of_another_version_is_not_judged(gateway):
    path = write_cog(gateway.data / "a.tif")
    assert blocks.damage_of(path, "1-2-3", 4, 0) == "the file changed meanwhile"
    os.unlink(path)
    assert blocks.damage_of(path, "1-2-3", 4, 0) == "no such file or directory"
