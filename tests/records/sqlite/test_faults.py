"""Faults of the machine, made for real in processes of their own: a full disk and a killed worker."""

import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from sqlite_utils.utils import sqlite3

from gateway.model import AuditRow
from gateway.records import Archived, AuditQuery, open_sqlite

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from gateway.records import open_sqlite
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
records = open_sqlite(Path(sys.argv[1]))
records.append_audit([AuditRow("before")])
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (Path(sys.argv[1] + "-wal").stat().st_size, hard))
try:
    records.append_audit([AuditRow("full", user_agent="x" * 9999)] if sys.argv[2] == "row" else [])
except RecordsUnavailable:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
records.append_audit([AuditRow("after")])
records.close()
"""
KILLED_PRUNING = """
import os, signal, sys
from pathlib import Path
from gateway.model import AuditRow, utc_moment
from gateway.records import Archived, open_sqlite
from gateway.records.sqlite import pruning
pruning.SLICE_ROWS = 2
records = open_sqlite(Path(sys.argv[1]))
records.append_audit([AuditRow("old", at=utc_moment("2026-01-01T00:00:00.000Z")) for _ in range(5)])
delete = pruning.delete
def killed_in_the_second(database, numbers, rows):
    delete(database, numbers, rows)
    if numbers[0] > 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return len(numbers)
pruning.delete = killed_in_the_second
records.prune_audit(utc_moment("2026-02-01T00:00:00.000Z"), Archived(5, 1, 5), AuditRow('audit.pruned'))
"""
WORKER = """
import sys
from pathlib import Path
from gateway.audit import AuditLog
from gateway.model import AuditRow
from gateway.records import open_sqlite
log = AuditLog(open_sqlite(Path(sys.argv[1])).append_audit)
def tell(name):
    return lambda done: print(name, flush=True)
number = 0
while True:
    futures = []
    for _ in range(20):
        number += 1
        name = f"{sys.argv[2]}-{number}"
        futures.append(log.record(AuditRow("download.cog", request_id=name)))
        futures[-1].add_done_callback(tell(name))
    for future in futures:
        future.result()
"""


@pytest.mark.parametrize("asked", ["row", "no row"])
def test_a_full_disk_refuses_rows_and_the_question_for_one_until_there_is_room(tmp_path, asked):
    path = tmp_path / "a.db"
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), asked], capture_output=True, text=True, timeout=120, check=False
    )
    assert (run.returncode, run.stdout) == (0, "refused\n"), run.stderr
    records = open_sqlite(path)
    assert [stored.row.action for stored in records.audit_rows(AuditQuery())] == ["before", "after"]
    records.close()


def test_a_prune_killed_in_its_transaction_leaves_rows_and_trigger_and_can_go_on(tmp_path):
    path = tmp_path / "a.db"
    run = subprocess.run(
        [sys.executable, "-c", KILLED_PRUNING, str(path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    records = open_sqlite(path)
    assert [stored.id for stored in records.audit_rows(AuditQuery())] == [3, 4, 5, 6]
    plain = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        plain.execute("DELETE FROM audit")
    plain.close()
    left = Archived(3, 3, 5)
    assert records.prune_audit(datetime(2026, 2, 1, tzinfo=UTC), left, AuditRow("audit.pruned")) == 3
    records.close()


def killed_worker(path, number):
    """Return what a worker had told of when it was killed in the middle of its work."""
    command = [sys.executable, "-c", WORKER, str(path), str(number)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as worker:
        told = [worker.stdout.readline().strip() for _ in range(150 + 37 * number)]
        worker.send_signal(signal.SIGKILL)
        told += [line.strip() for line in worker.stdout if line.endswith("\n")]
        worker.wait()
    assert worker.returncode == -signal.SIGKILL
    return told


def test_a_killed_worker_loses_no_row_that_it_told_of(tmp_path):
    path = tmp_path / "a.db"
    told = [name for number in range(4) for name in killed_worker(path, number)]
    assert len(told) >= 4 * 150
    assert all(told)
    records = open_sqlite(path)
    stored = [one.row.request_id for one in records.audit_rows(AuditQuery())]
    records.close()
    assert len(stored) == len(set(stored))
    assert set(told) <= set(stored)
