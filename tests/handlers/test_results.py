import asyncio
import threading
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import pytest

from gateway.handlers.results import ThreadResults

pytestmark = pytest.mark.gen_test


async def test_results_and_errors_of_many_threads_arrive():
    results, started = ThreadResults(), threading.Barrier(8)

    def work(number):
        started.wait(5)
        if number % 5 == 0:
            raise KeyError(number)
        return number

    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            expected = [results.expect(pool.submit(work, number)) for number in range(8)]
            got = await asyncio.gather(*expected, return_exceptions=True)
            assert [g if isinstance(g, int) else g.args[0] for g in got] == list(range(8))
            assert [isinstance(g, KeyError) for g in got] == [n % 5 == 0 for n in range(8)]


async def test_a_result_that_was_there_before_is_no_exception():
    done: Future[int] = Future()
    done.set_result(7)
    assert await ThreadResults().expect(done) == 7


async def test_who_no_longer_waits_cancels_the_work_and_later_results_still_come():
    results = ThreadResults()
    left: Future[int] = Future()
    answer = results.expect(left)
    answer.cancel()
    await asyncio.sleep(0)
    assert left.cancelled()
    with pytest.raises(CancelledError):
        left.result()
    running: Future[int] = Future()
    running.set_running_or_notify_cancel()
    answer = results.expect(running)
    answer.cancel()
    await asyncio.sleep(0)
    running.set_result(1)
    done: Future[int] = Future()
    waiting = results.expect(done)
    done.set_result(2)
    assert await waiting == 2


async def test_cancelled_work_cancels_the_waiting():
    work: Future[int] = Future()
    waiting = ThreadResults().expect(work)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_work_that_ends_after_its_loop_is_no_error(caplog):
    work: Future[int] = Future()

    async def wait_no_longer():
        ThreadResults().expect(work)

    asyncio.run(wait_no_longer())
    work.set_result(1)
    assert caplog.records == []
