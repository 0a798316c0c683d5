"""The tables in PostgreSQL, as steps that each database takes once and in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.records.postgres import cells, jobs, lists, overviews, searches, smallpictures
from gateway.records.postgres.searchable import COLLECTIONS, FILL, FILLED, LATER

# Names and keys sort by their code points, as they do in SQLite. What is sorted or looked for in any case is folded
# by us: no two databases fold alike. `report` keeps its text; `raster` may hold numbers that JSON has not.
CATALOGUE = (
    """CREATE TABLE datasets (
        id text COLLATE "C" PRIMARY KEY,
        root text COLLATE "C" NOT NULL,
        key text COLLATE "C" NOT NULL,
        title text COLLATE "C" NOT NULL,
        title_folded text COLLATE "C" NOT NULL,
        key_folded text COLLATE "C" NOT NULL,
        owner text COLLATE "C",
        visibility text NOT NULL CHECK (visibility IN ('public', 'internal', 'private')),
        download text NOT NULL CHECK (download IN ('public', 'internal', 'private')),
        version text NOT NULL,
        size_bytes bigint NOT NULL,
        sha256 text,
        origin text,
        report json NOT NULL,
        raster text,
        west double precision, south double precision, east double precision, north double precision,
        created_at timestamptz(3) NOT NULL,
        updated_at timestamptz(3) NOT NULL,
        revision bigint NOT NULL,
        UNIQUE (root, key)
    )""",
    "CREATE INDEX datasets_in_order ON datasets (created_at, id)",
    "CREATE INDEX datasets_by_title ON datasets (title)",
    "CREATE INDEX datasets_by_folded_title ON datasets (title_folded, id)",
    "CREATE INDEX datasets_by_bounds ON datasets (south, north, west, east)",
    """CREATE TABLE grants (
        dataset_id text COLLATE "C" NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
        kind text COLLATE "C" NOT NULL CHECK (kind IN ('user', 'role')),
        name text COLLATE "C" NOT NULL,
        level text NOT NULL CHECK (level IN ('view', 'download')),
        PRIMARY KEY (dataset_id, kind, name)
    )""",
    'CREATE TABLE users (name text COLLATE "C" PRIMARY KEY, disabled boolean NOT NULL)',
)
# A number of each dataset, which a change of it or of its grants renews, and one of all users. A number is used once:
# the sequence itself is never read, because it rises before the change can be seen.
REVISIONS = (
    "CREATE SEQUENCE revisions",
    "CREATE TABLE revision (users bigint NOT NULL)",
    "INSERT INTO revision VALUES (nextval('revisions'))",
    """CREATE FUNCTION revise_dataset() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NEW.revision := nextval('revisions'); RETURN NEW; END $$""",
    """CREATE TRIGGER datasets_revised BEFORE INSERT OR UPDATE ON datasets
        FOR EACH ROW EXECUTE FUNCTION revise_dataset()""",
    """CREATE FUNCTION revise_granted() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE datasets SET revision = 0
                WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.dataset_id ELSE NEW.dataset_id END;
            RETURN NULL;
        END $$""",
    """CREATE TRIGGER grants_revised AFTER INSERT OR UPDATE OR DELETE ON grants
        FOR EACH ROW EXECUTE FUNCTION revise_granted()""",
    """CREATE FUNCTION revise_users() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN UPDATE revision SET users = nextval('revisions'); RETURN NULL; END $$""",
    """CREATE TRIGGER users_revised AFTER INSERT OR UPDATE OR DELETE ON users
        FOR EACH STATEMENT EXECUTE FUNCTION revise_users()""",
)
# A unique key of a partitioned table holds the column by which it is partitioned. There is no default partition: with
# one no other can be detached while rows are written.
AUDIT = (
    "CREATE SEQUENCE audit_numbers",
    """CREATE TABLE audit (
        id bigint NOT NULL DEFAULT nextval('audit_numbers'),
        at timestamptz(3) NOT NULL,
        action text COLLATE "C" NOT NULL,
        dataset_id uuid,
        user_id text COLLATE "C",
        request_id text COLLATE "C",
        version text,
        backend text,
        range text,
        status integer,
        bytes_expected bigint,
        ip text,
        user_agent text,
        token_id text,
        detail json,
        row_id uuid NOT NULL,
        PRIMARY KEY (at, row_id)
    ) PARTITION BY RANGE (at)""",
    "CREATE INDEX audit_by_dataset ON audit (dataset_id) WHERE dataset_id IS NOT NULL",
    "CREATE INDEX audit_by_user ON audit (user_id) WHERE user_id IS NOT NULL",
    "CREATE INDEX audit_ends ON audit (request_id) WHERE action = 'download.finished'",
    """CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the audit is append-only' USING ERRCODE = 'restrict_violation'; END $$""",
    """CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
        FOR EACH ROW EXECUTE FUNCTION refuse_change()""",
    # Of the whole table alone; each partition has one of its own, because this kind is not inherited.
    """CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
)
# Tokens on record, and who uses a link just now. One that goes is like a user who is disabled: what is remembered of
# standings is read anew. That it was used is no such change.
TOKENS = (
    """CREATE TABLE stored_tokens (
        id text COLLATE "C" PRIMARY KEY,
        kind text COLLATE "C" NOT NULL CHECK (kind IN ('own', 'link')),
        hash text COLLATE "C" NOT NULL UNIQUE,
        owner text COLLATE "C" NOT NULL,
        roles text NOT NULL,
        name text NOT NULL,
        download boolean NOT NULL,
        dataset_id text COLLATE "C",
        collection text COLLATE "C",
        created_at timestamptz(3) NOT NULL,
        expires_at timestamptz(3) NOT NULL,
        uses bigint,
        used bigint NOT NULL,
        last_used_at timestamptz(3)
    )""",
    "CREATE INDEX stored_tokens_by_owner ON stored_tokens (owner, kind)",
    """CREATE TABLE link_uses (
        token_id text COLLATE "C" NOT NULL REFERENCES stored_tokens (id) ON DELETE CASCADE,
        client text COLLATE "C" NOT NULL,
        began_at timestamptz(3) NOT NULL,
        PRIMARY KEY (token_id, client)
    )""",
    """CREATE TRIGGER stored_tokens_revised AFTER DELETE ON stored_tokens
        FOR EACH STATEMENT EXECUTE FUNCTION revise_users()""",
)
NO_TRUNCATE = """CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON {partition}
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"""


# Listings go through these indexes alone, and read the rows of one page. The first holds what is looked for, too.
LISTING = {
    "datasets_listed": "ON datasets (visibility, created_at, id) INCLUDE (title_folded)",
    "datasets_listed_by_title": "ON datasets (visibility, title_folded, id)",
    "datasets_listed_by_size": "ON datasets (visibility, size_bytes, id)",
    "datasets_by_owner": "ON datasets (owner, created_at, id) INCLUDE (visibility) WHERE owner IS NOT NULL",
    "grants_by_name": "ON grants (kind, name, dataset_id)",
}

# Searches that are layers: what one asks for is never changed, for its id follows from it.
SEARCHES = """CREATE TABLE searches (
    id text COLLATE "C" PRIMARY KEY,
    body json NOT NULL,
    title text,
    style json NOT NULL,
    owner text,
    created_at timestamptz(3) NOT NULL
)"""


@dataclass(frozen=True, slots=True)
class Step:
    """Statements; one that `adds` only leaves everything as releases before it know it.

    What comes afterwards, while nodes run: `fill` is done for some datasets after others, whose ids it gets, until
    all had their turn, and `filled` follows that; `indexes` are built: by name, with what follows it.
    """

    statements: tuple[str, ...] = ()
    adds: bool = True
    fill: str = ""
    filled: str = ""
    indexes: Mapping[str, str] = field(default_factory=dict)

    @property
    def follows(self) -> bool:
        """Return whether anything comes after the statements."""
        return bool(self.fill or self.indexes)


# A new step is added below the last, and none is changed once it was released. Nodes of the release before run on
# while the others are renewed: a step only adds, and what removes comes a release later. What looks at the rows of a
# table that may be large belongs to `fill` and `indexes`: as a statement it keeps everybody waiting.
STEPS = {
    "1-catalogue": Step(CATALOGUE),
    "2-revisions": Step(REVISIONS),
    "3-audit": Step(AUDIT),
    "4-listing": Step(indexes=LISTING),
    "5-collections": Step(COLLECTIONS),
    "6-collections-filled": Step(fill=FILL, filled=FILLED),
    "7-collections-indexes": Step(indexes=LATER),
    "8-searches": Step((SEARCHES,)),
    "9-tokens": Step(TOKENS),
    "10-cells": Step(cells.CELLS),
    "11-cells-index": Step(indexes=cells.INDEX),
    "12-lists": Step(lists.LISTS),
    "13-small-pictures": Step((smallpictures.TABLE,)),
    "14-small-pictures-anew": Step((smallpictures.CLEARED,)),
    "15-jobs": Step(jobs.JOBS),
    "16-overviews": Step(overviews.OVERVIEWS),
    "17-search-makers": Step(searches.MAKERS),
    "18-searches-by-maker": Step(indexes=searches.BY_MAKER),
}
TABLES = (
    "datasets", "grants", "users", "audit", "revision", "collections", "dataset_audiences", "searches",
    "stored_tokens", "link_uses", "collection_cells", "download_lists",
    "small_pictures", "jobs", "overviews",
)  # fmt: skip
# What the server's role needs where another one owns the tables; the audit it may read and add to.
RIGHTS = (
    "GRANT SELECT, INSERT, UPDATE, DELETE ON datasets, grants, users, collections, dataset_audiences, stored_tokens, "
    "link_uses, collection_cells, download_lists, small_pictures, jobs, overviews TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON searches TO {role}",
    "GRANT SELECT, UPDATE ON revision TO {role}",
    "GRANT SELECT, INSERT ON audit TO {role}",
    "GRANT USAGE ON SEQUENCE revisions, audit_numbers TO {role}",
    "GRANT SELECT ON steps TO {role}",
)
