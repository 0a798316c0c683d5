"""Threads with a queue: bounded and counted."""

import threading

import pytest

from gateway.errors import Unavailable
from gateway.pools import BoundedPool


def test_what_waits_is_counted_and_what_is_too_much_is_refused():
    gate, pool = threading.Event(), BoundedPool("small", 1, 2)
    running = [pool.submit(gate.wait, 10) for _ in range(3)]
    assert pool.waiting == 2
    with pytest.raises(Unavailable):
        pool.submit(gate.wait, 10)
    gate.set()
    assert all(each.result(120) for each in running)
    pool.close()
    assert pool.waiting == 0
    with pytest.raises(Unavailable):
        pool.submit(gate.wait)
