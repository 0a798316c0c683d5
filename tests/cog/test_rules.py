from pathlib import Path

import pytest

from gateway.cog.rules import COMMANDS, RULES, finding
from gateway.model import Severity

DOCS = Path(__file__).parent.parent.parent / "docs" / "cog-rules.md"


def rows():
    """The rows of the table as (rule, severity, why, what mends it, the command)."""
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def test_the_table_in_the_docs_is_that_of_the_code():
    assert rows() == [
        (f"`{rule.name}`", str(rule.severity), rule.why, rule.mend, f"`{rule.command}`") for rule in RULES.values()
    ]


def test_commands_are_of_rules_that_are_there_and_of_known_programs():
    assert set(COMMANDS) <= set(RULES)
    programs = {rule.command.split()[0] for rule in RULES.values()}
    assert programs == {"gdal_translate", "gdalwarp", "rsync", "tiffset", "rm", "cog-gateway"}
    assert {
        name for name, rule in RULES.items() if rule.rewritable and not rule.command.startswith("gdal_t")
    } == set()


def test_names_are_kebab_case_and_texts_are_sentences():
    for name, rule in RULES.items():
        assert name == rule.name.lower()
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert rule.why.endswith("."), name
        assert rule.mend.endswith("."), name


def test_every_rule_has_a_test():
    text = "".join(path.read_text() for path in Path(__file__).parent.rglob("test_*.py") if path != Path(__file__))
    assert [name for name in RULES if f'"{name}"' not in text] == []


def test_only_errors_of_the_layout_are_mended_by_writing_anew():
    rewritable = {rule.name for rule in RULES.values() if rule.rewritable}
    assert {"not-tiled", "overviews-missing", "data-order", "ghost-leader"} <= rewritable
    assert not rewritable & {"refers-to-other-file", "tile-beyond-end", "not-a-tiff", "tile-too-large", "ifd-cycle"}
    assert all(RULES[name].severity is Severity.ERROR for name in rewritable)


def test_a_finding_says_what_is_wrong_and_what_mends_it():
    found = finding("not-tiled", "An image is stored in strips.", ifd=1, offset=8)
    assert (
        found.message == "An image is stored in strips. Rewrite it with gdal_translate -of COG or rio cogeo create."
    )
    assert (found.rule, found.severity, found.ifd, found.block, found.offset) == ("not-tiled", "error", 1, None, 8)


def test_there_is_no_finding_without_a_rule():
    with pytest.raises(KeyError):
        finding("no-such-rule", "Something.")
