"""Limits of one machine: shared by processes, bounded in memory, and no process holds up another."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.errors import TooManyRequests
from gateway.rates import RateLimits
from gateway.rates import table as table_module
from gateway.rates.limiter import identity
from gateway.rates.table import SLOTS, SharedTable
from tests.rates.test_promises import Clock

HOLDER = """
import sys, time
from pathlib import Path
from gateway.rates.table import SharedTable
with SharedTable(Path(sys.argv[1]) / "rates")._locked():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def limits(tmp_path, clock):
    limits = RateLimits({"mint": "3/minute", "free": "off"}, tmp_path, clock)
    yield limits
    limits.close()


def run(script, folder):
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", script, folder], env=environment, stdout=subprocess.PIPE, text=True
    )


def test_what_costs_more_than_the_limit_is_let_through_once_in_a_window(limits, clock):
    limits.spend("mint", "ana", "", cost=1000)
    for cost in (1, 1000):
        with pytest.raises(TooManyRequests) as refused:
            limits.spend("mint", "ana", "", cost=cost)
    clock.now += int(refused.value.headers["Retry-After"])
    limits.spend("mint", "ana", "", cost=1000)


def test_costs_add_up(limits):
    limits.spend("mint", "ana", "", cost=3)
    with pytest.raises(TooManyRequests):
        limits.spend("mint", "ana", "")


@pytest.mark.parametrize(("user", "ip", "who"), [
    ("ana", "1.2.3.4", "user ana"), (None, "1.2.3.4", "ip 1.2.3.4"), (None, "::ffff:1.2.3.4", "ip 1.2.3.4"),
    (None, "2001:db8:1:2:3::4", "net 2001:db8:1:2::/64"), (None, "", "nobody"), ("ip 1.2.3.4", "", "user ip 1.2.3.4"),
])  # fmt: skip
def test_who_is_counted_as_one(user, ip, who):
    assert identity(user, ip) == who


def test_a_process_that_dies_with_the_lock_holds_up_nobody(tmp_path):
    holder = run(HOLDER, tmp_path)
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    limits = RateLimits({"mint": "1/hour"}, tmp_path)
    limits.spend("mint", "ana", "")
    limits.close()


def test_memory_is_bounded_and_those_whose_window_ends_first_make_room(tmp_path, clock):
    table = SharedTable(tmp_path / "rates", clock)
    for number in range(SLOTS * 2):
        clock.now += 0.001
        table.incr(f"key {number}", 3600)
    assert (tmp_path / "rates").stat().st_size < 2 << 20
    last = [table.get(f"key {number}") for number in range(SLOTS * 2 - 1000, SLOTS * 2)]
    assert sum(last) > 950
    table.reset()
    assert table.get(f"key {SLOTS * 2 - 1}") == 0
    table.close()


def test_a_table_is_a_storage_of_limits(tmp_path, clock):
    table = SharedTable(tmp_path / "rates", clock)
    assert (table.check(), table.get("a"), table.get_expiry("a")) == (True, 0, 1000.0)
    assert [table.incr("a", 60), table.incr("a", 60, 5)] == [1, 6]
    assert (table.get("a"), table.get_expiry("a")) == (6, 1060.0)
    clock.now = 1060.0
    assert (table.get("a"), table.incr("a", 60)) == (0, 1)
    table.clear("a")
    table.clear("b")
    assert table.get("a") == 0
    assert issubclass(OSError, table.base_exceptions)
    table.close()


def test_limits_that_nobody_asked_for_leave_nothing_behind(clock):
    limits = RateLimits({"mint": "3/minute"}, None, clock)
    limits.load()
    limits.spend("mint", "ana", "")
    folder = Path(limits._own.name)
    assert (folder / "rates").exists()
    limits.close()
    assert not folder.exists()
    RateLimits({}, None).close()
    RateLimits({"mint": "off"}).load()


@contextmanager
def lock_of_another(folder):
    with (folder / "rates").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@pytest.fixture
def both(tmp_path, clock):
    """The tables of two processes, which wait for no lock."""
    tables = [SharedTable(tmp_path / "rates", clock) for _ in range(2)]
    yield tables
    for table in tables:
        table.close()


def test_who_was_stopped_with_the_lock_stops_nobody_and_no_count_is_lost(tmp_path, both, clock):
    one, other = both
    assert (one.incr("ana", 60), other.incr("ana", 60)) == (1, 2)
    with lock_of_another(tmp_path):
        assert [one.incr("ana", 60) for _ in range(2)] == [3, 4]
        assert (one.incr("ben", 30), one.get_expiry("ben"), one.get("ana"), other.get("ana")) == (1, 1030.0, 4, 2)
        # Each knows the common count and its own.
        assert other.incr("ana", 60) == 3
    # At once, and not only when the moment is over in which nobody waits.
    assert [one.incr("ana", 60), one.incr("ana", 60)] == [5, 6]
    assert [other.get("ana"), other.incr("ana", 60), one.get("ana")] == [7, 8, 8]
    assert (one.incr("ben", 60), other.get("ben"), other.get_expiry("ben")) == (2, 2, 1030.0)
    clock.now = 1060.0
    assert (one.incr("ana", 60), other.incr("ana", 60)) == (1, 2)


def test_what_was_counted_without_the_lock_ends_with_its_window(tmp_path, both, clock):
    one, other = both
    with lock_of_another(tmp_path):
        assert [one.incr("ana", 60) for _ in range(3)] == [1, 2, 3]
    clock.now = 1060.0
    assert (other.incr("ana", 60), one.incr("ana", 60)) == (1, 2)
    with lock_of_another(tmp_path):
        one.incr("ana", 60)
        one.clear("ana")
        one.incr("ana", 60)
        one.reset()
    assert (one.get("ana"), one.get_expiry("ana")) == (0, 1060.0)


def test_a_lock_that_was_not_had_is_not_waited_for_by_each(tmp_path, monkeypatch):
    tries = []
    monkeypatch.setattr(table_module.time, "sleep", tries.append)
    table = SharedTable(tmp_path / "rates")
    with lock_of_another(tmp_path):
        for _ in range(3):
            table.incr("ana", 60)
    assert len(tries) == table_module.LOCK_TRIES
    table.close()


def test_without_room_a_process_counts_alone(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    table = SharedTable(tmp_path / "rates")
    assert [table.incr("ana", 60) for _ in range(2)] == [1, 2]
    table.close()
    (text,) = caplog.messages
    assert "by this process alone" in text


def test_every_page_of_the_table_is_there_from_the_start(tmp_path):
    table = SharedTable(tmp_path / "rates")
    facts = (tmp_path / "rates").stat()
    assert facts.st_blocks * 512 >= facts.st_size == SLOTS * table_module.SLOT.size
    table.close()
