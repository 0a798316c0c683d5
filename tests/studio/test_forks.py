"""Painters are forked from one process that has loaded all they need, and each is its own afterwards."""

import fcntl
import os
import re
import resource
import signal
import socket
from pathlib import Path

import pytest

from gateway.studio import confinement, forks, wire
from tests.descriptors import opened_by
from tests.patience import until
from tests.studio.conftest import loaded, processes


@pytest.fixture
def forking():
    made = forks.Forks()
    yield made
    made.close()


def gone(pid):
    return not Path(f"/proc/{pid}").exists()


def forked(forking):
    """Return our end of a painter's tasks, and its process, which has begun."""
    ours, theirs = wire.pair()
    with theirs:
        process = forking.fork(theirs)
    until(lambda: process.pid)
    return ours, process


def test_a_painter_whose_server_wants_it_no_more_is_killed_and_tells_how_it_ended():
    ours, process = forked(loaded())
    assert process.poll() is None
    process.kill()
    assert process.wait(20)
    assert process.poll() == -signal.SIGKILL
    assert gone(process.pid)
    process.close()
    ours.close()


def test_a_painter_whose_fate_nobody_hears_is_killed():
    ours, process = forked(loaded())
    pid = process.pid
    process.close()
    until(lambda: gone(pid))
    ours.close()


def test_painters_end_with_the_process_they_were_forked_from_and_the_next_one_has_a_new_one(forking):
    ours, process = forked(forking)
    os.kill(forking._process.pid, signal.SIGKILL)
    assert process.wait(20)
    assert process.poll() == -signal.SIGKILL
    until(lambda: gone(process.pid))
    ours.close()
    again, other = forked(forking)
    assert other.poll() is None
    other.kill()
    assert other.wait(20)
    other.close()
    again.close()


def parent_of(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_what_was_loaded_outlives_the_process_that_painters_are_forked_from():
    ours, process = forked(loaded())
    assert parent_of(parent_of(process.pid)) == loaded()._process.pid
    os.kill(parent_of(process.pid), signal.SIGKILL)
    assert process.wait(20)
    ours.close()
    again, other = forked(loaded())
    assert parent_of(parent_of(other.pid)) == loaded()._process.pid
    other.kill()
    assert other.wait(20)
    other.close()
    again.close()


def test_painters_get_no_setting_that_may_be_a_secret(monkeypatch):
    secrets = ("GDAL_HTTP_USERPWD", "GDAL_HTTP_BEARER", "GDAL_CONFIG_FILE", "CPL_AWS_X", "PROJ_NETWORK_ENDPOINT")
    stores = ("AWS_SECRET_ACCESS_KEY", "HOME", "HTTPS_PROXY")
    for name in (*secrets, *stores, "GATEWAY_SECRET_KEYS", "PROJ_DATA"):
        monkeypatch.setenv(name, "/x")
    assert not {*secrets, *stores, "GATEWAY_SECRET_KEYS"} & forks.environment().keys()
    assert forks.environment()["PROJ_DATA"] == "/x"
    assert {*stores, *secrets, "GATEWAY_SECRET_KEYS"} & forks.far_environment().keys() == {*stores}
    # They may read what they are told to.
    assert "/x" in confinement.library_folders()


def test_a_painter_that_cannot_begin_has_ended(monkeypatch, forking):
    monkeypatch.setattr(forks, "PROGRAM", "gateway.no_such_program")
    ours, theirs = wire.pair()
    with ours, theirs:
        process = forking.fork(theirs)
        assert process.wait(20)
        assert (process.pid, process.poll()) == (0, -signal.SIGKILL)


def test_how_a_painter_ended_is_told_to_a_server_with_a_thousand_connections():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = forks.Forked(socket.socket(fileno=fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, 1500)))
        assert not process.wait(0.05)
        theirs.send(forks.TOLD.pack(7) + forks.TOLD.pack(-11))
        assert process.wait(20)
        assert (process.pid, process.poll()) == (7, -11)
        process.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_signal_for_the_servers_group_does_not_end_a_program_that_only_begins(forking):
    forking._start()
    for number in forks.SERVERS:
        os.kill(forking._process.pid, number)
    ours, process = forked(forking)
    assert forking._process.poll() is None
    process.kill()
    assert process.wait(20)
    process.close()
    ours.close()


def test_painters_have_nothing_that_the_server_was_started_with(tmp_path):
    asking, requests = forks.asking_pair()
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    with asking, requests:
        os.set_inheritable(lock, True)
        program = os.fork()
        if not program:
            try:
                forks.run_program(requests)
            finally:
                os._exit(1)
        ours, process = forked(forks.Forks(asking))
        try:
            for pid in (program, process.pid):
                assert str(tmp_path / "lock") not in opened_by(pid)
        finally:
            os.kill(program, signal.SIGKILL)
            os.waitpid(program, 0)
            os.close(lock)
            process.close()
            ours.close()


def test_painters_share_what_was_loaded_before_them(tmp_path):
    with processes(tmp_path, painters=2) as bench:
        children = [place.children[0] for place in bench.studio._near]
        until(lambda: all(child.ready for child in children))
        for child in children:
            text = Path(f"/proc/{child.pid}/smaps_rollup").read_text()
            found = {name: int(kb) for name, kb in re.findall(r"^(\w+):\s+(\d+) kB", text, re.M)}
            # Loaded by itself it would have three quarters for itself alone.
            assert found["Private_Dirty"] < found["Anonymous"] / 2
