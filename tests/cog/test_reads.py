import numpy as np
import pytest

from gateway.cog.reads import BATCH_BYTES, GAP_BYTES, REMOTE_GAP_BYTES, read_words
from gateway.cog.tiff import StructureError
from tests.cog.tiffs import BytesSource


@pytest.fixture(scope="module")
def data():
    return np.random.default_rng(1).bytes(3 * BATCH_BYTES)


def words_of(source, offsets):
    return read_words(source, np.array(offsets, np.int64)).tolist()


def words_in(data, offsets):
    return [int.from_bytes(data[at : at + 4], "little") for at in offsets]


@pytest.mark.parametrize("step", [1, 4, 12, 1000, GAP_BYTES + 4, GAP_BYTES + 5, BATCH_BYTES])
def test_words_are_those_of_the_bytes_whatever_lies_between(data, step):
    offsets = range(7, len(data) - 4, step)[:50_000]
    source = BytesSource(data)
    assert words_of(source, offsets) == words_in(data, offsets)
    assert all(length <= BATCH_BYTES + 4 for _, length in source.reads)


def test_near_words_are_one_read_and_far_ones_are_not_read_over(data):
    source = BytesSource(data)
    offsets = [100, 104, 108 + GAP_BYTES, 113 + 2 * GAP_BYTES]
    assert words_of(source, offsets) == words_in(data, offsets)
    assert source.reads == [(100, 12 + GAP_BYTES), (113 + 2 * GAP_BYTES, 4)]


def test_a_remote_source_is_read_over_longer_gaps(data):
    source = BytesSource(data)
    source.remote = True
    offsets = [100, 104 + REMOTE_GAP_BYTES]
    assert words_of(source, offsets) == words_in(data, offsets)
    assert len(source.reads) == 1


def test_a_source_that_became_shorter_is_told(data):
    source = BytesSource(data)
    with pytest.raises(StructureError, match="changed-while-read"):
        words_of(source, [0, len(data) - 3])
