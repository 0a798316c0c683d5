"""How many files are under way at once."""

import pytest

from gateway.errors import Unavailable
from gateway.studio.room import Room


def test_what_has_no_room_waits_for_its_turn():
    room, begun = Room(10, 2), []
    room.enter(40, lambda: begun.append("large"))
    assert begun == ["large"]
    room.enter(6, lambda: begun.append("first"))
    room.enter(6, lambda: begun.append("second"))
    with pytest.raises(Unavailable):
        room.enter(1, lambda: begun.append("third"))
    room.leave(40)
    assert begun == ["large", "first"]
    room.leave(6)
    assert begun == ["large", "first", "second"]
