"""JSON of others as values that can be compared, stored and written again (RFC 8259)."""

from __future__ import annotations

import json
import sys
from typing import Any

# Of objects and lists in one another: what reads a value later, from an audit row say, goes as deep.
MOST_DEPTH = 64


def value_of(text: str | bytes) -> Any:
    """Return the value of a JSON text; bytes are UTF-8.

    Raises ValueError for what is no JSON, for numbers that no float holds, NaN among them, and for what is nested
    deeper than MOST_DEPTH; RecursionError for what is nested very deep.
    """
    told = text if isinstance(text, str) else text.decode("utf-8-sig")
    found = json.loads(told, parse_constant=_refuse, parse_float=_finite, parse_int=_whole)
    if is_deeper(found, MOST_DEPTH):
        raise ValueError(f"it is nested deeper than {MOST_DEPTH}")
    return found


def is_deeper(value: Any, most: int) -> bool:
    """Return whether more than `most` objects and lists are in one another."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        inner = [(each.values() if isinstance(each, dict) else each) for each in level]
        level = [each for part in inner for each in part if isinstance(each, dict | list)]
    return bool(level)


def require_unicode(value: Any) -> None:
    """Return for a value all texts of which can be written as UTF-8: JSON may name half of a pair of surrogates.

    Raises ValueError.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("a text in it is no valid Unicode") from None


def is_number(value: Any) -> bool:
    """Return whether a value of JSON is a number that a float holds."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    # Whole numbers of any length are compared, where they cannot be converted; with NaN nothing compares.
    return plain and abs(value) <= sys.float_info.max


def _finite(text: str) -> float:
    return float(_held(float(text), text))


def _whole(text: str) -> int:
    return int(_held(int(text), text))


def _held(number: float, text: str) -> float:
    return number if is_number(number) else _refuse(text)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text[:20]} is no number that can be held")
