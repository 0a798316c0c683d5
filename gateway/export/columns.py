"""What columns hold that many JSON documents become: types that all of them fit, found by looking at each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

# Deeper in one another, or with more members, objects are no columns any more.
DEEPEST, MOST_MEMBERS = 8, 500
INTEGERS = range(-(2**63), 2**63)
SCALARS = {"boolean": pa.bool_(), "integer": pa.int64(), "number": pa.float64(), "string": pa.string()}


@dataclass(slots=True)
class Kind:
    """What the values in one place of many documents are.

    Values that have no type in common, that are nested too deep and objects without a member are JSON texts.
    """

    names: set[str] = field(default_factory=set)
    members: dict[str, Kind] = field(default_factory=dict)
    element: Kind | None = None

    def take(self, value: Any, depth: int = 0) -> None:
        """Take note of a value; null fits all."""
        if value is None:
            return
        self.names.add(_name(value, depth))
        if isinstance(value, dict) and not self.is_text:
            for name, each in value.items():
                self.members.setdefault(name, Kind()).take(each, depth + 1)
            if len(self.members) > MOST_MEMBERS and depth:
                self.names.add("loose")
        elif isinstance(value, list) and not self.is_text:
            self.element = self.element or Kind()
            for each in value:
                self.element.take(each, depth + 1)

    @property
    def is_text(self) -> bool:
        """Return whether the values are JSON texts."""
        return "loose" in self.names or len(self.names - {"integer"} if "number" in self.names else self.names) > 1

    @property
    def type(self) -> pa.DataType:
        """Return the type of a column."""
        if self.is_text or not self.names:
            return pa.string()
        (name,) = self.names if len(self.names) == 1 else ("number",)
        if name == "object":
            return (
                pa.struct([pa.field(name, kind.type) for name, kind in self.members.items()])
                if self.members
                else pa.string()
            )
        if name == "array":
            return pa.list_(self.element.type if self.element is not None else pa.string())
        return SCALARS[name]

    def fitted(self, value: Any) -> Any:
        """Return a value as its column takes it."""
        if value is None:
            return None
        if self.is_text or (isinstance(value, dict) and not self.members):
            return json.dumps(value, ensure_ascii=False)
        if isinstance(value, dict):
            return {name: self.members[name].fitted(each) for name, each in value.items()}
        if isinstance(value, list) and self.element is not None:
            return [self.element.fitted(each) for each in value]
        return float(value) if "number" in self.names else value


def _name(value: Any, depth: int) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if value in INTEGERS else "loose"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    if depth > DEEPEST:
        return "loose"
    return "object" if isinstance(value, dict) else "array"
