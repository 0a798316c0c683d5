import random

import numpy as np
import pytest

from gateway.cog.layout import read_layout
from gateway.cog.tiff import Limits
from tests.cog.tiffs import GEO, BytesSource, Image, Patch, ghost_of, pyramid, write

FLAVOURS = [{"order": "<"}, {"order": ">"}, {"big": True}, {"order": ">", "big": True}]


@pytest.mark.parametrize("flavour", FLAVOURS, ids=str)
def test_the_facts_are_those_that_were_written(flavour):
    layout = read_layout(BytesSource(write(pyramid(samples=3, bits=16), ghost=ghost_of(), **flavour)))
    assert layout.problems == ()
    assert [ifd.size for ifd in layout.levels] == [(64, 48), (32, 24), (16, 12)]
    assert [ifd.grid for ifd in layout.levels] == [(4, 3), (2, 2), (1, 1)]
    assert {(ifd.samples, ifd.bits, ifd.tile_bytes) for ifd in layout.ifds} == {(3, 16, 1536)}
    assert layout.ghost.claims["LAYOUT"] == "IFDS_BEFORE_DATA"
    assert [ifd.reduced for ifd in layout.ifds] == [False, True, True]
    assert (layout.form.big, layout.form.order) == (flavour.get("big", False), flavour.get("order", "<"))


def test_tiles_are_sorted_by_their_place_and_know_their_owners():
    tiles = read_layout(BytesSource(write(pyramid(sparse=(3,))))).tiles
    assert len(tiles.starts) == 11 + 4 + 1
    assert np.all(np.diff(tiles.starts) == 256)
    assert tiles.owners.tolist() == [2] + [1] * 4 + [0] * 11
    assert tiles.blocks.tolist()[5:9] == [0, 1, 2, 4]


def test_equal_extents_are_listed_once():
    patch = Patch(write(pyramid()))
    patch.value(0, 324, patch.offset(0, 3), at=4)
    tiles = read_layout(BytesSource(patch)).tiles
    assert (len(tiles.starts), tiles.shared) == (16, 1)


def test_tiles_are_sorted_by_start_and_end_whatever_their_order():
    patch, chance = Patch(write(pyramid())), random.Random(3)
    inside = range(1000, len(patch.data) - 300)
    for number, ifd in enumerate(patch.layout.ifds):
        for block in range(ifd.blocks):
            patch.value(number, 324, chance.choice(inside[::200]), at=block)
            patch.value(number, 325, chance.choice((100, 200, 300)), at=block)
    layout = read_layout(BytesSource(patch))
    extents = {}
    for owner, ifd in enumerate(layout.ifds):
        for block, (start, size) in enumerate(zip(ifd.offsets.tolist(), ifd.counts.tolist(), strict=True)):
            extents.setdefault((start, start + size), (owner, block))
    tiles = layout.tiles
    found = zip(tiles.starts.tolist(), tiles.ends.tolist(), tiles.owners.tolist(), tiles.blocks.tolist(), strict=True)
    assert list(found) == [(*extent, *first) for extent, first in sorted(extents.items())]
    assert (tiles.shared, len(extents)) == (17 - len(extents), 14)


def test_directories_that_cannot_be_read_leave_no_images():
    patch = Patch(write(pyramid())).following(0, 1 << 30)
    layout = read_layout(BytesSource(patch))
    assert layout.ifds == ()
    assert [problem.rule for problem in layout.problems] == ["ifd-outside-file"]


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        (Limits(ifds=2), "too-many-ifds"),
        (Limits(entries=10), "ifd-entry-count"),
        (Limits(header_bytes=100), "header-too-large"),
        (Limits(blocks=16), "too-many-blocks"),
    ],
)
def test_each_limit_is_held(limits, rule):
    source = BytesSource(write(pyramid()))
    assert [problem.rule for problem in read_layout(source, limits).problems] == [rule]
    assert read_layout(source, Limits(ifds=3, entries=17, header_bytes=900, blocks=17)).problems == ()


