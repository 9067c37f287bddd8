-- Databases, their documents and their checkpoints, in one file.
--
-- Text compares byte by byte (BINARY, the default), which is the order of ids that CouchDB has in
-- _all_docs.

CREATE TABLE databases (
    name TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- The last number given out to a change; one for the whole file, and never taken back, so that a
-- place in the feed of a dropped database means nothing wrong in the one that follows it.
CREATE TABLE feed (
    one      INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    last_seq INTEGER NOT NULL
) STRICT;

INSERT INTO feed (one, last_seq) VALUES (1, 0);

-- A deleted document stays as a row: its tombstone. `body` is last, so that a revision is read
-- without the pages that a long body spills into.
CREATE TABLE documents (
    db      TEXT    NOT NULL REFERENCES databases (name) ON DELETE CASCADE,
    id      TEXT    NOT NULL CHECK (id <> ''),
    rev     TEXT    NOT NULL,
    seq     INTEGER NOT NULL,
    deleted INTEGER NOT NULL CHECK (deleted IN (0, 1)),
    -- The carrier's name as stored, by its newer or its older member; what is not a string is no
    -- name. src/store/rules.rs says the same in Rust.
    carrier TEXT GENERATED ALWAYS AS (
        coalesce(
            CASE json_type(body, '$.pvt_module_name')
                WHEN 'text' THEN json_extract(body, '$.pvt_module_name') END,
            CASE json_type(body, '$.pvt_carrier_module')
                WHEN 'text' THEN json_extract(body, '$.pvt_carrier_module') END
        )
    ) VIRTUAL,
    -- The members as JSON, in the order in which they were written.
    body    TEXT    NOT NULL,
    PRIMARY KEY (db, id)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX documents_by_seq ON documents (db, seq);

CREATE INDEX documents_by_carrier ON documents (db, carrier, id) WHERE deleted = 0;

CREATE TABLE checkpoints (
    db    TEXT NOT NULL REFERENCES databases (name) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    -- JSON.
    value TEXT NOT NULL,
    PRIMARY KEY (db, name)
) STRICT, WITHOUT ROWID;
