"""How many datasets lie in a box, by what is kept of cells of one degree of longitude.

Datasets are looked at in those cells alone of which a part may lie beside the box.
Of each audience, collection and cell it is kept how many datasets there are, and a box and an interval that hold all
of them: the triggers that change a dataset change them in the same transaction.
"""

from __future__ import annotations

from gateway.catalogue.search import MOST_COUNTED, Box, Interval
from gateway.records.audiences import SHARED
from gateway.records.search.dialect import Database, Values, shifted
from gateway.records.search.statements import Statement, Statements


def counted(database: Database, statements: Statements, few: int) -> int | None:
    """Return how many datasets there are for some audiences, None where cells do not tell.

    They do where there is one row of each dataset and no filter, and where at most a `few` datasets have to be
    looked at.
    """
    search = statements.search
    plain = search.ids is None and search.filter is None and statements.whole is None
    if not (plain and search.collections and statements.box and SHARED.issuperset(statements.audiences)):
        return None
    kept = database.rows(*_sums(statements))[0]
    number, left_open = int(kept["number"]), int(kept["left_open"])
    if left_open == 0 or number >= MOST_COUNTED:
        return number
    return None if left_open > few else number + int(database.rows(*_left_open(statements))[0]["number"])


def _sums(statements: Statements) -> Statement:
    """Return the query for how many datasets are in the box (`number`), and of how many that is `left_open`."""
    values = Values(statements.dialect)
    cells, sure = _cells(statements, values)
    return (
        f"SELECT coalesce(sum(CASE WHEN {sure} THEN number END), 0) AS number,"  # noqa: S608 - texts of ours
        f" coalesce(sum(CASE WHEN {sure} THEN 0 ELSE number END), 0) AS left_open FROM {cells}",
        values.given,
    )


def _left_open(statements: Statements) -> Statement:
    """Return the query for how many of those that are left open are in the box."""
    values = Values(statements.dialect)
    cells, sure = _cells(statements, values)
    met = " AND ".join(statements.met(values))
    return (
        f"SELECT count(*) AS number FROM (SELECT * FROM {cells} WHERE NOT ({sure})) AS cell"  # noqa: S608
        f" {statements.dialect.join} {statements.dialect.in_cell} WHERE {met}",
        values.given,
    )


def _cells(statements: Statements, values: Values) -> tuple[str, str]:
    """Return the cells of which some datasets may be in the box, and the condition that all of them are."""
    search, box = statements.search, statements.box
    assert box is not None  # noqa: S101 - else cells tell nothing
    possible, sure = _within(values, box), _within(values, box, whole=True)
    when = search.datetime or Interval()
    for column, other, op, moment in (
        ("first", "last", "<=", when.end_at), ("last", "first", ">=", when.start_at)
    ):  # fmt: skip
        if moment is not None:
            possible += f" AND {column} {op} {values.bind(moment)}"
            sure += f" AND {other} {op} {values.bind(moment)}"
    seen = (
        f"{values.among('audience', statements.audiences)} AND {values.among('collection', search.collections or ())}"
    )
    cells = f"""(SELECT * FROM (
            SELECT audience, collection, degree, sum(number) AS number, min(west) AS west, max(east) AS east,
                min(south) AS south, max(north) AS north, min(first) AS first, max(last) AS last
            FROM collection_cells WHERE {seen} GROUP BY audience, collection, degree) AS kept
        WHERE {possible}) AS cells"""  # noqa: S608 - texts of ours
    return cells, f"({sure})"


def _within(values: Values, box: Box, *, whole: bool = False) -> str:
    """Return the condition that the box of a cell meets another one, or lies in it as a `whole`."""
    ends = ("east", "west") if whole else ("west", "east")
    longitudes = " OR ".join(
        f"({ends[0]} <= {values.bind(east)} AND {ends[1]} >= {values.bind(west)})" for west, east in shifted(box)
    )
    low, high = ("north", "south") if whole else ("south", "north")
    return f"{low} <= {values.bind(box[3])} AND {high} >= {values.bind(box[1])} AND ({longitudes})"
