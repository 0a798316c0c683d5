"""Values of several processes: exact sums, counters that outlive their process, gauges that do not."""

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from gateway.metrics import Metrics, exposition
from gateway.metrics import board as board_module
from gateway.metrics.board import Board, Counter, Gauge, Histogram

CHILD = """
import sys, time
from pathlib import Path
from gateway.metrics import Metrics
metrics = Metrics("1.0", Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    metrics.answered("GET", "/datasets", 200, 0.004)
metrics.gauges.workers.set(1)
print("ready", flush=True)
time.sleep(60)
"""


def values(text: bytes) -> dict[str, float]:
    """Return the samples of an exposition by name and labels."""
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def child(folder, count):
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, folder, str(count)], stdout=subprocess.PIPE, text=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    return process


def end(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_processes_count_together_and_what_the_dead_have_counted_stays(tmp_path):
    name = 'http_requests_total{method="GET",route="/datasets",status="200"}'
    first, second = child(tmp_path, 30), child(tmp_path, 12)
    try:
        found = values(exposition(tmp_path))
        assert (found[name], found["cog_gateway_workers"]) == (42, 2)
        assert found['http_request_duration_seconds_count{route="/datasets"}'] == 42
        end(first)
        found = values(exposition(tmp_path))
        assert (found[name], found["cog_gateway_workers"]) == (42, 1)
        third = child(tmp_path, 5)
        end(third)
        assert values(exposition(tmp_path))[name] == 47
    finally:
        end(second)
    assert values(exposition(tmp_path))[name] == 47
    # The files of the dead are one, however many there were.
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["counter_0.db", "histogram_0.db"]


def test_threads_lose_no_count(tmp_path):
    board = Board(tmp_path)
    counter = Counter(board, "things", "Things.", ("kind",))

    def work():
        for _ in range(2000):
            counter.add("a")

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(exposition(tmp_path)) == {'things_total{kind="a"}': 8000}
    board.close()


def test_a_counter_follows_what_is_counted_elsewhere(tmp_path):
    board = Board(tmp_path)
    counter = Counter(board, "things", "Things.", ("kind",))
    for total in (3, 3, 10):
        counter.follow(total, "a")
    counter.follow(1, "b")
    assert values(exposition(tmp_path)) == {'things_total{kind="a"}': 10, 'things_total{kind="b"}': 1}
    board.close()


def test_a_process_goes_on_where_its_file_ends(tmp_path):
    for _ in range(2):
        board = Board(tmp_path)
        Counter(board, "things", "Things.").add(amount=2)
        board.close()
    assert values(exposition(tmp_path)) == {"things_total": 4}


def test_a_histogram_counts_each_value_in_every_bucket_it_fits(tmp_path):
    board = Board(tmp_path)
    histogram = Histogram(board, "waits", "Waits.", bounds=(1, 5))
    for value in (0.5, 1, 3, 100):
        histogram.observe(value)
    assert values(exposition(tmp_path)) == {
        'waits_bucket{le="1.0"}': 2, 'waits_bucket{le="5.0"}': 3, 'waits_bucket{le="+Inf"}': 4, "waits_count": 4,
        "waits_sum": 104.5,
    }  # fmt: skip
    board.close()


def test_gauges_are_summed_or_the_largest_and_go_with_their_process(tmp_path):
    board = Board(tmp_path)
    Gauge(board, "size", "Size.", mode="livemax").set(3)
    Gauge(board, "load", "Load.", ("pool",)).set(2, "a")
    assert values(exposition(tmp_path)) == {"size": 3, 'load{pool="a"}': 2}
    board.close()
    assert values(exposition(tmp_path)) == {}


def test_labels_are_escaped(tmp_path):
    board = Board(tmp_path)
    Counter(board, "things", "Things.", ("kind",)).add('a"\\\n')
    assert b'things_total{kind="a\\"\\\\\\n"} 1.0' in exposition(tmp_path)
    board.close()


@pytest.mark.parametrize(("method", "told"), [("GET", "GET"), ("PROPFIND", "other"), (None, "other")])
def test_methods_that_somebody_invents_are_one_label(method, told):
    metrics = Metrics("1.0")
    metrics.answered(method, "/x", 405, 0.1)
    assert f'method="{told}"' in metrics.text().decode()
    metrics.close()


def test_what_a_process_uses_is_told():
    metrics = Metrics("1.0")
    metrics.look()
    found = values(metrics.text())
    assert found["cog_gateway_resident_memory_bytes"] > 10_000_000
    assert found["cog_gateway_open_fds"] > 3
    assert found['cog_gateway_build_info{version="1.0"}'] == 1
    before = found['cog_gateway_cpu_seconds_total{mode="user"}']
    sum(range(3_000_000))
    metrics.look()
    assert values(metrics.text())['cog_gateway_cpu_seconds_total{mode="user"}'] > before
    metrics.close()


def test_a_temporary_folder_goes_with_its_metrics():
    metrics = Metrics("1.0")
    folder = metrics._folder
    assert folder.is_dir()
    metrics.close()
    assert not folder.exists()
    assert re.fullmatch(r"cog-gateway-metrics-\w+", folder.name)


def test_a_process_that_has_the_number_of_a_dead_one_does_not_keep_its_gauges(tmp_path):
    board = Board(tmp_path)
    Gauge(board, "workers", "Workers.").set(1)
    Counter(board, "seen", "Seen.").add()
    board.close()
    Gauge(board, "workers", "Workers.").set(1)
    (path,) = tmp_path.glob("gauge_*.db")
    # As another process of this number would have left it, before a restart of the machine.
    path.rename(path.with_name(f"gauge_livesum_{os.getpid()}-1.db"))
    found = values(exposition(tmp_path))
    assert "workers" not in found
    assert found["seen_total"] == 1.0
    board.close()


def full(monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse)


def test_where_there_is_no_room_counts_are_lost_and_nothing_fails(tmp_path, monkeypatch, caplog):
    board = Board(tmp_path)
    counter = Counter(board, "seen", "Seen.", ("by",))
    counter.add("before")
    full(monkeypatch)
    for number in range(2000):
        counter.add(f"after-{number}")
    Gauge(board, "workers", "Workers.").set(1)
    found = values(exposition(tmp_path))
    assert found['seen_total{by="before"}'] == 1.0
    assert 0 < len(found) < 2000
    board.close()
    (text,) = caplog.messages
    assert text.startswith("some counts are lost: no room in")


def test_every_page_of_a_file_is_there_before_it_is_written(tmp_path):
    board = Board(tmp_path)
    counter = Counter(board, "seen", "Seen.", ("by",))
    for number in range(2000):
        counter.add(str(number))
    for path in tmp_path.glob("*.db"):
        facts = path.stat()
        assert facts.st_blocks * 512 >= facts.st_size
    board.close()


def test_who_was_stopped_with_the_lock_keeps_nobody_from_starting_or_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(board_module, "LOCK_SECONDS", 0.01)
    first = Board(tmp_path)
    Counter(first, "seen", "Seen.").add()
    with (tmp_path / board_module.LOCK).open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = Board(tmp_path)
        assert values(exposition(tmp_path)) == {"seen_total": 1.0}
    for board in (first, second):
        board.close()
