-- +goose Up
-- Times are microseconds since 1970, UTC; NULL where there is none.
CREATE TABLE images (
    id           TEXT PRIMARY KEY,
    digest       TEXT    NOT NULL,
    filename     TEXT    NOT NULL,
    created      INTEGER NOT NULL,
    format       TEXT    NOT NULL,
    content_type TEXT    NOT NULL,
    width        INTEGER NOT NULL,
    height       INTEGER NOT NULL,
    pages        INTEGER NOT NULL,
    has_alpha    INTEGER NOT NULL,
    orientation  INTEGER NOT NULL,
    size         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id       TEXT PRIMARY KEY,
    image_id TEXT    NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    original TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    recipe   TEXT    NOT NULL,
    preset   TEXT    NOT NULL,
    run      INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    requeues INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    failure  TEXT,
    node     TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    started  INTEGER,
    ended    INTEGER,
    updated  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_by_image ON jobs (image_id, id);
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_unfinished ON jobs (updated) WHERE state IN ('queued', 'running');

CREATE TABLE results (
    job_id       TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    image_id     TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    key          TEXT    NOT NULL,
    digest       TEXT    NOT NULL,
    size         INTEGER NOT NULL,
    format       TEXT    NOT NULL,
    content_type TEXT    NOT NULL,
    width        INTEGER NOT NULL,
    height       INTEGER NOT NULL,
    pages        INTEGER NOT NULL,
    PRIMARY KEY (job_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX results_by_name ON results (image_id, name, job_id);

CREATE TABLE events (
    job_id   TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    attempt  INTEGER NOT NULL,
    node     TEXT    NOT NULL,
    failure  TEXT,
    PRIMARY KEY (job_id, sequence)
) STRICT, WITHOUT ROWID;

-- A message is deleted once the queue has it.
CREATE TABLE outbox (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id     TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    topic      TEXT    NOT NULL,
    message_id TEXT    NOT NULL,
    headers    TEXT    NOT NULL,
    body       BLOB    NOT NULL,
    created    INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_by_job ON outbox (job_id);

CREATE TABLE receipts (
    key      TEXT PRIMARY KEY,
    payload  TEXT    NOT NULL,
    image_id TEXT    NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    job_id   TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_by_expiry ON receipts (expires);
CREATE INDEX receipts_by_image ON receipts (image_id);
