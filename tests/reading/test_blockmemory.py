"""Blocks in memory that processes share: found whole or not at all, whoever is killed over them."""

import os
import signal
import struct

import numpy as np

from gateway.reading.blockmemory import BLOCKS, GIVEN, BlockMemory, Room, key_of

KEYS = [key_of("a", index) for index in range(40)]


def put(memory, key, value, length=1000):
    room = memory.take(length)
    room.bytes[:] = value
    memory.put(key, room)
    return room


def leads_over(room, other, size):
    start, begin = (each.given % size for each in (room, other))
    return start < begin + len(other.bytes) and begin < start + len(room.bytes)


def found(memory, key):
    room = memory.find(key)
    return None if room is None else room.bytes.copy()


def in_child(work):
    """Return the exit code of a forked process that does some work."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_the_oldest_are_overwritten_and_the_others_stay_whole():
    memory = BlockMemory(16 << 10)
    for index, key in enumerate(KEYS):
        put(memory, key, index)
        held = [each for each in KEYS[: index + 1] if memory.find(each) is not None]
        assert held == KEYS[index + 1 - len(held) : index + 1]
        assert len(held) == min(index + 1, 16) or len(held) == 15
        assert all((found(memory, each) == KEYS.index(each)).all() for each in held)


def test_a_block_that_is_too_long_gets_no_room():
    memory = BlockMemory(16 << 10)
    assert memory.take(2049) is None
    assert memory.take(2048) is not None
    assert memory.take(0) is None


def test_what_a_forked_process_has_put_there_is_found_by_others():
    memory = BlockMemory(1 << 20, shared=True)
    put(memory, KEYS[0], 1)

    def work():
        assert (found(memory, KEYS[0]) == 1).all()
        put(memory, KEYS[1], 2)

    assert in_child(work) == 0
    assert (found(memory, KEYS[1]) == 2).all()


def test_who_is_killed_over_a_block_leaves_none_and_blocks_nobody():
    memory = BlockMemory(1 << 20, shared=True)

    def work():
        memory.take(1000).bytes[:500] = 9
        with memory._alone():
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(work) == -signal.SIGKILL
    assert memory.find(KEYS[0]) is None
    put(memory, KEYS[0], 3)
    assert (found(memory, KEYS[0]) == 3).all()


def test_room_that_is_written_to_is_given_to_nobody_else():
    memory = BlockMemory(8192)
    slow = memory.take(1000)
    for index in range(20):
        room = memory.take(1000)
        if room is not None:
            assert not leads_over(room, slow, 8192)
            memory.put(KEYS[index], room)
    slow.bytes[:] = 1
    memory.put(KEYS[20], slow)
    assert memory.find(KEYS[20]) is None
    memory.leave(slow)
    assert sum(leads_over(memory.take(1000), slow, 8192) for _ in range(8)) == 1


def test_room_that_another_process_writes_to_is_given_to_nobody_until_it_ends():
    memory = BlockMemory(8192, shared=True)
    (seen, tell), (hold, end) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(tell, struct.pack("<Q", memory.take(1000).given))
        os.close(end)
        os.read(hold, 1)
        os._exit(0)
    os.close(hold)
    slow = memory._room(struct.unpack("<Q", os.read(seen, 8))[0], 1000)
    rooms = [memory.take(1000) for _ in range(8)]
    assert rooms.count(None) == 1
    assert not any(leads_over(room, slow, 8192) for room in rooms if room is not None)
    for room in rooms:
        memory.leave(room) if room is not None else None
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert sum(leads_over(memory.take(1000), slow, 8192) for _ in range(8)) == 1
    for fd in (seen, tell, end):
        os.close(fd)


def test_while_another_process_takes_room_nobody_waits_for_it():
    memory = BlockMemory(1 << 20, shared=True)
    with memory._alone() as alone:
        assert alone
        assert in_child(lambda: None if memory.take(1000) is None else os._exit(2)) == 0
    assert memory.take(1000) is not None


def test_an_entry_of_two_blocks_is_found_by_neither_key():
    memory = BlockMemory(1 << 20)
    first, second = put(memory, KEYS[0], 1), put(memory, KEYS[1], 2)
    for at in memory._entries(KEYS[0]):
        if memory._memory[at : at + 16] != bytes(16):
            struct.pack_into("<QQ", memory._memory, at + 16, second.given, len(second.bytes))
    assert memory.find(KEYS[0]) is None
    assert first.given != second.given


def test_numbers_in_the_table_that_lead_nowhere_do_no_harm():
    memory = BlockMemory(1 << 20)
    put(memory, KEYS[0], 1)
    memory._memory[8:BLOCKS] = np.random.default_rng(1).bytes(BLOCKS - 8)
    assert memory.find(KEYS[0]) is None
    GIVEN.pack_into(memory._memory, 0, (1 << 64) - 70)
    assert memory.take(1000) is not None
    put(memory, KEYS[0], 4)
    assert (found(memory, KEYS[0]) == 4).all()
    room = memory.take(1000)
    memory.put(KEYS[2], Room(room.given + (1 << 20) - 100, np.zeros(3 << 20, np.uint8)))
    assert memory.find(KEYS[2]) is None
