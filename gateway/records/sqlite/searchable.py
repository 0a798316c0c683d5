"""The step that makes collections, and the table that searches look at: one row for each audience of a dataset."""

from __future__ import annotations

NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
# As gateway.catalogue.collections.collection_of_root has it.
OF_ROOT = "CASE WHEN substr({root}, 1, 1) IN ('_', '-') THEN 'root' || {root} ELSE {root} END"
COLLECTIONS_TABLE = """CREATE TABLE collections (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    license TEXT NOT NULL,
    keywords TEXT NOT NULL,
    providers TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
)"""
MAKE_COLLECTION = "INSERT OR IGNORE INTO collections SELECT {id}, {id}, '', 'other', '[]', '[]', {now}, {now}"
COLUMNS = (
    "ALTER TABLE datasets ADD COLUMN collection TEXT REFERENCES collections (id)",
    *(f"ALTER TABLE datasets ADD COLUMN {name} TEXT" for name in ("start_at", "end_at", "dated_by", "footprint")),
    "ALTER TABLE datasets ADD COLUMN properties TEXT NOT NULL DEFAULT '{}'",
)
# The version of a local file names the moment of its last modification; of an object in a store nothing is known but
# when it was registered.
MOMENT = "coalesce(modified_in(version), created_at)"
FILL = (
    MAKE_COLLECTION.format(id=OF_ROOT.format(root="root"), now=NOW) + " FROM (SELECT DISTINCT root FROM datasets)",  # noqa: S608 - no text of others
    f"""UPDATE datasets SET collection = {OF_ROOT.format(root="root")}, start_at = {MOMENT}, end_at = {MOMENT},
        dated_by = 'modified'""",  # noqa: S608 - no text of others
)
# Who may see a dataset, in as few rows as can be: whoever sees it as everybody does needs no row of their own.
# `west` to `north` is its box, unrolled past 180 where it crosses the antimeridian. `names` tells its properties and
# of which type they are.
AUDIENCES_TABLE = """CREATE TABLE dataset_audiences (
    number INTEGER PRIMARY KEY,
    dataset_id TEXT NOT NULL,
    audience TEXT NOT NULL,
    collection TEXT NOT NULL,
    start_at TEXT NOT NULL,
    end_at TEXT NOT NULL,
    west REAL, south REAL, east REAL, north REAL,
    names TEXT NOT NULL,
    UNIQUE (dataset_id, audience)
)"""
INDEXES = (
    # A search walks along these without a look at the table; the interval's other end is in them for that.
    "CREATE INDEX dataset_audiences_newest ON dataset_audiences (audience, start_at DESC, dataset_id, end_at)",
    """CREATE INDEX dataset_audiences_newest_of_collection
        ON dataset_audiences (audience, collection, start_at DESC, dataset_id, end_at)""",
    """CREATE INDEX dataset_audiences_names ON dataset_audiences (audience, collection, names)
        WHERE names <> '[]'""",
    # How long the longest interval is.
    """CREATE INDEX datasets_by_length ON datasets (julianday(end_at) - julianday(start_at))
        WHERE end_at > start_at""",
    "CREATE INDEX datasets_by_collection ON datasets (collection)",
)
# Longitude, latitude, and days since 1970: single floats, which the R*Tree rounds outwards. A box that crosses the
# antimeridian is there twice. https://www.sqlite.org/rtree.html
BOXES_TABLE = "CREATE VIRTUAL TABLE dataset_boxes USING rtree (id, west, east, south, north, first_day, last_day)"
DAY = "(julianday({moment}) - 2440587.5)"
DAYS = f"{DAY.format(moment='NEW.start_at')}, {DAY.format(moment='NEW.end_at')}"
BOX_TRIGGERS = (
    f"""CREATE TRIGGER dataset_audiences_boxed AFTER INSERT ON dataset_audiences WHEN NEW.west IS NOT NULL BEGIN
        INSERT INTO dataset_boxes
            VALUES (2 * NEW.number, NEW.west, min(NEW.east, 180), NEW.south, NEW.north, {DAYS});
        INSERT INTO dataset_boxes
            SELECT 2 * NEW.number + 1, -180, NEW.east - 360, NEW.south, NEW.north, {DAYS} WHERE NEW.east > 180;
    END""",  # noqa: S608 - no text of others
    """CREATE TRIGGER dataset_audiences_unboxed AFTER DELETE ON dataset_audiences WHEN OLD.west IS NOT NULL BEGIN
        DELETE FROM dataset_boxes WHERE id = 2 * OLD.number;
        DELETE FROM dataset_boxes WHERE id = 2 * OLD.number + 1;
    END""",
)
NAMES = """coalesce((SELECT json_group_array(json_array(key, type)) FROM (
        SELECT key, CASE type WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number' WHEN 'text' THEN 'string'
            WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' ELSE type END AS type
        FROM json_each(datasets.properties) ORDER BY key
    )), '[]')"""
