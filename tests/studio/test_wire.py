"""Answers are put together however they arrive."""

import pytest

from gateway.studio import wire
from gateway.tiles.model import Encoded, TileFormat

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
