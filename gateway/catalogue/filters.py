"""Filters of CQL2, text and JSON, as conditions: what is not on the list is refused by its name.

OGC 21-065r2, conformance classes basic-cql2, cql2-text, cql2-json; of advanced-comparison-operators all three.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import cql2

from gateway.catalogue.conditions import COMPARISONS, FIELDS, OPERATORS, Kind
from gateway.catalogue.moments import moment_of
from gateway.catalogue.search import Condition, Operand, Property
from gateway.errors import BadParameter

MOST_CHARACTERS = 10_000
# The parser of text goes as deep as the text is long: a segmentation fault for 10,000 on the stack of a small thread.
MOST_TEXT = 4_000
# Of conditions in one another, and of operands in all.
MOST_DEPTH, MOST_OPERANDS = 20, 500
NUMBERS = {"not": 1, "isNull": 1, "like": 2, "in": 2, "between": 3, **dict.fromkeys(COMPARISONS, 2)}
# Each of them doubles what the parser tries before it gives up; as JSON, filters may be nested deeper.
MOST_PARENTHESES = 8
STACKED = re.compile(r"[-+*/^%]|not|div", re.IGNORECASE)
REFUSED = "The filter is no CQL2: "


def filter_of_text(text: str) -> Condition:
    """Return the condition of a filter in CQL2 text; raises BadParameter."""
    _require_short(text, MOST_TEXT)
    _require_shallow(text)
    if not text.isascii() and text != text.encode("utf-8", "replace").decode():
        raise BadParameter(REFUSED + "it is no valid Unicode.")
    try:
        return _condition_of(cql2.parse_text(text))
    except cql2.ParseError as error:
        raise BadParameter(REFUSED + _first_line(error)) from None


def filter_of_json(value: Any) -> Condition:
    """Return the condition of a filter in CQL2 JSON, already read; raises BadParameter."""
    if not isinstance(value, Mapping):
        raise BadParameter(REFUSED + "it is no object.")
    _require_nested(value)
    text = json.dumps(_between_flat(value))
    _require_short(text, MOST_CHARACTERS)
    try:
        return _condition_of(cql2.parse_json(text))
    except (cql2.ParseError, ValueError) as error:
        raise BadParameter(REFUSED + _first_line(error)) from None


def _between_flat(value: Any) -> Any:
    """Return a filter whose `between` has its ends beside the value, as the standard has them at last.

    Its drafts had them in a list of their own, and so have clients.
    """
    if isinstance(value, list):
        return [_between_flat(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    told = {name: _between_flat(each) for name, each in value.items()}
    args = told.get("args")
    if told.get("op") == "between" and isinstance(args, list) and len(args) == 2 and isinstance(args[1], list):
        told["args"] = [args[0], *args[1]]
    return told


def _condition_of(found: cql2.Expr) -> Condition:
    # Not by its own validate(): the standard's schema takes minutes for a thousand characters, and all that may
    # stand in a condition is on a list here or in its SQL.
    told = _operand(found.to_json(), 0, [0])
    if not isinstance(told, Condition):
        raise BadParameter("The filter is no condition.")
    return told


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[-1].strip(" =|") if lines else "it cannot be read")[:200]


def _require_short(text: str, most: int) -> None:
    if len(text) > most:
        raise BadParameter(f"The filter has more than {most} characters.")


def _require_shallow(text: str) -> None:
    """Return for what the parser reads without going deep: it follows parentheses, signs, NOT and sums on the stack.

    In texts too: where they end is for the parser to say.
    """
    depth = 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth > MOST_PARENTHESES:
            raise BadParameter(f"The filter has more than {MOST_PARENTHESES} parentheses in one another.")
    if len(STACKED.findall(text)) > MOST_OPERANDS:
        raise BadParameter(f"The filter has more than {MOST_OPERANDS} signs and NOT.")


def _require_nested(value: Any) -> None:
    """Return for what is not nested too deep, looked through without going deep."""
    level = [value]
    for _ in range(4 * MOST_DEPTH):
        level = [
            each
            for outer in level
            for each in (outer.values() if isinstance(outer, Mapping) else outer)
            if isinstance(each, Mapping | list)
        ]
        if not level:
            return
    raise BadParameter(f"The filter is nested deeper than {MOST_DEPTH}.")


def _operand(tree: Any, depth: int, counted: list[int]) -> Operand:
    counted[0] += 1
    if depth > MOST_DEPTH:
        raise BadParameter(f"The filter is nested deeper than {MOST_DEPTH}.")
    if counted[0] > MOST_OPERANDS:
        raise BadParameter(f"The filter has more than {MOST_OPERANDS} operands.")
    if isinstance(tree, Mapping):
        return _of_object(tree, depth, counted)
    if isinstance(tree, str) and "\0" in tree:
        raise BadParameter("The filter compares with a text that holds a NUL.")
    if isinstance(tree, bool | str | int | float):
        return tree
    raise BadParameter(f"The filter compares with {json.dumps(tree)[:60]}, which is no text, number or truth value.")


def _of_object(tree: Mapping[str, Any], depth: int, counted: list[int]) -> Operand:
    if "property" in tree:
        return Property(_name_of(tree["property"]))
    if "timestamp" in tree:
        return moment_of(tree["timestamp"])
    if "date" in tree:
        return moment_of(f"{tree['date']}T00:00:00Z")
    op, args = tree.get("op"), tree.get("args")
    if not isinstance(op, str) or not isinstance(args, list) or op not in OPERATORS:
        raise BadParameter(
            f"A filter has no {str(op or next(iter(tree), 'nothing'))[:60]!r}: {', '.join(OPERATORS)}."
        )
    if op == "in" and len(args) == 2 and isinstance(args[1], list):
        args, wanted = [args[0], *args[1]], len(args[1]) + 1
    else:
        wanted = NUMBERS.get(op, max(len(args), 1))
    if len(args) != wanted or len(args) < (2 if op == "in" else 1):
        raise BadParameter(f"The operator {op} of a filter has {len(args)} operands.")
    return _dated(Condition(op, tuple(_operand(each, depth + 1, counted) for each in args)))


def _name_of(name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise BadParameter("A property of a filter has a name of 1 to 200 characters.")
    return name.removeprefix("properties.")


def _dated(found: Condition) -> Condition:
    """Return a condition whose texts are moments where they are compared with one: clients write them so, too."""
    named = [each for each in found.args if isinstance(each, Property)]
    if len(named) != 1 or FIELDS.get(named[0].name) is not Kind.MOMENT:
        return found
    return Condition(found.op, tuple(moment_of(each) if isinstance(each, str) else each for each in found.args))
