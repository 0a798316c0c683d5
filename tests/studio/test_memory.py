"""Painters of local files have the decoded blocks of each other, and those that may connect to somebody have none."""

from types import SimpleNamespace

import pytest

from gateway.reading.blockmemory import BlockMemory, key_of
from gateway.studio import Source, Task, forks
from gateway.studio.painter import shared_of
from tests.studio.conftest import processes

KEY = key_of("a", 1)


def over(work, name, *told):
    return Task(work, (Source(name, "1", "data", "a.tif", True),), told)


def test_what_one_painter_has_decoded_another_one_finds(tmp_path, monkeypatch):
    monkeypatch.setattr(forks, "PROGRAM", "tests.studio.painter")
    with processes(tmp_path, painters=2) as bench:
        bench.studio._far = bench.studio._near
        first = bench.studio.submit(over("keep", "a", KEY, 7)).result(120)
        others = [bench.studio.submit(over("kept", name, KEY)).result(120) for name in "abcd"]
    assert {value for _, value in others} == {7}
    assert {pid for pid, _ in others} > {first}


def test_a_painter_that_may_connect_has_no_part_in_it():
    memory = BlockMemory(1 << 20, shared=True)
    assert shared_of(SimpleNamespace(far={}), memory) is memory
    assert shared_of(SimpleNamespace(far={"bucket": None}), memory) is None
    with pytest.raises(ValueError, match="closed"):
        memory.find(KEY)
    assert shared_of(SimpleNamespace(far={"bucket": None}), None) is None
