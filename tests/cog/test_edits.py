"""Single edits of the writers' files: what is accepted at depth full can be read, what is refused is explained."""

import pytest

from gateway.cog import DEPTHS
from scripts.fuzz_edits import lines_of, run
from scripts.fuzzing.edits import edit, place_of
from scripts.fuzzing.kinds import kind_of
from scripts.fuzzing.mutants import read_seeds
from scripts.fuzzing.reading import read_whole
from tests.cog.test_writers import FOLDER

EDITS = 160


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    return run(tmp_path_factory.mktemp("edits"), EDITS, seed=2, jobs=1)


def test_what_is_accepted_at_depth_full_can_be_read(outcomes):
    assert len(outcomes) == EDITS
    assert [each for each in outcomes if not each.rules[-1] and each.pixels == "unreadable"] == []
    assert any(each.rules[-1] and each.pixels == "unreadable" for each in outcomes)


def test_a_deeper_look_takes_nothing_that_another_refuses(outcomes):
    assert [
        each for each in outcomes if any(a and not b for a, b in zip(each.rules, each.rules[1:], strict=False))
    ] == []


def test_what_is_refused_though_it_can_be_read_is_of_a_known_kind(outcomes):
    fine = [each for each in outcomes if each.rules[-1] and each.pixels == "same" and each.ordered]
    assert fine
    assert [each for each in fine if kind_of("gdal", each.rules[-1], "") is None] == []


def test_counts_are_told_for_each_depth(outcomes):
    lines = list(lines_of(outcomes, named=True))
    assert lines[0].startswith(f"{EDITS} edits; ")
    for depth in DEPTHS:
        assert any(line.startswith(f"depth {depth}: accepted, unreadable: ") for line in lines)
    assert not any(line.endswith("| ? |") for line in lines)


def test_edits_are_the_same_each_time_and_of_one_place(tmp_path):
    for name in ("gdal-3.12.4-jpeg-mask", "tifffile-zlib"):
        (tmp_path / f"{name}.tif").write_bytes((FOLDER / f"{name}.tif").read_bytes())
    seeds = read_seeds(tmp_path)
    one, again = ([edit(seeds, 1, index) for index in range(60)] for _ in range(2))
    assert one == again
    assert all(len(made.data) == len(seeds[number // 2 % 2].data) for number, made in enumerate(one))
    places = {place_of(seeds[0], at) for at in range(len(seeds[0].data))}
    assert {
        "file header",
        "ghost area",
        "image's next directory",
        "mask's value of TILE_OFFSETS",
        "tile of codec 7",
    } <= places


def test_a_raster_that_cannot_be_read_or_is_far_too_large_is_told(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    path.write_bytes(b"no raster")
    assert read_whole(path) is None
    whole = FOLDER / "gdal-3.12.4-deflate.tif"
    assert len(read_whole(whole)) == 2
    monkeypatch.setattr("scripts.fuzzing.reading.MOST_VALUES", 10)
    assert {level[2] for level in read_whole(whole)} == {"too large"}
