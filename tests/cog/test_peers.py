"""`docs/cog-peers.md` has every rule, and what it says of our own check is so."""

import re

import pytest

from gateway.cog.rules import RULES
from scripts.rules_table import GDAL, HEAD, PAGE, RIO, has_gdal, row, told
from tests.cog.broken import BROKEN, PIPE, SHRINKING, our_verdict, report_on, write_broken

TEXT = PAGE.read_text()
ROWS = {
    cells[0].strip("`"): cells[1:]
    for cells in re.findall(r"^\| (`\S+`) \| (.+?) \| (.+?) \| (.+?) \|$", TEXT[TEXT.index(HEAD) :], re.M)
}
# What a sample cannot help to break as well.
COMPANIONS = {
    "tiles-overlap": {"slack-bytes"},
    "tile-in-header": {"slack-bytes"},
    "shared-tiles": {"slack-bytes"},
    "mask-size": {"mask-missing-on-level"},
    "two-pyramids": {"overview-not-smaller"},
    "ghost-garbled": {"slack-bytes"},
}
# These are about the file as a whole, or about another one.
WITHOUT_PLACE = {
    PIPE, SHRINKING, "empty-file", "header-too-large", "too-many-blocks", "shared-tiles", "slack-bytes",
    "sidecar-overviews", "sidecar-mask", "sidecar-georeferencing",
}  # fmt: skip
BEFORE_THE_DIRECTORIES = {
    "not-a-tiff", "bad-bigtiff-header", "ghost-garbled", "ghost-wrong-size", "ghost-no-layout",
    "ghost-incompatible-edition",
}  # fmt: skip


def test_every_rule_has_a_sample_and_a_row_in_its_order():
    assert list(ROWS) == list(RULES)
    assert set(BROKEN) | {PIPE, SHRINKING} == set(RULES)
    assert HEAD in TEXT


@pytest.mark.parametrize("rule", RULES)
def test_the_page_tells_what_the_check_says_and_findings_name_their_place(tmp_path, rule):
    path = write_broken(rule, tmp_path)
    assert our_verdict(rule, path) == ROWS[rule][0]
    assert ROWS[rule][0] != "accepts"
    findings = report_on(path, "full").findings
    assert all(one.offset is not None or one.rule in WITHOUT_PLACE for one in findings)
    assert all(one.ifd is not None or one.rule in WITHOUT_PLACE | BEFORE_THE_DIRECTORIES for one in findings)
    found = {one.rule for one in findings}
    assert found == {rule} | COMPANIONS.get(rule, set())


def test_the_cells_of_the_peers_are_words_that_the_page_explains():
    for cells in ROWS.values():
        for cell in cells:
            assert re.fullmatch(
                r"(refuses|warns)( \(depth (blocks|full)\))?|accepts|hangs|crashes \([\w.]+\)|-", cell
            )
            assert cell == "-" or f"*{cell.partition(' ')[0]}*" in TEXT


@pytest.mark.parametrize("rule", ["tile-beyond-end", "data-order", "overviews-missing"])
def test_rio_cogeo_says_what_the_page_tells(tmp_path, rule):
    import sys

    assert told(sys.executable, RIO, write_broken(rule, tmp_path)) == ROWS[rule][1]


def test_without_gdals_script_its_column_has_a_dash(tmp_path):
    assert not has_gdal(str(tmp_path / "no-python"))
    line = row("data-order", tmp_path / "a", str(tmp_path / "no-python"))
    assert line == "| `data-order` | refuses | refuses | - |"


def test_a_peer_that_dies_is_told_by_its_exception(tmp_path):
    import sys

    assert told(sys.executable, "raise ZeroDivisionError('x: y')", tmp_path) == "crashes (ZeroDivisionError)"
    assert told(sys.executable, GDAL, None) == "-"
