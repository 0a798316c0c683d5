import pytest

from gateway.errors import StorageUnavailable
from gateway.storage.breaker import FAILURES, REST_SECONDS, Breaker


class Clock:
    seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock) -> Breaker:
    return Breaker(clock)


def fail(breaker, times=FAILURES):
    for _ in range(times):
        breaker.check()
        breaker.failed()


def refused(breaker) -> str:
    with pytest.raises(StorageUnavailable) as caught:
        breaker.check()
    return caught.value.headers["Retry-After"]


def test_failures_are_counted_and_a_rest_is_told(breaker, clock):
    assert (breaker.total, breaker.resting) == (0, False)
    fail(breaker)
    assert (breaker.total, breaker.resting) == (FAILURES, True)
    clock.seconds += REST_SECONDS + 1
    assert not breaker.resting
    breaker.check()
    breaker.succeeded()
    assert (breaker.total, breaker.resting) == (FAILURES, False)


def test_a_few_failures_change_nothing(breaker):
    fail(breaker, FAILURES - 1)
    breaker.check()


def test_failures_in_a_row_refuse_every_call_and_say_how_long(breaker, clock):
    fail(breaker)
    assert refused(breaker) == "4"
    clock.seconds += REST_SECONDS - 0.5
    assert refused(breaker) == "1"


def test_failures_between_successes_do_not_count(breaker):
    for _ in range(3 * FAILURES):
        fail(breaker, FAILURES - 1)
        breaker.succeeded()
    breaker.check()


def test_after_the_rest_one_call_tries_and_the_others_wait_for_it(breaker, clock):
    fail(breaker)
    clock.seconds += REST_SECONDS
    breaker.check()
    assert refused(breaker)
    breaker.succeeded()
    breaker.check()
    breaker.check()


def test_a_try_that_fails_too_begins_a_new_rest(breaker, clock):
    fail(breaker)
    clock.seconds += REST_SECONDS
    breaker.check()
    breaker.failed()
    assert refused(breaker)
    clock.seconds += REST_SECONDS
    breaker.check()


def test_a_try_that_never_reports_does_not_close_the_store_for_ever(breaker, clock):
    fail(breaker)
    clock.seconds += REST_SECONDS
    breaker.check()
    clock.seconds += REST_SECONDS
    breaker.check()


def test_after_a_success_it_takes_as_many_failures_as_ever(breaker, clock):
    fail(breaker)
    clock.seconds += REST_SECONDS
    breaker.check()
    breaker.succeeded()
    fail(breaker, FAILURES - 1)
    breaker.check()


def test_calls_that_began_before_and_fail_late_lengthen_the_rest(breaker, clock):
    fail(breaker)
    clock.seconds += REST_SECONDS - 0.5
    breaker.failed()
    clock.seconds += 1
    assert refused(breaker)
