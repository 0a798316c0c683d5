"""Files, functions and doors keep the sizes and the number that the house rules say."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PATHS = sorted([*(ROOT / "gateway").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])
FILE_LINES, FUNCTION_LINES = 300, 40
# Who writes the audit, in a thread or in a process: whatever fails there must reach those who wait.
BROAD_DOORS = {"gateway/audit/log.py", "gateway/audit/recorder.py"}


@pytest.fixture(scope="module")
def modules():
    """The syntax trees by file name, held by the process that asks of them and no longer than that."""
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in PATHS}


def functions(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_files_are_short():
    lines = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in PATHS}
    assert {name: count for name, count in lines.items() if count > FILE_LINES} == {}


def test_functions_are_short(modules):
    lines = {
        (name, function.name): function.end_lineno - function.lineno + 1
        for name, tree in modules.items()
        for function in functions(tree)
    }
    assert {name: count for name, count in lines.items() if count > FUNCTION_LINES} == {}


def test_everything_is_caught_at_two_doors_only(modules):
    broad = {
        (name, node.lineno)
        for name, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    }
    assert {name for name, _ in broad} <= BROAD_DOORS, broad
