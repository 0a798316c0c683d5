"""The step that keeps what the datasets of each audience and collection come to, in cells of one degree of longitude.

A list of collections looks at some hundred cells and not at a million datasets. A cell whose westernmost, newest or
other outermost dataset has gone is looked at anew: by readers at once, by a writer when it pays.
"""

from __future__ import annotations

# Those without a place are a cell of their own, behind the 360 of one turn.
NOWHERE = 999
DEGREE = f"CAST(coalesce({{row}}west + 180, {NOWHERE}) AS INTEGER)"
TABLE = """CREATE TABLE collection_cells (
    audience TEXT NOT NULL,
    collection TEXT NOT NULL,
    degree INTEGER NOT NULL,
    number INTEGER NOT NULL,
    west REAL, east REAL, south REAL, north REAL,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    gone INTEGER NOT NULL,
    PRIMARY KEY (audience, collection, degree)
) WITHOUT ROWID"""
BOUNDS = "min(west), max(east), min(south), max(north), min(start_at), max(end_at)"
INDEX = f"""CREATE INDEX dataset_audiences_cells ON dataset_audiences
    (audience, collection, {DEGREE.format(row="")}, west, east, south, north, start_at, end_at)"""
FILL = f"""INSERT INTO collection_cells
    SELECT audience, collection, {DEGREE.format(row="")}, count(*), {BOUNDS}, 0 FROM dataset_audiences
    GROUP BY audience, collection, {DEGREE.format(row="")}"""  # noqa: S608 - no text of others
ADDED = f"""CREATE TRIGGER dataset_audiences_added AFTER INSERT ON dataset_audiences BEGIN
        INSERT INTO collection_cells VALUES (NEW.audience, NEW.collection, {DEGREE.format(row="NEW.")}, 1,
                NEW.west, NEW.east, NEW.south, NEW.north, NEW.start_at, NEW.end_at, 0)
            ON CONFLICT (audience, collection, degree) DO UPDATE SET number = number + 1,
                west = min(west, excluded.west), east = max(east, excluded.east),
                south = min(south, excluded.south), north = max(north, excluded.north),
                first = min(first, excluded.first), last = max(last, excluded.last);
    END"""  # noqa: S608 - no text of others
CELL = f"audience = OLD.audience AND collection = OLD.collection AND degree = {DEGREE.format(row='OLD.')}"
OUTERMOST = """coalesce(OLD.west <= west OR OLD.east >= east OR OLD.south <= south OR OLD.north >= north
                OR OLD.start_at <= first OR OLD.end_at >= last, 0)"""
# A look at all of a cell is paid for by those of which it has one for each.
LEFT_FOR_EACH_GONE = 16
TAKEN = f"""CREATE TRIGGER dataset_audiences_taken AFTER DELETE ON dataset_audiences BEGIN
        UPDATE collection_cells SET number = number - 1, gone = gone + {OUTERMOST} WHERE {CELL};
        DELETE FROM collection_cells WHERE {CELL} AND number = 0;
        UPDATE collection_cells SET gone = 0, (west, east, south, north, first, last) = (
                SELECT {BOUNDS} FROM dataset_audiences WHERE audience = OLD.audience
                    AND collection = OLD.collection AND {DEGREE.format(row="")} = {DEGREE.format(row="OLD.")})
            WHERE {CELL} AND gone * {LEFT_FOR_EACH_GONE} >= number;
    END"""  # noqa: S608 - no text of others
CELLS = (TABLE, INDEX, FILL, ADDED, TAKEN)
# Of the cells of a reader and some collections: what they hold, or what is found of those that have lost some.
EXTENTS = f"""SELECT collection, number, west, east, south, north, first, last FROM collection_cells
        WHERE audience IN (SELECT value FROM json_each(:audiences))
            AND collection IN (SELECT value FROM json_each(:collections)) AND gone = 0
    UNION ALL SELECT cell.collection, count(*), min(a.west), max(a.east), min(a.south), max(a.north), min(a.start_at),
            max(a.end_at)
        FROM collection_cells AS cell CROSS JOIN dataset_audiences AS a INDEXED BY dataset_audiences_cells
            ON a.audience = cell.audience AND a.collection = cell.collection
                AND {DEGREE.format(row="a.")} = cell.degree
        WHERE cell.audience IN (SELECT value FROM json_each(:audiences))
            AND cell.collection IN (SELECT value FROM json_each(:collections)) AND cell.gone > 0
        GROUP BY cell.audience, cell.collection, cell.degree"""  # noqa: S608 - no text of others
