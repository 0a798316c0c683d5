"""Parts written as files: in every kind of studio, each process into its own folder alone, and ended when dropped."""

import subprocess
import sys

import pytest

from gateway.cog import inspect
from gateway.files import open_file
from gateway.studio import tasks
from tests.patience import until
from tests.studio.conftest import processes
from tests.tiles.rasters import landscape, utm, write

BOX = (14.9, 47.6, 15.3, 47.86)
# By kind of studio.
DIGESTS: dict[str, str] = {}


@pytest.fixture(scope="module")
def hills(tmp_path_factory):
    return write(tmp_path_factory.mktemp("hills") / "hills.tif", landscape(1, 300, 400), utm())


def test_a_part_is_planned_and_written_as_a_true_cog_of_the_same_bytes(bench, hills, tmp_path):
    planned = bench.do(lambda s: tasks.native_part(s, BOX, None), hills)
    assert planned.decoded_bytes == planned.part.width * planned.part.height
    written = bench.do(lambda s: tasks.write_part(s, planned.part, str(tmp_path)), hills)
    assert [path.name for path in tmp_path.iterdir()] == ["part.tif"]
    with open_file(tmp_path / "part.tif") as made:
        assert made.size_bytes == written.size_bytes
        assert inspect(made).report.valid
    DIGESTS[type(bench.studio).__name__] = written.sha256
    assert set(DIGESTS.values()) == {written.sha256}


def test_what_is_dropped_ends_its_process_and_what_waits_behind_it_has_its_turn(hills, tmp_path):
    with processes(tmp_path) as bench:
        part = bench.do(lambda s: tasks.native_part(s, BOX, None), hills).part
        folders = [tmp_path / str(number) for number in range(4)]
        for folder in folders:
            folder.mkdir()
        # Two begin, and two wait; whatever has come of the first by now, nobody is kept waiting.
        begun = [bench.begin(lambda s, f=folder: tasks.write_part(s, part, str(f)), hills) for folder in folders]
        begun[0].cancel()
        begun[2].cancel()
        assert begun[1].result(120) == begun[3].result(120)
        assert not (folders[2] / "part.tif").exists()
        until(
            lambda: bench.on_loop(lambda: not bench.studio.load().waiting and not bench.studio._near_writers.children)
        )


CONFINED = """
import os, sys
from gateway.studio.confinement import Confinement, confine
own, other = sys.argv[1:]
missing = confine(Confinement(writable=(own,)))
def can(work):
    try:
        work()
    except OSError:
        return False
    return True
open(own + "/a", "w").write("text")
os.rename(own + "/a", own + "/b")
with open(own + "/b", "r+") as file:
    file.truncate(2)
tries = (
    lambda: open(other + "/a", "w"),
    lambda: os.symlink(other, own + "/link"),
    lambda: os.mkdir(own + "/folder"),
    lambda: os.rename(own + "/b", other + "/b"),
    lambda: os.listdir(other),
)
print(missing, [can(work) for work in tries])
"""


def test_a_process_writes_files_into_its_folder_and_nothing_elsewhere(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    ran = subprocess.run([sys.executable, "-c", CONFINED, own, other], capture_output=True, text=True, check=True)
    if "Landlock" in ran.stdout:
        pytest.skip("this kernel has no Landlock")
    assert ran.stdout.strip() == "() [False, False, False, False, False]"
    assert [path.name for path in own.iterdir()] == ["b"]
