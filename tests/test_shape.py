"""Files, functions and doors keep the sizes and the number that the house rules say."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted([*(ROOT / "gateway").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])
FILE_LINES, FUNCTION_LINES = 300, 40
# Who writes the audit, in a thread or in a process: whatever fails there must reach those who wait.
BROAD_DOORS = {"gateway/audit/log.py", "gateway/audit/recorder.py"}


def functions(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES
    for function in functions(ast.parse(text)):
        assert function.end_lineno - function.lineno < FUNCTION_LINES, function.name


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_everything_is_caught_at_two_doors_only(path):
    broad = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    ]
    assert not broad or str(path.relative_to(ROOT)) in BROAD_DOORS
