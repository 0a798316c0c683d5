import asyncio
from concurrent.futures import Future

import pytest

from gateway.errors import RecordsUnavailable
from gateway.handlers.results import ThreadResults
from gateway.handlers.revisions import Revisions

pytestmark = pytest.mark.gen_test


class Asked:
    """What remembers revisions: keeps each question, for the test to answer."""

    def __init__(self):
        self.questions = []

    def revisions(self, dataset_ids):
        answer = Future()
        self.questions.append((sorted(dataset_ids), answer))
        return answer


@pytest.fixture
def asked():
    return Asked()


@pytest.fixture
def revisions(asked):
    return Revisions(asked, ThreadResults())


async def test_requests_of_one_turn_share_a_question_and_later_ones_the_next(revisions, asked):
    first = [revisions.expect(name) for name in "aba"]
    await asyncio.sleep(0)
    later = [revisions.expect(name) for name in "ac"]
    await asyncio.sleep(0)
    assert [ids for ids, _ in asked.questions] == [["a", "b"]]
    asked.questions[0][1].set_result({"a": 1, "b": 2})
    assert await asyncio.gather(*first) == [1, 2, 1]
    # What was asked for while the first question was under way is read anew.
    assert [ids for ids, _ in asked.questions] == [["a", "b"], ["a", "c"]]
    asked.questions[1][1].set_result({"a": 3, "c": 4})
    assert await asyncio.gather(*later) == [3, 4]
    last = revisions.expect("a")
    await asyncio.sleep(0)
    asked.questions[2][1].set_result({"a": 5})
    assert await last == 5


async def test_a_question_that_fails_fails_each_request_with_an_error_of_its_own_and_the_next_is_asked(
    revisions, asked
):
    failed = [revisions.expect("a") for _ in range(2)]
    await asyncio.sleep(0)
    next_one = revisions.expect("a")
    asked.questions[0][1].set_exception(RecordsUnavailable("The database is closed.").because("for the operator"))
    errors = await asyncio.gather(*failed, return_exceptions=True)
    assert [(type(error), error.reason) for error in errors] == [(RecordsUnavailable, "for the operator")] * 2
    assert errors[0] is not errors[1]
    asked.questions[1][1].set_result({"a": 1})
    assert await next_one == 1


async def test_nothing_is_asked_for_those_who_have_left(revisions, asked):
    gone, stays = revisions.expect("a"), revisions.expect("b")
    gone.cancel()
    await asyncio.sleep(0)
    assert [ids for ids, _ in asked.questions] == [["b"]]
    stays.cancel()
    asked.questions[0][1].set_result({"b": 1})
    revisions.expect("c").cancel()
    await asyncio.sleep(0)
    assert len(asked.questions) == 1
    again = revisions.expect("d")
    await asyncio.sleep(0)
    asked.questions[1][1].set_result({"d": 2})
    assert await again == 2