# Records of older releases may begin on another turn of the globe.
WITHIN = "{} - 360 * (west > 180) + 360 * (west < -180)"
SHOW = f"""INSERT INTO dataset_audiences
        (dataset_id, audience, collection, start_at, end_at, west, south, east, north, names)
    SELECT id, audience, collection, start_at, end_at, {WITHIN.format("west")}, south,
        {WITHIN.format("east + 360 * (west > east)")}, north, {NAMES}
    FROM datasets JOIN (
        SELECT id AS seen, CASE visibility WHEN 'private' THEN 'role:admin' ELSE visibility END AS audience
            FROM datasets WHERE {{which}}
        UNION SELECT id, 'user:' || owner FROM datasets
            WHERE {{which}} AND visibility = 'private' AND owner IS NOT NULL
        UNION SELECT id, kind || ':' || name FROM datasets JOIN grants ON dataset_id = id
            WHERE {{which}} AND visibility = 'private'
    ) ON seen = id WHERE {{which}}"""  # noqa: S608 - no text of others
HIDE = "DELETE FROM dataset_audiences WHERE dataset_id = {id}"
RENEW = (HIDE + "; " + SHOW.replace("{which}", "id = {id}")).replace
# What a writer of an older release leaves out.
COMPLETE = f"""{MAKE_COLLECTION.format(id=OF_ROOT.format(root="NEW.root"), now=NOW)} WHERE NEW.collection IS NULL;
    UPDATE datasets SET collection = coalesce(collection, {OF_ROOT.format(root="root")}),
            start_at = coalesce(start_at, created_at), end_at = coalesce(end_at, created_at),
            dated_by = coalesce(dated_by, 'modified')
        WHERE id = NEW.id AND (collection IS NULL OR start_at IS NULL OR end_at IS NULL OR dated_by IS NULL)"""  # noqa: S608 - no text of others
LOOKED_AT = "visibility, owner, collection, start_at, end_at, west, south, east, north, properties"
TRIGGERS = (
    f"CREATE TRIGGER datasets_insert_shown AFTER INSERT ON datasets BEGIN {COMPLETE}; {RENEW('{id}', 'NEW.id')}; END",
    f"""CREATE TRIGGER datasets_update_shown AFTER UPDATE OF {LOOKED_AT} ON datasets BEGIN
        {RENEW("{id}", "NEW.id")}; END""",
    f"CREATE TRIGGER datasets_delete_shown AFTER DELETE ON datasets BEGIN {HIDE.format(id='OLD.id')}; END",
    *(
        f"CREATE TRIGGER grants_{verb}_shown AFTER {verb} ON grants BEGIN {RENEW('{id}', f'{row}.dataset_id')}; END"
        for verb, row in (("insert", "NEW"), ("update", "NEW"), ("delete", "OLD"))
    ),
)

# Indexes come after the rows of a catalogue that is there: that is quicker.
COLLECTIONS = (
    COLLECTIONS_TABLE,
    *COLUMNS,
    *FILL,
    AUDIENCES_TABLE,
    BOXES_TABLE,
    *BOX_TRIGGERS,
    SHOW.replace("{which}", "true"),
    *INDEXES,
    *TRIGGERS,
)
