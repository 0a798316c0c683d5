import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.storage import parts
from gateway.storage.local import LocalStorage
from gateway.storage.parts import part_folder, sweep

WRITER = """
import sys, time
from gateway.storage.local import LocalStorage
with LocalStorage("data", "file:" + sys.argv[1]).staging("deep/big.tif") as path:
    path.write_bytes(b"half")
    path.with_name("big.tif.ovr.tmp").write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def writing(root):
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "writing\n"
    return child


def test_what_a_killed_writer_left_is_swept_by_the_next_and_that_of_a_living_one_is_not(tmp_path):
    dead, living = writing(tmp_path), writing(tmp_path)
    try:
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        assert len(os.listdir(tmp_path / "deep")) == 2
        with LocalStorage("data", f"file:{tmp_path}").staging("deep/other.tif") as path:
            path.write_bytes(b"whole")
        left = sorted(tmp_path.joinpath("deep").iterdir())
        assert len(left) == 2
        assert left[1].name == "other.tif"
        assert (left[0] / "big.tif").read_bytes() == b"half"
    finally:
        living.kill()
        living.wait()
        for child in (dead, living):
            child.stdout.close()


def test_all_that_is_in_a_part_goes_with_it(tmp_path, folder):
    with part_folder(folder) as part:
        os.mkdir("below", dir_fd=part)
        assert len(os.listdir(tmp_path)) == 1
        sweep(folder)
        assert os.listdir(part) == ["below"]
    assert os.listdir(tmp_path) == []


def test_other_names_are_left_alone(tmp_path, folder):
    (tmp_path / ".cog-gateway-0123456789abcdef.part").write_bytes(b"a file")
    (tmp_path / ".cog-gateway-.part").mkdir()
    (tmp_path / "x.part").mkdir()
    sweep(folder)
    assert len(os.listdir(tmp_path)) == 3


def test_a_part_that_is_swept_before_it_is_locked_is_made_anew(tmp_path, folder, monkeypatch):
    locked, calls = fcntl.flock, []

    def flock(part, how):
        calls.append(part)
        if len(calls) == 1:
            raise OSError(errno.EWOULDBLOCK, "held")
        if len(calls) == 2:
            Path(os.readlink(f"/proc/self/fd/{part}")).rmdir()
        locked(part, how)

    monkeypatch.setattr(parts.fcntl, "flock", flock)
    monkeypatch.setattr(parts, "sweep", lambda _folder: None)
    with part_folder(folder):
        assert len(calls) == 3


DAY_SECONDS = 24 * 3600
OLD_NAME = ".a.tif.0123456789abcdef.part"


@pytest.mark.parametrize("suffix", ["", ".ovr.tmp", ".ovr", ".msk", ".msk.ovr.tmp"])
def test_halves_of_older_versions_go_when_nobody_touched_them_for_a_day(tmp_path, folder, suffix):
    left, fresh = tmp_path / (OLD_NAME + suffix), tmp_path / f".b.tif.0123456789abcdef.part{suffix}"
    for path, age_seconds in ((left, DAY_SECONDS + 60), (fresh, DAY_SECONDS - 60)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age_seconds,) * 2)
    sweep(folder)
    assert sorted(tmp_path.iterdir()) == [fresh]


def test_of_older_names_only_files_go(tmp_path, folder):
    target = tmp_path / "kept.tif"
    target.write_bytes(b"whole")
    (tmp_path / OLD_NAME).symlink_to(target)
    (tmp_path / f"{OLD_NAME}.ovr").mkdir()
    (tmp_path / f"{OLD_NAME}.tif").write_bytes(b"another's")
    for name in os.listdir(tmp_path):
        os.utime(tmp_path / name, (0, 0), follow_symlinks=False)
    sweep(folder)
    assert len(os.listdir(tmp_path)) == 4
