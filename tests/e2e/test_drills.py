"""The drills of `scripts/drills.py`, short: the same promises, with time for a busy machine."""

import socket
import sys

import pytest

from scripts.drilling import postgres as drill_of_postgres
from scripts.drilling import server
from scripts.drilling.faults import faults
from scripts.drilling.kill import kill
from scripts.drilling.postgres import postgres
from scripts.drilling.recorder import recorder, workers
from scripts.drilling.server import Outcome, Server
from scripts.drilling.signals import signals
from scripts.drilling.slow import slowloris, stall
from scripts.drilling.splice import splice
from scripts.drilling.unread import kept, unread
from tests.patience import SECONDS
from tests.postgres import DATABASES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_promise_that_is_not_kept_is_told():
    outcome = Outcome()
    outcome.promise(True, "kept")
    outcome.promise(False, "not kept")
    assert outcome.broken == ["not kept"]


def test_a_server_that_ends_before_it_accepts_is_told_of_at_once(tmp_path):
    with pytest.raises(RuntimeError, match="not today"), Server(tmp_path, patch="raise SystemExit('not today')"):
        pass


def test_a_server_that_does_not_accept_in_time_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "START_SECONDS", 0.1)
    slow = Server(tmp_path, patch="import time; time.sleep(600)")
    with pytest.raises(TimeoutError), slow:
        pass
    assert slow.process.poll() is not None


def test_killed_workers_lose_no_row_and_sigterm_cuts_no_answer(tmp_path):
    outcome = kill(tmp_path, 0.7, every=0.3)
    assert outcome.broken == [], outcome


def test_a_killed_recorder_loses_and_doubles_no_row(tmp_path):
    outcome = recorder(tmp_path, 0.5, every=0.2)
    assert outcome.broken == [], outcome


def test_killed_workers_are_back_soon(tmp_path):
    outcome = workers(tmp_path, 1, back_seconds=SECONDS)
    assert outcome.broken == [], outcome


def test_signals_of_every_moment_end_the_server_in_order_or_not_at_all(tmp_path):
    outcome = signals(tmp_path, 0.4, moments=1)
    assert outcome.broken == [], outcome


@pytest.mark.parametrize("processes", [1, 2])
def test_no_byte_leaves_while_the_audit_cannot_be_written(tmp_path, processes):
    names = ("locked", "disk full", "no table")
    outcome = faults(
        tmp_path, 0.1, names=names, recovery_seconds=SECONDS, own_disk=False, processes=processes,
        audit_wait_seconds="0.3",
    )  # fmt: skip
    assert outcome.broken == [], outcome


@pytest.mark.skipif("postgresql" not in DATABASES, reason="there is no PostgreSQL here")
def test_a_standby_of_postgresql_that_takes_over_has_all_that_was_told(tmp_path, monkeypatch):
    monkeypatch.setattr(drill_of_postgres, "AROUND_SECONDS", 0.2)
    outcome = postgres(tmp_path, names=("standby promoted",), recovery_seconds=SECONDS)
    assert outcome.broken == [], outcome


def test_readers_who_resume_never_mix_two_versions(tmp_path):
    outcome = splice(tmp_path, 0.8, replacements=12)
    assert outcome.broken == [], outcome


def test_readers_who_stop_cost_no_memory_and_are_cut(tmp_path):
    outcome = stall(tmp_path, 1, readers=40, size_bytes=1 << 28)
    assert outcome.broken == [], outcome


def test_clients_who_never_finish_asking_are_cut(tmp_path):
    patch = "import gateway.app; gateway.app.IDLE_SECONDS = 1"
    outcome = slowloris(tmp_path, 1, clients=10, grace_seconds=SECONDS, slowest_seconds=SECONDS, patch=patch)
    assert outcome.broken == [], outcome


def test_a_client_that_waits_to_be_accepted_is_not_taken_for_one_that_was_cut():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        port, of_client = server.getsockname()[1], client.getsockname()[1]
        assert of_client in kept(port)
        accepted = server.accept()[0]
        assert of_client in kept(port)
        client.sendall(b"not read")
        accepted.close()
        assert of_client not in kept(port)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_clients_who_read_nothing_of_any_answer_are_cut_and_keep_nobody_waiting(tmp_path, tls):
    patch = "import gateway.app; gateway.app.IDLE_SECONDS = 2"
    outcome = unread(tmp_path, 1, readers=5, tls=tls, slowest_seconds=SECONDS, patch=patch)
    assert outcome.broken == [], outcome
