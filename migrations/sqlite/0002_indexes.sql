-- Whose a document is, and which applications route which numbers.

-- The owner as stored; what is not a text, or an empty one, is no owner. src/store/rules.rs says
-- the same in Rust.
ALTER TABLE documents ADD COLUMN owner TEXT GENERATED ALWAYS AS (
    CASE json_type(body, '$.pvt_assigned_to')
        WHEN 'text' THEN nullif(json_extract(body, '$.pvt_assigned_to'), '') END
) VIRTUAL;

CREATE INDEX documents_by_owner ON documents (db, owner, id) WHERE deleted = 0;

-- What src/store/routing.rs reads out of the live documents, written with them. What was there
-- before this step is filled in by the build that takes it.
CREATE TABLE applications (
    db       TEXT NOT NULL REFERENCES databases (name) ON DELETE CASCADE,
    number   TEXT NOT NULL,
    app      TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (db, number, app, document)
) STRICT, WITHOUT ROWID;

CREATE INDEX applications_by_document ON applications (db, document);
