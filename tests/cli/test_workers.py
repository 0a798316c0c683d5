import os

import pytest

from gateway.cli.workers import DIED, in_order


def double_or_die(number):
    if number < 0:
        os._exit(3)
    return 2 * number


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs):
    assert list(in_order(double_or_die, range(20), jobs)) == [(n, 2 * n) for n in range(20)]


def test_a_process_that_dies_fails_its_own_item_only():
    results = list(in_order(double_or_die, [1, -1, 2, 3], 2))
    assert results == [(1, 2), (-1, DIED), (2, 4), (3, 6)]


def test_no_items_are_no_results():
    assert list(in_order(double_or_die, [], 2)) == []


def test_a_caller_that_stops_early_leaves_no_process_behind():
    results = in_order(double_or_die, iter(range(100)), 2)
    assert next(results) == (0, 0)
    results.close()
    assert list(results) == []