def test_arrays_that_overlap_do_not_add_up_to_more_than_the_limit():
    shared = Patch(
        write([Image(16 * 64, 16 * 64, tags=GEO, sparse="all")] + [Image(1024, 1024, subfile=1, sparse="all")] * 9)
    )
    for number in range(1, 10):
        shared.pointer(number, 324, shared.layout.ifds[0].tags[324].offset)
    assert read_layout(BytesSource(shared), Limits(header_bytes=100_000)).problems[0].rule == "header-too-large"


def test_sub_ifds_without_a_usable_type_are_not_followed():
    patch = Patch(write([*pyramid(), Image(32, 24, subfile=1, sub_of=0)]))
    assert [(ifd.index, ifd.sub) for ifd in patch.layout.ifds] == [(0, False), (1, False), (0, True), (2, False)]
    layout = read_layout(BytesSource(patch.type(0, 330, 2)))
    assert [problem.rule for problem in layout.problems] == ["wrong-tag-type"]


def test_tiles_out_of_order_are_sorted_and_each_extent_stands_once():
    patch = Patch(write(pyramid()))
    first, second = patch.offset(0, 0), patch.offset(0, 1)
    patch.value(0, 324, second).value(0, 324, first, at=1)
    tiles = read_layout(BytesSource(patch)).tiles
    assert tiles.blocks.tolist()[5:8] == [1, 0, 2]
    assert tiles.shared == 0
    tiles = read_layout(BytesSource(patch.value(0, 324, first, at=5))).tiles
    assert tiles.blocks.tolist()[5:8] == [1, 0, 2]
    assert tiles.shared == 1
    assert np.all(np.diff(tiles.starts) > 0)


def test_chained_sub_ifds_are_followed():
    patch = Patch(write([*pyramid(), Image(32, 24, subfile=1, sub_of=0), Image(16, 12)]))
    first, second, sub, third, last = patch.layout.ifds
    patch.following(3, 0)
    layout = read_layout(BytesSource(patch.following(2, last.directory.offset)))
    assert [(ifd.index, ifd.sub) for ifd in layout.ifds] == [(0, False), (1, False), (0, True), (2, False), (0, True)]
    assert [ifd.size for ifd in layout.sub_levels] == [first.size, sub.size]
    assert [ifd.size for ifd in layout.levels] == [first.size, second.size, third.size]


def with_two_sub_ifds():
    """Two SubIFDs of the first directory, the last two of the layout's five."""
    subs = [Image(32, 24, subfile=1, sub_of=0), Image(16, 12, subfile=1, sub_of=0)]
    return Patch(write([*pyramid(), *subs]))


def test_a_sub_ifd_that_its_sibling_leads_to_as_well_is_read_once():
    patch = with_two_sub_ifds()
    one, two = (number for number, ifd in enumerate(patch.layout.ifds) if ifd.sub)
    places = [ifd.directory.offset for ifd in patch.layout.ifds]
    layout = read_layout(BytesSource(patch.following(one, places[two])))
    assert layout.problems == ()
    assert sorted(ifd.directory.offset for ifd in layout.ifds) == sorted(places)
    assert len(layout.sub_levels) == 3


def test_sub_ifds_that_lead_back_to_each_other_are_a_cycle():
    patch = with_two_sub_ifds()
    one, two = (number for number, ifd in enumerate(patch.layout.ifds) if ifd.sub)
    places = [ifd.directory.offset for ifd in patch.layout.ifds]
    patch.following(one, places[two]).following(two, places[one])
    assert [problem.rule for problem in read_layout(BytesSource(patch)).problems] == ["ifd-cycle"]
    patch = with_two_sub_ifds()
    assert [problem.rule for problem in read_layout(BytesSource(patch.following(two, places[0]))).problems] == [
        "ifd-cycle"
    ]


def test_the_header_ends_where_the_first_block_or_its_leader_begins():
    for written, leader_bytes in ((write(pyramid()), 0), (write(pyramid(), ghost=ghost_of()), 4)):
        layout = read_layout(BytesSource(written))
        assert layout.header_bytes == int(layout.tiles.starts[0]) - leader_bytes >= layout.header_end
