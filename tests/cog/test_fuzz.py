"""Mutants of real COGs in bounded memory and time, and every disagreement with other readers explained."""

import re
from collections import Counter

import pytest

from gateway.cog.rules import RULES
from gateway.model import Severity
from scripts.fuzz_check import lines_of
from scripts.fuzzing.judges import Guarded, by_tifffile, ours, rio
from scripts.fuzzing.kinds import KINDS, kind_of
from scripts.fuzzing.mutants import CHANGES, mutant, read_seeds
from scripts.fuzzing.run import Outcome, Plan, run
from scripts.fuzzing.seeds import write_seeds

# What no mutant of bytes in a file can break.
ELSEWHERE = {"not-a-regular-file", "changed-while-read"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("seeds")
    write_seeds(found)
    return found


@pytest.fixture(scope="module")
def seeds(folder):
    return read_seeds(folder)


def test_a_thousand_mutants_do_no_harm_and_every_disagreement_is_of_a_known_kind():
    outcome = run(Plan(mutants=1000, number=1, others_step=5))
    assert outcome.faults == []
    assert (outcome.tried, outcome.compared) == (1000, 200)
    assert 80 < outcome.valid < 750
    assert len(outcome.kinds) > 8


def test_mutants_are_the_same_each_time_and_of_every_kind(seeds):
    made = [mutant(seeds, 1, index) for index in range(300)]
    assert made[:20] == [mutant(seeds, 1, index) for index in range(20)]
    assert {change for one in made for change in one.changes} == set(CHANGES)
    assert {one.seed for one in made} == {seed.name for seed in seeds}
    assert mutant(seeds, 2, 0) != made[0]


def test_every_seed_but_one_is_a_cog_to_everybody(folder, seeds):
    for seed in seeds:
        path = folder / f"{seed.name}.tif"
        verdicts = [ours(path, "header"), ours(path, "blocks"), rio(path), by_tifffile(path)]
        expected = seed.name != "not_a_cog"
        assert [verdict.valid for verdict in verdicts[:2]] == [expected] * 2, seed.name
        if seed.name != "sub_ifds_big":
            assert [verdict.valid for verdict in verdicts[2:]] == [expected] * 2, (seed.name, verdicts)


def test_a_read_outside_of_the_file_is_a_fault(folder):
    import os

    with Guarded(os.open(folder / "plain.tif", os.O_RDONLY)) as source:
        assert source.read_at(source.size_bytes - 4, 4)
        for offset, length in ((source.size_bytes - 4, 5), (-1, 1), (0, -1)):
            with pytest.raises(AssertionError):
                source.read_at(offset, length)


def test_every_rule_of_the_header_has_a_kind_of_disagreement():
    errors = {name for name, rule in RULES.items() if rule.severity is Severity.ERROR}
    explained = Counter(rule for kind in KINDS for rule in kind.rules)
    assert set(explained) == errors - ELSEWHERE
    assert set(explained.values()) == {1}
    assert all(kind.why.endswith(".") and bool(kind.rules) != bool(kind.pattern) for kind in KINDS)


def test_a_kind_is_known_by_our_rule_or_by_the_words_of_the_other():
    assert kind_of("tifffile", "tile-beyond-end", "").name == "tiles damaged"
    assert kind_of("tifffile", "", "<tifffile.TiffPage 0 @8> parsing GDAL_NODATA tag raised").name.startswith(
        "nodata"
    )
    assert kind_of("rio-cogeo", "", "parsing GDAL_NODATA tag") is None
    assert kind_of("rio-cogeo", "", "Something new") is None
    assert kind_of("rio-cogeo", "no-such-rule", "") is None


def test_a_run_without_mutants_or_with_a_fault_is_not_good():
    assert not Outcome().good
    assert Outcome(tried=1).good
    bad = Outcome(tried=1, faults=["mutant 7: header: SIGALRM"])
    assert not bad.good
    assert "FAULT mutant 7: header: SIGALRM" in lines_of(bad)


def test_the_figures_are_told(seeds):
    outcome = Outcome(tried=9, compared=9, valid=2, slowest_seconds=0.0123, largest_growth_bytes=1_500_000)
    outcome.kinds["rio-cogeo", "tiles damaged"] = 3
    outcome.crashes_of_others["rio-cogeo"] = 1
    text = "\n".join(lines_of(outcome))
    assert re.search(r"tried: 9.*crashes of others: rio-cogeo 1.*12 ms.*1\.5 MB", text, re.DOTALL)
    assert "| tiles damaged | rio-cogeo | 3 |" in text
