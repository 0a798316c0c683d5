"""Properties that hold for any bytes whatever."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cog import inspect
from gateway.cog.ghost import FIRST_LINE_START, parse_ghost
from gateway.cog.layout import read_layout
from gateway.cog.rules import RULES
from tests.cog.tiffs import GEO, BytesSource, Image, Patch, ghost_of, masked, pyramid, write

IMAGES, ORDER = masked()
SEEDS = [
    write(pyramid(), ghost=ghost_of()),
    write(pyramid(samples=2, bits=16), order=">"),
    write([*pyramid(), Image(32, 24, subfile=1, sub_of=0)], big=True),
    write(IMAGES, blocks=ORDER),
]
HEADERS = [Patch(seed).offset(0, 0) for seed in SEEDS]
STARTS = st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0", b"II*\0\x08\0\0\0"])
# No example may take longer for being run on a busy machine.
calmly = settings(deadline=None, max_examples=150)


class Fenced(BytesSource):
    """A source that nobody asks for a byte that is not there."""

    def read_at(self, offset_bytes, length_bytes):
        assert 0 <= offset_bytes <= offset_bytes + length_bytes <= self.size_bytes
        return super().read_at(offset_bytes, length_bytes)


def rules_of(data, depth="blocks"):
    found = inspect(Fenced(data), depth=depth).report.findings
    assert all(one.rule in RULES and (one.offset is None or one.offset >= 0) for one in found)
    return {one.rule for one in found}


@calmly
@given(STARTS, st.binary(max_size=3000))
def test_any_bytes_are_judged(start, data):
    assert rules_of(start + data)


@calmly
@given(
    st.sampled_from(range(len(SEEDS))),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=9)), min_size=1, max_size=4),
)
def test_any_change_of_a_header_is_judged_at_both_depths(number, changes):
    data = bytearray(SEEDS[number])
    for place, raw in changes:
        at = int(place * HEADERS[number])
        data[at : at + len(raw)] = raw
    header, blocks = rules_of(data, "header"), rules_of(data, "blocks")
    assert blocks - header <= {"ghost-leader", "ghost-trailer", "gdal-cannot-open"}
    assert header - blocks <= {"gdal-cannot-open"}


@calmly
@given(st.sampled_from(SEEDS), st.floats(0, 1, exclude_max=True))
def test_no_piece_of_a_cog_is_valid(data, share):
    assert not inspect(Fenced(data[: int(share * len(data))])).report.valid


@calmly
@given(st.sampled_from(SEEDS), st.binary(min_size=17, max_size=2000))
def test_bytes_behind_a_cog_change_no_verdict_but_are_told(data, more):
    assert rules_of(data + more) - {"gdal-cannot-open"} == {"slack-bytes"}


@calmly
@given(st.binary(max_size=300))
def test_any_ghost_area_is_read(data):
    assert parse_ghost(8, data) is None or data.startswith(FIRST_LINE_START)
    ghost = parse_ghost(8, FIRST_LINE_START + data)
    assert ghost.size is not None or (ghost.garbled and not ghost.claims)


@calmly
@given(
    st.integers(1, 2000), st.integers(1, 2000), st.sampled_from([16, 32, 256]), st.sampled_from("<>"), st.booleans()
)
def test_any_size_that_is_written_is_read(width, height, side, order, big):
    data = write([Image(width, height, (side, side), tags=GEO, sparse="all")], order=order, big=big)
    layout = read_layout(Fenced(data))
    assert (layout.problems, layout.main.size, layout.main.tile) == ((), (width, height), (side, side))
    assert layout.main.blocks == len(layout.main.offsets)
