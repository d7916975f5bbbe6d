-- +goose Up
ALTER TABLE images ADD COLUMN expires INTEGER;
CREATE INDEX images_by_expiry ON images (expires) WHERE expires IS NOT NULL;
CREATE INDEX images_by_digest ON images (digest);

CREATE TABLE batches (
    id      TEXT PRIMARY KEY,
    tenant  TEXT    NOT NULL,
    total   INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX batches_by_age ON batches (created);

ALTER TABLE jobs ADD COLUMN batch_id TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN class TEXT NOT NULL DEFAULT 'normal';
ALTER TABLE jobs ADD COLUMN max_attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN not_before INTEGER;
ALTER TABLE jobs ADD COLUMN keep INTEGER NOT NULL DEFAULT 0; -- microseconds
ALTER TABLE jobs ADD COLUMN webhook TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN is_unique INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN phase TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN percent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN expires INTEGER;
CREATE INDEX jobs_by_batch ON jobs (batch_id, state) WHERE batch_id <> '';
CREATE INDEX jobs_by_tenant ON jobs (tenant, id) WHERE tenant <> '';
CREATE INDEX jobs_by_expiry ON jobs (expires) WHERE expires IS NOT NULL;
CREATE INDEX jobs_in_flight ON jobs (original) WHERE state IN ('scheduled', 'queued', 'running');
CREATE INDEX jobs_scheduled ON jobs (not_before) WHERE state = 'scheduled';
CREATE INDEX results_by_digest ON results (digest);

ALTER TABLE events ADD COLUMN phase TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN percent INTEGER NOT NULL DEFAULT 0;

-- Tenants take turns: turn is a message's place in its class.
ALTER TABLE outbox ADD COLUMN class TEXT NOT NULL DEFAULT 'normal';
ALTER TABLE outbox ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_by_turn ON outbox (class, turn, sequence);
CREATE INDEX outbox_by_tenant ON outbox (class, tenant, turn);

-- The receipt of a batch has no image, so it names none.
CREATE TABLE new_receipts (
    key      TEXT PRIMARY KEY,
    payload  TEXT    NOT NULL,
    image_id TEXT REFERENCES images (id) ON DELETE CASCADE,
    job_id   TEXT    NOT NULL,
    batch_id TEXT    NOT NULL DEFAULT '',
    created  INTEGER NOT NULL,
    expires  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO new_receipts (key, payload, image_id, job_id, created, expires)
    SELECT key, payload, image_id, job_id, created, expires FROM receipts;
DROP TABLE receipts;
ALTER TABLE new_receipts RENAME TO receipts;
CREATE INDEX receipts_by_expiry ON receipts (expires);
CREATE INDEX receipts_by_image ON receipts (image_id);

CREATE TABLE webhooks (
    id       TEXT PRIMARY KEY,
    job_id   TEXT    NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    url      TEXT    NOT NULL,
    body     BLOB    NOT NULL,
    state    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    due      INTEGER NOT NULL,
    answer   TEXT    NOT NULL,
    created  INTEGER NOT NULL,
    ended    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX webhooks_by_job ON webhooks (job_id);
CREATE INDEX webhooks_due ON webhooks (due) WHERE state = 'pending';
CREATE INDEX webhooks_by_state ON webhooks (state, id);
CREATE INDEX webhooks_ended ON webhooks (ended) WHERE ended IS NOT NULL;

CREATE TABLE leaders (
    duty  TEXT PRIMARY KEY,
    fence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
