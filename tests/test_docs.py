"""What README and guides say is so: commands, links, audit columns and actions, dependencies."""

import re
import shlex
from pathlib import Path

import pytest

from gateway.__main__ import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "data" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_to_a_file_leads_somewhere(page):
    for target, _, name in re.findall(r"\]\(([^)#:\s]*)(#([^)\s]*))?\)", page.read_text()):
        leads = page.parent / target if target else page
        assert leads.exists(), target
        assert not name or name in headings(leads), (target, name)


def headings(page: Path) -> set[str]:
    """Return the names of a page's headings as GitHub and the site make them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def test_every_guide_stands_in_the_site():
    named = re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(str(p.relative_to(ROOT / "docs")) for p in (ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_command_that_a_page_names_is_there(page):
    for name in re.findall(r"cog-gateway ([a-z]+)", page.read_text()):
        assert name in COMMANDS, name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_no_line_of_curl_resumes_under_a_name_that_the_answer_tells(page):
    # "--continue-at and --remote-header-name cannot be combined"
    for line in re.findall(r"^ *curl .+$", page.read_text(), re.MULTILINE):
        assert not re.search(r" -\w*J", line) or " -C" not in line, line


def test_the_readme_has_one_line_to_try_it_and_one_to_test_it():
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert len(lines) == 2
    assert lines[0].endswith("cog-gateway demo")
    assert lines[1].endswith(".venv/bin/python -m pytest -q -n 4")


def test_ci_runs_the_readme_line_for_the_tests():
    pattern = re.search(r"grep -m 1 -E '([^']+)' README.md", (ROOT / ".ci" / "run").read_text())
    matching = [line for line in README.splitlines() if re.search(pattern[1], line)]
    assert matching == [line for line in README.splitlines() if line.endswith("pytest -q -n 4")]


def test_the_options_that_the_readme_uses_exist():
    for line in re.findall(r"^cog-gateway (.+?)(?:\s+#.*)?$", README, re.MULTILINE):
        words = shlex.split(line)
        command = words[:2] if words[0] in ("grants", "audit", "collections", "datasets") else words[:1]
        shown = _help(command)
        for option in (word for word in words if word.startswith("--")):
            assert option in shown, line


def _help(command):
    from click.testing import CliRunner

    from gateway.__main__ import cli

    done = CliRunner().invoke(cli, [*command, "--help"])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_audit_guide_names_every_column(tmp_path):
    from gateway.records import open_records
    from gateway.records.sqlite.connection import connect

    open_records(tmp_path / "gateway.db").close()
    database = connect(tmp_path / "gateway.db", "rw")
    columns = [column.name for column in database["audit"].columns]
    database.close()
    guide = (ROOT / "docs" / "audit.md").read_text()
    for name in columns:
        assert re.search(rf"^\| `{name}` \|", guide, re.MULTILINE), name


def test_the_audit_guide_names_every_action_that_the_code_writes():
    guide = (ROOT / "docs" / "audit.md").read_text()
    written = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        written |= set(re.findall(r'"((?:download|token|dataset|grant|user|audit)\.[a-z]+)"', path.read_text()))
    assert written
    for action in written:
        assert f"`{action}`" in guide, action


def test_every_dependency_has_its_reason():
    setup, decisions = (ROOT / "setup.py").read_text(), (ROOT / "docs" / "decisions.md").read_text()
    requirements = re.findall(r'^\s+"([a-z0-9-]+)(?:\[[a-z]+\])?[>=<]', setup, re.MULTILINE)
    assert len(requirements) > 10
    for name in requirements:
        assert name in decisions, name


def test_the_way_of_a_download_names_what_is_there():
    page = (ROOT / "docs" / "a-download.md").read_text()
    sources = "\n".join(path.read_text() for path in (ROOT / "gateway").rglob("*.py"))
    for name in re.findall(r"`(\w+)\.py`", page):
        assert list((ROOT / "gateway").rglob(f"{name}.py")), name
    for owner, _, member in (name.partition(".") for name in re.findall(r"`([A-Z]\w+(?:\.\w+)?)`", page)):
        assert re.search(rf"^class {owner}\b", sources, re.MULTILINE) or owner.isupper() or owner == "GET", owner
        assert not member or f"def {member}(" in sources, member
    for function in re.findall(r"`([a-z_]+)`", page):
        assert f"def {function}(" in sources or function in ("sendfile",), function


def test_the_readme_shows_what_check_prints(monkeypatch):
    from click.testing import CliRunner

    from gateway.__main__ import cli

    command, sample = re.search(r"^\$ cog-gateway (.*?)\n(.*?)```", README, re.MULTILINE | re.DOTALL).groups()
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(cli, shlex.split(command))
    assert done.exit_code == 1, done.output
    assert [line.split() for line in done.output.splitlines()] == [line.split() for line in sample.splitlines()]
