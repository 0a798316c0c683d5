import os
import subprocess
import sys
import time

from gateway import scratch
from gateway.scratch import FRESH, PREFIX, memory_folder, shared_folder, sweep


def test_the_folder_is_closed_to_others_and_gone_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "memory_folder", lambda: str(tmp_path))
    with shared_folder() as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_is_swept_and_what_is_in_use_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(scratch, "memory_folder", lambda: str(tmp_path))
    code = """
import os, sys
from gateway import scratch
scratch.memory_folder = lambda: sys.argv[1]
with scratch.shared_folder() as folder:
    if os.fork() == 0:
        # A worker that outlives its parent.
        print(folder.name, flush=True)
        sys.stdin.readline()
        os._exit(0)
    os._exit(1)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        left = worker.stdout.readline().strip()
        worker.wait(120)
        with shared_folder() as folder:
            assert {path.name for path in tmp_path.iterdir()} == {left, folder.name}
        worker.stdin.write("\n")
        worker.stdin.flush()
        # The pipe ends with the last process that holds it.
        assert worker.stdout.read() == ""
    with shared_folder() as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_a_folder_that_is_just_being_made_is_left_alone_for_a_while(tmp_path):
    for name in ("new", "old"):
        (tmp_path / f"{FRESH}{name}").mkdir()
    before = time.time() - scratch.FRESH_SECONDS - 1
    os.utime(tmp_path / f"{FRESH}old", (before, before))
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path)
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{FRESH}new", f"{PREFIX}link"]


def test_memory_without_room_is_not_used(monkeypatch):
    facts = os.statvfs("/")

    class Full:
        f_bavail, f_frsize = 1, facts.f_frsize

    monkeypatch.setattr(scratch.os, "statvfs", lambda _: Full)
    assert memory_folder() is None
