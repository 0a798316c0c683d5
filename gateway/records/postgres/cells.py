"""The step that keeps what the datasets of each audience and collection come to, in cells of one degree of longitude.

A list of collections looks at some hundred cells and not at a million datasets. A cell is several rows, shared out
among the connections, so that those who write at once seldom wait for each other: together they tell of it. A cell
whose westernmost, newest or other outermost dataset has gone is looked at anew: by readers at once, by a writer when
it pays.
"""

from __future__ import annotations

# Those without a place are a cell of their own, behind the 360 of one turn.
NOWHERE = 999
DEGREE = f"(coalesce(floor(({{row}}place[1])[0]) + 180, {NOWHERE})::integer)"
TABLE = """CREATE TABLE collection_cells (
    audience text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    degree integer NOT NULL,
    shard integer NOT NULL,
    number bigint NOT NULL,
    west float8, east float8, south float8, north float8,
    first timestamptz(3),
    last timestamptz(3),
    gone bigint NOT NULL,
    PRIMARY KEY (audience, collection, degree, shard)
) WITH (fillfactor = 50)"""
BOUNDS = """min((place[1])[0]) AS west, max((place[0])[0]) AS east, min((place[1])[1]) AS south,
        max((place[0])[1]) AS north, min(start_at) AS first, max(end_at) AS last"""
NAMES = ("west", "east", "south", "north", "first", "last")
FILL = f"""INSERT INTO collection_cells
    SELECT audience, collection, {DEGREE.format(row="")}, 0, count(*), {BOUNDS}, 0 FROM dataset_audiences
    GROUP BY 1, 2, 3"""  # noqa: S608 - no text of others
INDEX = {"dataset_audiences_cells": f"ON dataset_audiences (audience, collection, ({DEGREE.format(row='')}))"}
CELL = f"""c.audience = OLD.audience AND c.collection = OLD.collection AND c.degree = {DEGREE.format(row="OLD.")}"""
ADDED = f"""CREATE FUNCTION add_to_cell() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO collection_cells AS c
            VALUES (NEW.audience, NEW.collection, {DEGREE.format(row="NEW.")}, pg_backend_pid() % 16, 1,
                (NEW.place[1])[0], (NEW.place[0])[0], (NEW.place[1])[1], (NEW.place[0])[1],
                NEW.start_at, NEW.end_at, 0)
            ON CONFLICT (audience, collection, degree, shard) DO UPDATE SET number = c.number + 1,
                west = least(c.west, excluded.west), east = greatest(c.east, excluded.east),
                south = least(c.south, excluded.south), north = greatest(c.north, excluded.north),
                first = least(c.first, excluded.first), last = greatest(c.last, excluded.last);
        RETURN NULL;
    END $$"""  # noqa: S608 - no text of others
# A look at all of a cell is paid for by those of which it has one for each. It is done where nobody else has a hand
# on the cell: all rows that there are of it as of that look are locked, and tell of what the look has seen alone. Nor
# does it where another one is about to take from the cell, from before it sees what is outermost until its commit:
# what was not when it looked may be after others have gone. All cells share some locks:
# a server has few.
LEFT_FOR_EACH_GONE = 16
LOCKS, OF_CELLS = 64, 0x63656C6C
LOCKED = f"hashtext(concat_ws(' ', OLD.audience, OLD.collection, {DEGREE.format(row='OLD.')})) & {LOCKS - 1}"
LOCK = f"({OF_CELLS}, {LOCKED})"
TAKEN = f"""CREATE FUNCTION take_from_cell() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE known record; held integer[]; shared boolean := pg_try_advisory_xact_lock_shared{LOCK};
    BEGIN
        SELECT sum(c.number) - 1 AS number, sum(c.gone) + 1 AS gone,
                NOT shared OR coalesce((OLD.place[1])[0] <= min(c.west) OR (OLD.place[0])[0] >= max(c.east)
                    OR (OLD.place[1])[1] <= min(c.south) OR (OLD.place[0])[1] >= max(c.north), false)
                    OR OLD.start_at <= min(c.first) OR OLD.end_at >= max(c.last) AS outermost
            INTO known FROM collection_cells AS c WHERE {CELL};
        INSERT INTO collection_cells AS c (audience, collection, degree, shard, number, gone)
            VALUES (OLD.audience, OLD.collection, {DEGREE.format(row="OLD.")}, pg_backend_pid() % 16, -1,
                coalesce(known.outermost, true)::integer)
            ON CONFLICT (audience, collection, degree, shard) DO UPDATE
                SET number = c.number - 1, gone = c.gone + excluded.gone;
        IF (shared AND known.outermost AND known.gone * {LEFT_FOR_EACH_GONE} >= known.number) IS NOT TRUE THEN
            RETURN NULL;
        END IF;
        IF pg_try_advisory_xact_lock{LOCK} THEN
            SELECT array_agg(locked.shard) INTO held FROM (
                SELECT c.shard FROM collection_cells AS c WHERE {CELL} FOR UPDATE SKIP LOCKED) AS locked;
            UPDATE collection_cells AS c SET gone = 0,
                    number = CASE WHEN c.shard = held[1] THEN found.number ELSE 0 END,
                    {", ".join(f"{name} = CASE WHEN c.shard = held[1] THEN found.{name} END" for name in NAMES)}
                FROM (SELECT count(*) AS number, {BOUNDS} FROM dataset_audiences
                    WHERE audience = OLD.audience AND collection = OLD.collection
                        AND {DEGREE.format(row="")} = {DEGREE.format(row="OLD.")}) AS found
                WHERE {CELL} AND c.shard = ANY(held)
                    AND cardinality(held) = (SELECT count(*) FROM collection_cells AS c WHERE {CELL});
        END IF;
        RETURN NULL;
    END $$"""  # noqa: S608 - no text of others
TRIGGERS = (
    """CREATE TRIGGER dataset_audiences_added AFTER INSERT ON dataset_audiences
        FOR EACH ROW EXECUTE FUNCTION add_to_cell()""",
    """CREATE TRIGGER dataset_audiences_taken AFTER DELETE ON dataset_audiences
        FOR EACH ROW EXECUTE FUNCTION take_from_cell()""",
)
# The triggers come first: with them nobody writes until this is done. A catalogue without collections has nothing to
# be filled in yet.
CELLS = (TABLE, ADDED, TAKEN, *TRIGGERS, FILL)
# Of the cells of a reader and some collections: what they hold, or what is found of those that have lost some.
EXTENTS = f"""WITH cells AS MATERIALIZED (
        SELECT audience, collection, degree, sum(number)::bigint AS number, sum(gone) AS gone, min(west) AS west,
            max(east) AS east, min(south) AS south, max(north) AS north, min(first) AS first, max(last) AS last
        FROM collection_cells WHERE audience = ANY(%(audiences)s) AND collection = ANY(%(collections)s)
        GROUP BY audience, collection, degree HAVING sum(number) > 0
    )
    SELECT collection, number, {", ".join(NAMES)} FROM cells WHERE gone = 0
    UNION ALL SELECT cells.collection, found.* FROM cells CROSS JOIN LATERAL (
        SELECT count(*) AS number, {BOUNDS} FROM dataset_audiences AS a
        WHERE a.audience = cells.audience AND a.collection = cells.collection
            AND {DEGREE.format(row="a.")} = cells.degree
    ) AS found WHERE cells.gone > 0"""  # noqa: S608 - no text of others
