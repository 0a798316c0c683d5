"""Threads with a queue: bounded, counted, and of a priority of their own."""

import os
import sys
import threading

import pytest

from gateway.errors import Unavailable
from gateway.pools import BoundedPool


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.mark.skipif(sys.platform != "linux", reason="threads share the priority of their process")
def test_threads_that_draw_step_back_and_no_other_thread_does():
    before = priority()
    pool, other = BoundedPool("nice", 2, 8, nice=5), BoundedPool("plain", 1, 8)
    assert pool.submit(priority).result(5) == 5
    assert other.submit(priority).result(5) == before == priority()
    pool.close()
    other.close()


def test_what_waits_is_counted_and_what_is_too_much_is_refused():
    gate, pool = threading.Event(), BoundedPool("small", 1, 2)
    running = [pool.submit(gate.wait, 10) for _ in range(3)]
    assert pool.waiting == 2
    with pytest.raises(Unavailable):
        pool.submit(gate.wait, 10)
    gate.set()
    assert all(each.result(10) for each in running)
    pool.close()
    assert pool.waiting == 0
    with pytest.raises(Unavailable):
        pool.submit(gate.wait)
