"""The step that makes collections, and the table that searches look at: one row for each audience of a dataset."""

from __future__ import annotations

# As gateway.catalogue.collections.collection_of_root has it.
OF_ROOT = "(CASE WHEN left({root}, 1) IN ('_', '-') THEN 'root' || {root} ELSE {root} END)"
COLLECTIONS_TABLE = """CREATE TABLE collections (
    id text COLLATE "C" PRIMARY KEY,
    title text NOT NULL,
    description text NOT NULL,
    license text NOT NULL,
    keywords json NOT NULL,
    providers json NOT NULL,
    created_at timestamptz(3) NOT NULL,
    updated_at timestamptz(3) NOT NULL
)"""
MAKE_COLLECTION = "INSERT INTO collections SELECT {id}, {id}, '', 'other', '[]', '[]', now(), now()"
# `properties` keeps its text, so that a copy can be compared with it.
# Adding these looks at no row, and so keeps nobody waiting for long.
COLUMNS = """ALTER TABLE datasets
    ADD COLUMN collection text COLLATE "C",
    ADD COLUMN start_at timestamptz(3),
    ADD COLUMN end_at timestamptz(3),
    ADD COLUMN dated_by text,
    ADD COLUMN footprint text,
    ADD COLUMN properties json NOT NULL DEFAULT '{}',
    ADD CONSTRAINT datasets_collection FOREIGN KEY (collection) REFERENCES collections (id) NOT VALID"""
# The version of a local file names the moment of its last modification in nanoseconds; of an object in a store
# nothing is known but when it was registered.
MODIFIED = """CREATE FUNCTION modified_in(version text) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN version ~ '^[0-9a-f]{1,16}-[0-7]?[0-9a-f]{1,15}-[0-9a-f]{1,16}$' THEN to_timestamp(
        ('x' || lpad(split_part(version, '-', 2), 16, '0'))::bit(64)::bigint / 1000000 / 1000.0) END $$"""
# The row of a dataset that was there before has no collection until it is changed or its turn has come.
FILL = """UPDATE datasets SET collection = collection WHERE id = ANY(%s) AND collection IS NULL"""
FILLED = "ALTER TABLE datasets VALIDATE CONSTRAINT datasets_collection"
# Who may see a dataset, in as few rows as can be: whoever sees it as everybody does needs no row of their own.
# `place` is its box, unrolled past 180 where it crosses the antimeridian. `names` tells its properties and of which
# type they are.
AUDIENCES_TABLE = """CREATE TABLE dataset_audiences (
    dataset_id text COLLATE "C" NOT NULL,
    audience text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    start_at timestamptz(3) NOT NULL,
    end_at timestamptz(3) NOT NULL,
    place box,
    names text COLLATE "C" NOT NULL,
    PRIMARY KEY (dataset_id, audience)
)"""
# Built after the rows of a catalogue that is there: that is quicker.
LATER = {
    # A search walks along these without a look at the table; the interval's other end is in them for that.
    "dataset_audiences_newest": "ON dataset_audiences (audience, start_at DESC, dataset_id) INCLUDE (end_at)",
    "dataset_audiences_newest_of_collection": """ON dataset_audiences
        (audience, collection, start_at DESC, dataset_id) INCLUDE (end_at)""",
    "dataset_audiences_names": "ON dataset_audiences (audience, collection, names) WHERE names <> '[]'",
    "dataset_audiences_places": """ON dataset_audiences
        USING gist (place, tstzrange(start_at, end_at, '[]'))""",
    # How long the longest interval is.
    "datasets_by_length": "ON datasets ((end_at - start_at)) WHERE end_at > start_at",
    "datasets_by_collection": "ON datasets (collection)",
}
SHOW = """INSERT INTO dataset_audiences
    SELECT d.id, seen.audience, d.collection, d.start_at, d.end_at,
        box(point(d.west + turn, d.south),
            point(d.east + CASE WHEN d.west > d.east THEN 360 ELSE 0 END + turn, d.north)),
        coalesce((SELECT json_agg(json_build_array(key, json_typeof(value)) ORDER BY key COLLATE "C")::text
            FROM json_each(d.properties)), '[]')
    FROM datasets AS d CROSS JOIN LATERAL (
        SELECT CASE d.visibility WHEN 'private' THEN 'role:admin' ELSE d.visibility END AS audience
        UNION SELECT 'user:' || d.owner WHERE d.visibility = 'private' AND d.owner IS NOT NULL
        UNION SELECT kind || ':' || name FROM grants WHERE dataset_id = d.id AND d.visibility = 'private'
    ) AS seen
    CROSS JOIN LATERAL (
        SELECT CASE WHEN d.west > 180 THEN -360 WHEN d.west < -180 THEN 360 ELSE 0 END AS turn
    ) AS turns"""
FUNCTIONS = (
    f"""CREATE FUNCTION show_dataset(shown text) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN
            DELETE FROM dataset_audiences WHERE dataset_id = shown;
            {SHOW} WHERE d.id = shown AND d.collection IS NOT NULL;
        END $$""",  # noqa: S608 - no text of others
    # What a writer of an older release leaves out, or has left out before there were such columns.
    f"""CREATE FUNCTION complete_dataset() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.collection IS NULL THEN
                NEW.collection := {OF_ROOT.format(root="NEW.root")};
                {MAKE_COLLECTION.format(id="NEW.collection")} ON CONFLICT DO NOTHING;
            END IF;
            NEW.start_at := coalesce(NEW.start_at, modified_in(NEW.version), NEW.created_at);
            NEW.end_at := coalesce(NEW.end_at, NEW.start_at);
            NEW.dated_by := coalesce(NEW.dated_by, 'modified');
            RETURN NEW;
        END $$""",
    """CREATE FUNCTION show_changed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM show_dataset(NEW.id); RETURN NULL; END $$""",
    """CREATE FUNCTION hide_removed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN DELETE FROM dataset_audiences WHERE dataset_id = OLD.id; RETURN NULL; END $$""",
    """CREATE FUNCTION show_granted() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM show_dataset(CASE WHEN TG_OP = 'DELETE' THEN OLD.dataset_id ELSE NEW.dataset_id END);
            RETURN NULL;
        END $$""",
)
LOOKED_AT = "visibility, owner, collection, start_at, end_at, west, south, east, north, properties"
# Triggers of one kind run by their names: those that renew the revision lock the row of a dataset first. What is
# shown is complete.
TRIGGERS = (
    f"""CREATE TRIGGER datasets_completed BEFORE INSERT OR UPDATE OF {LOOKED_AT} ON datasets
        FOR EACH ROW EXECUTE FUNCTION complete_dataset()""",
    f"""CREATE TRIGGER datasets_shown AFTER INSERT OR UPDATE OF {LOOKED_AT} ON datasets
        FOR EACH ROW EXECUTE FUNCTION show_changed()""",
    "CREATE TRIGGER datasets_hidden AFTER DELETE ON datasets FOR EACH ROW EXECUTE FUNCTION hide_removed()",
    """CREATE TRIGGER grants_shown AFTER INSERT OR UPDATE OR DELETE ON grants
        FOR EACH ROW EXECUTE FUNCTION show_granted()""",
)
COLLECTIONS = (COLLECTIONS_TABLE, AUDIENCES_TABLE, COLUMNS, MODIFIED, *FUNCTIONS, *TRIGGERS)
