"""The parts of several nodes on one machine: what does not start is said in words, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scripts.clustering import balancer, postgres, valkey
from scripts.clustering.balancer import configuration
from scripts.clustering.postgres import Postgres
from scripts.clustering.program import NotStarted, Program, free_port
from tests.e2e.conftest import ROOT
from tests.patience import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def short_folder():
    """A folder that another user may enter, with a path that is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="cgcl-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def test_a_program_that_is_not_there_or_ends_or_is_silent_is_named(tmp_path):
    with pytest.raises(NotStarted, match="part does not start: No such file or directory: /no/such"):
        Program("part", ["/no/such"], tmp_path).start()
    ends = Program("part", ["sh", "-c", "echo one; echo the port is taken >&2; exit 3"], tmp_path)
    ends.start()
    with pytest.raises(NotStarted, match="part does not start: the port is taken"):
        ends.wait_until(lambda: False)
    silent = Program("silent", ["sleep", "60"], tmp_path)
    silent.start()
    with pytest.raises(NotStarted, match="silent does not answer within 0 s: its log is empty"):
        silent.wait_until(lambda: False, 0)
    assert silent.stop() == -signal.SIGTERM


def test_a_program_is_killed_with_its_children(tmp_path):
    program = Program("part", ["sh", "-c", "sleep 60 & echo $!; wait"], tmp_path)
    program.start()
    until(lambda: program.log.read_text().strip())
    child = Path("/proc", program.log.read_text().strip())
    program.kill()
    until(lambda: not child.exists() or "\nState:\tZ" in (child / "status").read_text())
    assert not program.runs


@pytest.mark.parametrize(
    ("module", "missing", "told"),
    [
        (balancer, "shutil.which", "there is no nginx"),
        (valkey, "importlib.util.find_spec", "there is no Valkey"),
        (postgres, "importlib.util.find_spec", "there is no PostgreSQL"),
    ],
)
def test_a_part_that_is_not_installed_is_named_with_what_brings_it(module, missing, told, tmp_path, monkeypatch):
    monkeypatch.setattr(missing, lambda *_, **__: None)
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    with pytest.raises(NotStarted, match=told):
        Postgres(tmp_path) if module is postgres else module.program()


def test_postgresql_says_itself_why_it_cannot_be_made(short_folder):
    server = Postgres(short_folder)
    server.data.mkdir()
    (server.data / "somebody's").touch()
    with pytest.raises(NotStarted, match="PostgreSQL's initdb failed: "):
        server.make()


def test_the_balancer_has_every_node_and_nothing_of_the_guide_s_places(tmp_path):
    text = configuration(tmp_path, 1, [2, 3, 4])
    assert [line.split()[1] for line in text.splitlines() if line.startswith("    server ")] == [
        "127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:4",
    ]  # fmt: skip
    assert "hash $cog_gateway_key consistent" in text
    assert "gateway-1" not in text
    assert "/var/log" not in text


def test_ports_are_not_those_that_connections_take():
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(free_port() < first for _ in range(20))


def test_a_cluster_that_is_ended_while_it_starts_leaves_nothing_behind(short_folder):
    process = subprocess.Popen(
        [sys.executable, "scripts/cluster.py"], cwd=ROOT, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(short_folder)},
    )  # fmt: skip
    # The number of the server's process is its first line.
    found = []
    until(lambda: found or found.extend(f.read_text() for f in short_folder.glob("*/postgres/data/postmaster.pid")))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert (process.returncode, told) == (1, "cluster: ended while it started\n")
    assert list(short_folder.iterdir()) == []
    assert not found[0].strip() or not Path("/proc", found[0].split()[0]).exists()
