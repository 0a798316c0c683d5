"""What an expression over bands may be, judged before anything is read: short, and of bounded work."""

from __future__ import annotations

import ast
import re

from gateway.errors import BadParameter

EXPRESSION_CHARACTERS = 500
# Each part between semicolons is a band of the picture.
MAX_PARTS = 16
# numexpr holds constants in C longs.
MAX_CONSTANT = 2.0**62
# What a function of constants counts as.
CALLED = 1000.0
BAND = re.compile(r"b[0-9]{1,5}", re.IGNORECASE)
# The nodes that rio-tiler lets through (`rio_tiler/expression.py`).
NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Constant, ast.Name, ast.Call, ast.Load,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.Mod, ast.FloorDiv, ast.USub, ast.UAdd,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.BitAnd, ast.BitOr, ast.BitXor, ast.Invert,
)  # fmt: skip


def checked(expression: str) -> str:
    """Return the expression; raises BadParameter for one that rio-tiler or this gateway does not work out."""
    if len(expression) > EXPRESSION_CHARACTERS:
        raise BadParameter(f"The parameter expression may have {EXPRESSION_CHARACTERS} characters.")
    if not 1 <= len(found := parts(expression)) <= MAX_PARTS:
        raise BadParameter(f"The parameter expression may have from 1 to {MAX_PARTS} parts.")
    for part in found:
        _check(part)
    return expression


def parts(expression: str) -> list[str]:
    """Return the parts of an expression, each of which becomes a band."""
    return [part.strip() for part in expression.split(";") if part.strip()]


def _check(part: str) -> None:
    try:
        tree = ast.parse(part, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise BadParameter("The parameter expression cannot be read.") from None
    nodes = list(ast.walk(tree))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    names = [node.id for node in nodes if isinstance(node, ast.Name) and id(node) not in called]
    plain = all(isinstance(node.func, ast.Name) for node in nodes if isinstance(node, ast.Call))
    numbers = all(type(node.value) in (int, float) for node in nodes if isinstance(node, ast.Constant))
    if not plain or not numbers or not all(isinstance(node, NODES) for node in nodes):
        raise BadParameter("The parameter expression has what no arithmetic of bands needs.")
    if not names or not all(BAND.fullmatch(name) for name in names):
        raise BadParameter("The parameter expression must be of bands, b1 being the first.")
    for node in nodes:
        if isinstance(node, ast.Constant | ast.BinOp) and not _bands_in(node):
            _constant(node)


def _bands_in(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Name) and BAND.fullmatch(each.id) for each in ast.walk(node))


def _constant(node: ast.AST) -> float:
    """Return the value of arithmetic without bands, roughly; raises BadParameter for what is too large.

    Python works it out, and its integers have no end.
    """
    found = CALLED
    if isinstance(node, ast.Constant):
        # A number of 500 digits is no float.
        found = float(node.value) if abs(node.value) <= MAX_CONSTANT else MAX_CONSTANT * 2  # type: ignore[arg-type]
    elif isinstance(node, ast.UnaryOp):
        found = _constant(node.operand)
    elif isinstance(node, ast.BinOp):
        found = _worked_out(node.op, abs(_constant(node.left)), abs(_constant(node.right)))
    if not abs(found) <= MAX_CONSTANT:
        raise BadParameter("The parameter expression has a number that is too large.")
    return found


def _worked_out(op: ast.operator, left: float, right: float) -> float:
    """Return at least how large the result of two positive numbers may be."""
    if isinstance(op, ast.Pow):
        try:
            return float(max(left, 1.0) ** max(right, 1.0))
        except OverflowError:
            return MAX_CONSTANT * 2
    return left * right if isinstance(op, ast.Mult) else left + right
