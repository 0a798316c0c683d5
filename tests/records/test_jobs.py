"""Jobs on record: each step is taken by one worker, or by the client, and never by two."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from gateway.model import AuditRow
from gateway.records import AuditQuery, Job, JobStatus
from gateway.records.jobs import MOST_TRIES
from tests.records.conftest import START, act

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
JOB = Job("j1", "ana", "user:ana", "part 1", "d1", "v1", "w1", START, START, START + DAY, {"part": {"column": 1}})


def test_a_job_is_stored_whole_within_the_limit_of_who_it_counts_for_and_gone_after_its_day(records):
    assert records.jobs.store(JOB, 1, act()) == "j1"
    assert records.jobs.by_id("j1") == JOB
    assert records.jobs.by_id("other") is None
    assert records.jobs.store(replace(JOB, id="j2"), 9, act()) == "j1"
    other = replace(JOB, id="j2", same="part 2")
    assert records.jobs.store(other, 1, act()) is None
    assert records.jobs.store(replace(JOB, id="j3", owner=None, counted_for="ip:::1"), 1, act())
    later = START + DAY
    assert records.jobs.store(replace(JOB, id="j4", created_at=later, expires_at=later + DAY), 1, act())
    assert [records.jobs.by_id(each) is not None for each in ("j1", "j3", "j4")] == [False, False, True]
    # A row for each of those that came on record.
    assert len(list(records.audit_rows(AuditQuery()))) == 3


def test_a_job_goes_from_its_worker_to_its_end(records):
    records.jobs.store(JOB, 9, act())
    later = START + MINUTE
    assert records.jobs.see("j1", "w1", JobStatus.RUNNING, later)
    assert not records.jobs.see("j1", "w2", JobStatus.RUNNING, later)
    done = replace(JOB, status=JobStatus.DONE, size_bytes=7)
    assert not records.jobs.end(replace(done, worker="w2"), later)
    assert records.jobs.end(done, later)
    assert records.jobs.by_id("j1") == replace(done, seen_at=later, ended_at=later)
    assert not records.jobs.see("j1", "w1", JobStatus.RUNNING, later)
    assert not records.jobs.end(replace(done, status=JobStatus.FAILED), later)


def test_one_of_many_workers_takes_what_another_one_left_and_no_more_than_a_few_do(records):
    records.jobs.store(JOB, 9, act())
    assert not records.jobs.take("j1", "w2", START, START)
    for tries in range(1, MOST_TRIES):
        now = START + tries * MINUTE
        with ThreadPoolExecutor(4) as pool:
            taken = list(pool.map(lambda n, at=now: records.jobs.take("j1", f"w{n}", at, at - MINUTE / 2), range(4)))
        assert taken.count(True) == 1
        found = records.jobs.by_id("j1")
        assert (found.worker, found.tries, found.seen_at) == (f"w{taken.index(True)}", tries + 1, now)
    now = START + DAY / 2
    assert not records.jobs.take("j1", "w9", now, now - MINUTE)
    found = records.jobs.by_id("j1")
    assert (found.status, found.ended_at) == (JobStatus.FAILED, now)
    assert "ended early" in found.reason


def test_a_job_is_cancelled_once_whether_it_goes_on_or_is_done(records):
    row = AuditRow("job.cancelled", at=START + MINUTE)
    records.jobs.store(JOB, 9, act())
    assert records.jobs.cancel("j1", row)
    assert not records.jobs.cancel("j1", replace(row, row_id=act().row_id))
    assert not records.jobs.see("j1", "w1", JobStatus.RUNNING, START)
    assert not records.jobs.end(replace(JOB, status=JobStatus.DONE), START)
    found = records.jobs.by_id("j1")
    assert (found.status, found.ended_at) == (JobStatus.CANCELLED, START + MINUTE)
    assert len(list(records.audit_rows(AuditQuery(action="job.cancelled")))) == 1
