import multiprocessing
import os
import signal
import threading
from contextlib import closing

import pytest

from gateway.cli.workers import DIED, KEPT_PER_JOB, QUEUED_PER_JOB, as_they_come, in_order


def double_or_die(number):
    if number < 0:
        os._exit(3)
    return 2 * number


def wait_for_file(path):
    """A named file holds the process until it is there; nothing else does."""
    while path and not os.path.exists(path):
        threading.Event().wait(0.01)
    return path


def die_once(path):
    """The first process that comes along dies, the next finds its trace."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return "alive"
    os._exit(3)


def wait_unless_zero(number):
    if number:
        threading.Event().wait()
    return number


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs):
    assert list(in_order(double_or_die, range(20), jobs)) == [(n, 2 * n) for n in range(20)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_that_come_as_they_will_are_all_there(jobs):
    assert sorted(as_they_come(double_or_die, range(20), jobs)) == [(n, 2 * n) for n in range(20)]


def test_a_slow_item_keeps_nothing_back_unless_the_order_is_wanted(tmp_path):
    gate = str(tmp_path / "gate")
    results = as_they_come(wait_for_file, [gate, "", ""], 2)
    first = next(results)
    (tmp_path / "gate").touch()
    assert [first, *results][0] == ("", "")


@pytest.mark.parametrize("run", [as_they_come, in_order])
def test_a_process_that_dies_fails_its_own_item_only(run):
    items = [1, -1, 2, -2, *range(3, 20)]
    wanted = [(n, DIED if n < 0 else 2 * n) for n in items]
    results = list(run(double_or_die, items, 2))
    assert sorted(results) == sorted(wanted)
    assert run is as_they_come or results == wanted


def test_a_process_that_was_ended_from_outside_costs_nothing_but_a_second_try(tmp_path):
    trace = str(tmp_path / "trace")
    assert list(in_order(die_once, [trace], 2)) == [(trace, "alive")]


@pytest.mark.parametrize("run", [as_they_come, in_order])
def test_no_items_are_no_results(run):
    assert list(run(double_or_die, [], 2)) == []


@pytest.mark.parametrize("run", [as_they_come, in_order])
def test_a_caller_that_stops_early_ends_even_processes_that_work(run):
    with closing(run(wait_unless_zero, iter(range(100)), 2)) as results:
        assert next(results) == (0, 0)
    assert multiprocessing.active_children() == []


def test_items_are_taken_as_they_are_needed():
    taken = []
    with closing(as_they_come(double_or_die, (taken.append(n) or n for n in range(10_000)), 2)) as results:
        next(results)
        assert len(taken) <= 2 * (QUEUED_PER_JOB + 1)


class CrewWithASlowStart:
    """Does everything at once but the first item, which it does when it is waited for and has nothing else."""

    full = False

    def __init__(self, work, jobs):
        self.work = work
        self.waiting = []

    @property
    def busy(self):
        return bool(self.waiting)

    def submit(self, number, item):
        self.waiting.append((number, item))

    def collect(self, *, patiently):
        ready = [entry for entry in self.waiting if entry[0]] or (self.waiting if patiently else [])
        self.waiting = [entry for entry in self.waiting if entry not in ready]
        yield from ((number, item, self.work(item)) for number, item in ready)

    def close(self):
        pass


def test_no_more_than_a_few_results_are_kept_back_for_one_slow_item(monkeypatch):
    monkeypatch.setattr("gateway.cli.workers._Crew", CrewWithASlowStart)
    taken = []
    results = in_order(double_or_die, (taken.append(n) or n for n in range(10_000)), 2)
    assert next(results) == (0, 0)
    assert len(taken) == 2 * KEPT_PER_JOB + 1
    assert list(results) == [(n, 2 * n) for n in range(1, 10_000)]


def test_one_item_starts_one_process_only():
    with closing(as_they_come(double_or_die, iter([1]), 8)) as results:
        assert next(results) == (1, 2)
        assert len(multiprocessing.active_children()) == 1


def interrupted(number):
    """Ctrl-C goes to all processes of a terminal."""
    os.kill(os.getpid(), signal.SIGINT)
    return number


def masked(_):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_ctrl_c_is_heard_by_the_command_alone_from_the_start_of_its_processes_on():
    assert [result for _, result in in_order(interrupted, range(4), 2)] == [0, 1, 2, 3]
    # Inherited, so it holds while a process still loads what it works with.
    assert [result for _, result in in_order(masked, range(4), 2)] == [True] * 4
    assert not masked(0)
