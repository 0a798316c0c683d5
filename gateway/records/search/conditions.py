"""The conditions of a search as SQL: an allow-list of operators and properties, each value bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from gateway.catalogue.conditions import COMPARISONS, FIELDS, Kind
from gateway.catalogue.search import Condition, Literal, Operand, Property
from gateway.errors import BadParameter
from gateway.records.search.dialect import Dialect, Values

# By the names of items of STAC. Moments are text in one database and not in the other; both compare them with text.
COLUMNS = {
    "id": "a.dataset_id",
    "collection": "a.collection",
    "title": "d.title",
    "datetime": "a.start_at",
    "start_datetime": "a.start_at",
    "end_datetime": "a.end_at",
    "created": "d.created_at",
    "updated": "d.updated_at",
    "file:size": "d.size_bytes",
}
# Each of them is tried against all that the others leave.
MOST_WILDCARDS = 8
# Of the last report of the check, which both databases keep as JSON.
REPORTED = {"gateway:valid": "valid", "gateway:depth": "depth", "gateway:checked_at": "checked_at"}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
TYPES: dict[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,), Kind.NUMBER: (int, float), Kind.MOMENT: (datetime,), Kind.TRUTH: (bool,),
}  # fmt: skip


def condition(dialect: Dialect, values: Values, found: Condition) -> str:
    """Return a condition as SQL; raises BadParameter naming what it cannot compare."""

    def told(each: Operand) -> str:
        if not isinstance(each, Condition):
            raise BadParameter("The filter joins what is no condition.")
        return condition(dialect, values, each)

    if found.op in ("and", "or"):
        return f"({f' {found.op.upper()} '.join(map(told, found.args))})"
    if found.op == "not":
        return f"(NOT {told(found.args[0])})"
    if found.op in COMPARISONS:
        first, second = found.args
        if isinstance(second, Property):
            return _compared(dialect, values, second, TURNED.get(found.op, found.op), first)
        return _compared(dialect, values, first, found.op, second)
    if found.op not in BY_PROPERTY:
        raise BadParameter(f"A filter has no operator {found.op}.")
    named, *rest = found.args
    if not isinstance(named, Property):
        raise BadParameter(f"The operator {found.op} of a filter begins with a property.")
    return BY_PROPERTY[found.op](dialect, values, named, rest)


def _is_null(dialect: Dialect, values: Values, named: Property, rest: Sequence[Operand]) -> str:
    if named.name in REPORTED:
        return f"({_column(dialect, named.name)} IS NULL)"
    return "(1 = 0)" if named.name in COLUMNS else dialect.is_missing(values, named.name)


def _between(dialect: Dialect, values: Values, named: Property, rest: Sequence[Operand]) -> str:
    ends = zip((">=", "<="), rest, strict=True)
    return "(" + " AND ".join(_compared(dialect, values, named, op, end) for op, end in ends) + ")"


def _in(dialect: Dialect, values: Values, named: Property, rest: Sequence[Operand]) -> str:
    return "(" + " OR ".join(_compared(dialect, values, named, "=", each) for each in rest) + ")"


def _compared(dialect: Dialect, values: Values, named: Operand, op: str, literal: Operand) -> str:
    if not isinstance(named, Property) or isinstance(literal, Condition | Property):
        raise BadParameter(f"The operator {op} of a filter compares one property with one value.")
    if named.name not in FIELDS:
        if isinstance(literal, datetime):
            raise BadParameter(f"The filter compares {named.name}, which is no moment, with one.")
        return dialect.compare(values, named.name, op, literal)
    _require_type(named.name, literal)
    return f"{_column(dialect, named.name)} {op} {values.bind(literal)}"


def _column(dialect: Dialect, name: str) -> str:
    return COLUMNS[name] if name in COLUMNS else dialect.reported(REPORTED[name], FIELDS[name])


def _require_type(name: str, literal: Literal) -> None:
    wanted = FIELDS[name]
    if isinstance(literal, bool) is not (wanted is Kind.TRUTH) or not isinstance(literal, TYPES[wanted]):
        raise BadParameter(f"The filter compares {name}, a {wanted.value}, with what is none.")


def _like(dialect: Dialect, values: Values, named: Property, rest: Sequence[Operand]) -> str:
    (pattern,) = rest
    if not isinstance(pattern, str):
        raise BadParameter("The operator like of a filter takes a text.")
    if pattern.count("%") > MOST_WILDCARDS or (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise BadParameter(f"A pattern of a filter has at most {MOST_WILDCARDS} %, and no lone backslash at its end.")
    if named.name not in FIELDS:
        return dialect.is_like(values, named.name, pattern)
    _require_type(named.name, pattern)
    return dialect.like(values, _column(dialect, named.name), pattern)


BY_PROPERTY: dict[str, Callable[[Dialect, Values, Property, Sequence[Operand]], str]] = {
    "isNull": _is_null,
    "between": _between,
    "in": _in,
    "like": _like,
}
