import pytest

from gateway.cog.layout import read_layout
from gateway.cog.leaders import check_leaders
from tests.cog.tiffs import CLAIMS, BytesSource, Patch, ghost_of, pyramid, write

NO_LEADER = CLAIMS.replace("BLOCK_LEADER=SIZE_AS_UINT4\n", "")
NO_TRAILER = CLAIMS.replace("BLOCK_TRAILER=LAST_4_BYTES_REPEATED\n", "")


def patch(claims=CLAIMS, **options):
    return Patch(write(pyramid(), ghost=ghost_of(claims), leaders=True, **options))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("claims", [CLAIMS, NO_LEADER, NO_TRAILER])
def test_true_leaders_and_trailers_are_no_finding(errors_of, claims, order):
    assert errors_of(patch(claims, order=order)) == set()


def test_a_false_leader_is_an_error_of_depth_blocks(report_of):
    broken = patch()
    broken.data[broken.offset(0, 5) - 4] ^= 1
    broken.data[broken.offset(0, 7) - 4] ^= 1
    (found,) = report_of(broken).errors
    assert (found.rule, found.ifd, found.block, found.offset) == ("ghost-leader", 0, 5, broken.offset(0, 5))
    assert report_of(broken, depth="header").valid


def test_a_tile_edited_in_place_has_a_false_trailer(report_of):
    broken = patch()
    broken.data[broken.offset(1, 2) + 255] ^= 1
    (found,) = report_of(broken).errors
    assert (found.rule, found.ifd, found.block) == ("ghost-trailer", 1, 2)
    assert report_of(broken, depth="header").valid


def test_what_is_not_claimed_is_not_compared(errors_of):
    broken = patch(NO_LEADER)
    broken.data[broken.offset(0, 5) - 4] ^= 1
    assert errors_of(broken) == set()
    broken = patch(NO_TRAILER)
    broken.data[broken.offset(0, 5) + 257] ^= 1
    assert errors_of(broken) == set()


def test_every_level_with_a_false_leader_is_told_once(report_of):
    broken = patch()
    for number in range(3):
        for block in range(broken.layout.ifds[number].blocks):
            broken.data[broken.offset(number, block) - 4] ^= 1
    assert [(found.rule, found.ifd) for found in report_of(broken).errors] == [("ghost-leader", n) for n in (2, 1, 0)]


def test_tiles_in_many_batches_are_judged_like_those_in_one(report_of, monkeypatch):
    broken = patch()
    for block in (2, 3, 9):
        broken.data[broken.offset(0, block) - 4] ^= 1
    whole = report_of(broken)
    monkeypatch.setattr("gateway.cog.leaders.BATCH_TILES", 2)
    assert report_of(broken) == whole
    assert [found.block for found in whole.errors] == [2]


def test_no_byte_beyond_the_end_is_asked_for():
    source = BytesSource(patch())
    assert list(check_leaders(source, read_layout(source))) == []
    assert max(offset + length for offset, length in source.reads) == source.size_bytes
