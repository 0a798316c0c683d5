"""The step that gives each audience a number, and the R*Tree a dimension for it: it passes over what others see."""

from __future__ import annotations

from gateway.records.audiences import ALL
from gateway.records.sqlite.searchable import DAY

NUMBERS_TABLE = "CREATE TABLE audiences (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"
# Those whom a dataset has one row of come first: one range of numbers.
SHARED_NUMBERS = {name: number for number, name in enumerate(ALL, 1)}
SHARED = ", ".join(f"({number}, '{name}')" for name, number in SHARED_NUMBERS.items())
NUMBER_SHARED = f"INSERT INTO audiences VALUES {SHARED}"  # noqa: S608 - no text of others
NUMBER = "INSERT INTO audiences (name) SELECT {name} WHERE NOT EXISTS (SELECT 1 FROM audiences WHERE name = {name})"
NUMBER_OTHERS = """INSERT INTO audiences (name) SELECT DISTINCT audience FROM dataset_audiences
    WHERE audience NOT IN (SELECT name FROM audiences)"""
# Single floats, which the R*Tree rounds outwards and which tell whole numbers up to 2 ** 24 apart: longitude,
# latitude, days since 1970, the number of the audience. With no width in it every box would have the volume zero, by
# which the tree is built. A box that crosses the antimeridian is there twice.
BOXES_TABLE = """CREATE VIRTUAL TABLE dataset_boxes USING rtree (
    id, west, east, south, north, first_day, last_day, first_audience, last_audience)"""
OF_ROW = f"{DAY.format(moment='{row}.start_at')}, {DAY.format(moment='{row}.end_at')}, {{who}}, {{who}} + 0.5"
BOX = "SELECT 2 * {row}.number, {row}.west, min({row}.east, 180), {row}.south, {row}.north, " + OF_ROW
BEYOND = "SELECT 2 * {row}.number + 1, -180, {row}.east - 360, {row}.south, {row}.north, " + OF_ROW
NUMBER_OF_NEW = "(SELECT number FROM audiences WHERE name = NEW.audience)"
NEW, KNOWN = {"row": "NEW", "who": NUMBER_OF_NEW}, {"row": "a", "who": "who.number"}
FROM_KNOWN = "FROM dataset_audiences AS a JOIN audiences AS who ON who.name = a.audience"
BOXED = f"""CREATE TRIGGER dataset_audiences_boxed AFTER INSERT ON dataset_audiences WHEN NEW.west IS NOT NULL BEGIN
        {NUMBER.format(name="NEW.audience")};
        INSERT INTO dataset_boxes {BOX.format(**NEW)};
        INSERT INTO dataset_boxes {BEYOND.format(**NEW)} WHERE NEW.east > 180;
    END"""
UNBOXED = """CREATE TRIGGER dataset_audiences_unboxed AFTER DELETE ON dataset_audiences WHEN OLD.west IS NOT NULL
    BEGIN
        DELETE FROM dataset_boxes WHERE id = 2 * OLD.number;
        DELETE FROM dataset_boxes WHERE id = 2 * OLD.number + 1;
    END"""
AUDIENCES = (
    NUMBERS_TABLE,
    NUMBER_SHARED,
    NUMBER_OTHERS,
    "DROP TRIGGER dataset_audiences_boxed",
    "DROP TRIGGER dataset_audiences_unboxed",
    "DROP TABLE dataset_boxes",
    BOXES_TABLE,
    f"INSERT INTO dataset_boxes {BOX.format(**KNOWN)} {FROM_KNOWN} WHERE a.west IS NOT NULL ORDER BY a.number",
    f"INSERT INTO dataset_boxes {BEYOND.format(**KNOWN)} {FROM_KNOWN} WHERE a.east > 180 ORDER BY a.number",
    BOXED,
    UNBOXED,
)
