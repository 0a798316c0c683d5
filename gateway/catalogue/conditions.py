"""What a condition may say: its operators, and the properties that every dataset has."""

from __future__ import annotations

from enum import StrEnum

LOGICAL = ("and", "or", "not")
COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
OPERATORS = (*LOGICAL, *COMPARISONS, "isNull", "between", "in", "like")


class Kind(StrEnum):
    """What the values of a property are."""

    TEXT = "string"
    NUMBER = "number"
    MOMENT = "moment"
    TRUTH = "truth value"


# By the names that items of STAC and their assets have for them; other names are the datasets' own properties.
FIELDS = {
    "id": Kind.TEXT,
    "collection": Kind.TEXT,
    "title": Kind.TEXT,
    "datetime": Kind.MOMENT,
    "start_datetime": Kind.MOMENT,
    "end_datetime": Kind.MOMENT,
    "created": Kind.MOMENT,
    "updated": Kind.MOMENT,
    "file:size": Kind.NUMBER,
    "gateway:valid": Kind.TRUTH,
    "gateway:depth": Kind.TEXT,
    "gateway:checked_at": Kind.MOMENT,
}
