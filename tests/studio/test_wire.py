"""Answers are put together however they arrive."""

import pytest

from gateway.colour.model import Encoded, Style, TileFormat
from gateway.ground.address import TileAddress
from gateway.studio import tasks, wire

ANSWERS = [
    (1, wire.Kind.PICTURE, Encoded(b"p" * 3000, TileFormat.PNG, "hot")),
    (2, wire.Kind.BYTES, b""),
    (3, wire.Kind.VALUE, ["a", "b"]),
    (4, wire.Kind.BYTES, b"z" * 70_000),
]


@pytest.mark.parametrize("step", [1, 7, 5000, 1 << 20])
def test_answers_arrive_whole_in_pieces_of_any_length(step):
    ours, theirs = wire.pair()
    with ours, theirs:
        ours.setblocking(False)
        answers, found = wire.Answers(ours), []
        sent = b"".join(part for each in ANSWERS for part in wire.answer_parts(*each, 77))
        for at in range(0, len(sent), step):
            theirs.sendall(sent[at : at + step])
            found += answers.arrived()
        assert [(each.number, each.kind, each.read("colormaps").value) for each in found] == ANSWERS
        assert {each.resident_mb for each in found} == {77}
        assert not answers.closed
        theirs.close()
        assert list(answers.arrived()) == []
        assert answers.closed


SOURCE = tasks.Source("a", "1", "data", "a.tif", remote=False)
TASKS = [
    *(tasks.tile(SOURCE, TileAddress("WebMercatorQuad", 3, x, 1), Style(), TileFormat.PNG) for x in range(3)),
    tasks.tile(tasks.Source("a", "2", "data", "a.tif", remote=False), TileAddress("X", 3, 0, 1), Style(), None),
    tasks.statistics(SOURCE, Style(), (None, None, None), None, {"percentiles": [2, 98]}),
    tasks.info(SOURCE),
    tasks.grids(),
    tasks.capabilities("t" * 9000, (), "X", None, 256, ("u" * 40_000, ("a",))),
]


def sent_and_read(sent):
    ours, theirs = wire.pair()
    with ours, theirs:
        for number, each in enumerate(sent):
            ours.sendall(wire.task_bytes(number, each, 0))
        ours.close()
        return [(number, task) for number, task, _ in wire.tasks_from(theirs)]


def test_tasks_arrive_as_they_were_sent_whatever_they_share():
    assert sent_and_read([*TASKS, *reversed(TASKS)]) == list(enumerate([*TASKS, *reversed(TASKS)]))


def test_what_tiles_of_a_map_share_is_pickled_and_read_once():
    wire._pickled.cache_clear()
    wire._read_shared.cache_clear()
    sent_and_read(TASKS[:3] * 4)
    assert (wire._pickled.cache_info().misses, wire._read_shared.cache_info().misses) == (1, 1)


def test_long_tasks_are_kept_on_neither_side():
    wire._pickled.cache_clear()
    wire._read_shared.cache_clear()
    sent_and_read([TASKS[-1]])
    assert (wire._pickled.cache_info().currsize, wire._read_shared.cache_info().currsize) == (0, 0)
