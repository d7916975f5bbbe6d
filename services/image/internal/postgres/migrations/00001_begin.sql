-- +goose Up
-- Identifiers are compared as bytes, so that they sort by the time they were made whatever the database's locale is.
CREATE TABLE images (
    id           TEXT COLLATE "C" PRIMARY KEY,
    digest       TEXT COLLATE "C" NOT NULL,
    filename     TEXT             NOT NULL,
    created      TIMESTAMPTZ      NOT NULL,
    format       TEXT             NOT NULL,
    content_type TEXT             NOT NULL,
    width        BIGINT           NOT NULL,
    height       BIGINT           NOT NULL,
    pages        BIGINT           NOT NULL,
    has_alpha    BOOLEAN          NOT NULL,
    orientation  BIGINT           NOT NULL,
    size         BIGINT           NOT NULL,
    expires      TIMESTAMPTZ
);
CREATE INDEX images_by_expiry ON images (expires) WHERE expires IS NOT NULL;
CREATE INDEX images_by_digest ON images (digest);

CREATE TABLE batches (
    id      TEXT COLLATE "C" PRIMARY KEY,
    tenant  TEXT             NOT NULL,
    total   BIGINT           NOT NULL,
    created TIMESTAMPTZ      NOT NULL
);
CREATE INDEX batches_by_age ON batches (created);

CREATE TABLE jobs (
    id              TEXT COLLATE "C" PRIMARY KEY,
    image_id        TEXT COLLATE "C" NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    original        TEXT             NOT NULL,
    state           TEXT COLLATE "C" NOT NULL,
    recipe          TEXT COLLATE "C" NOT NULL,
    preset          TEXT             NOT NULL,
    run             BIGINT           NOT NULL,
    attempts        BIGINT           NOT NULL,
    requeues        BIGINT           NOT NULL,
    sequence        BIGINT           NOT NULL,
    failure_reason  TEXT COLLATE "C", -- all three or none
    failure_message TEXT,
    failure_variant TEXT,
    node            TEXT             NOT NULL,
    created         TIMESTAMPTZ      NOT NULL,
    started         TIMESTAMPTZ,
    ended           TIMESTAMPTZ,
    updated         TIMESTAMPTZ      NOT NULL,
    batch_id        TEXT COLLATE "C" NOT NULL,
    tenant          TEXT COLLATE "C" NOT NULL,
    class           TEXT COLLATE "C" NOT NULL,
    max_attempts    BIGINT           NOT NULL,
    not_before      TIMESTAMPTZ,
    keep            BIGINT           NOT NULL, -- microseconds
    webhook         TEXT             NOT NULL,
    is_unique       BOOLEAN          NOT NULL,
    phase           TEXT             NOT NULL,
    percent         BIGINT           NOT NULL,
    expires         TIMESTAMPTZ
) WITH (autovacuum_vacuum_scale_factor = 0.05, fillfactor = 70); -- each changes a few times, its progress in place
CREATE INDEX jobs_by_image ON jobs (image_id, id);
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_batch ON jobs (batch_id, id) WHERE batch_id <> '';
CREATE INDEX jobs_by_tenant ON jobs (tenant, id) WHERE tenant <> '';
CREATE INDEX jobs_by_expiry ON jobs (expires) WHERE expires IS NOT NULL;
CREATE INDEX jobs_in_flight ON jobs (original) WHERE state IN ('scheduled', 'queued', 'running');
CREATE INDEX jobs_scheduled ON jobs (not_before) WHERE state = 'scheduled';

-- What hangs on a job has no foreign key to it: the check costs each change of a job a fifth more, and proves nothing, since whoever adds
-- to a job has locked it, and whoever removes it removes all that is its own.
CREATE TABLE results (
    job_id       TEXT COLLATE "C" NOT NULL,
    position     BIGINT           NOT NULL,
    image_id     TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    key          TEXT             NOT NULL,
    digest       TEXT COLLATE "C" NOT NULL,
    size         BIGINT           NOT NULL,
    format       TEXT             NOT NULL,
    content_type TEXT             NOT NULL,
    width        BIGINT           NOT NULL,
    height       BIGINT           NOT NULL,
    pages        BIGINT           NOT NULL,
    PRIMARY KEY (job_id, position)
);
CREATE INDEX results_by_name ON results (image_id, name, job_id);
CREATE INDEX results_by_digest ON results (digest);

CREATE TABLE events (
    job_id          TEXT COLLATE "C" NOT NULL,
    sequence        BIGINT           NOT NULL,
    time            TIMESTAMPTZ      NOT NULL,
    state           TEXT             NOT NULL,
    attempt         BIGINT           NOT NULL,
    node            TEXT             NOT NULL,
    failure_reason  TEXT,
    failure_message TEXT,
    failure_variant TEXT,
    phase           TEXT             NOT NULL,
    percent         BIGINT           NOT NULL,
    PRIMARY KEY (job_id, sequence)
);

-- A message is deleted once the queue has it; turn is its place in its class. It may outlive its job by a moment: whoever removes a job
-- does not wait for a relay that holds its message.
CREATE TABLE outbox (
    sequence   BIGINT           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id     TEXT COLLATE "C" NOT NULL,
    topic      TEXT             NOT NULL,
    class      TEXT COLLATE "C" NOT NULL,
    tenant     TEXT COLLATE "C" NOT NULL,
    turn       BIGINT           NOT NULL,
    message_id TEXT             NOT NULL,
    headers    TEXT             NOT NULL,
    body       BYTEA            NOT NULL,
    created    TIMESTAMPTZ      NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX outbox_by_turn ON outbox (class, turn, sequence);
-- Over both in one, so that nobody takes the index above for it, in which a tenant's last message is far from the end.
CREATE INDEX outbox_by_tenant ON outbox ((class || '/' || tenant), turn);
CREATE INDEX outbox_by_job ON outbox (job_id);

CREATE TABLE receipts (
    key      TEXT COLLATE "C" PRIMARY KEY,
    payload  TEXT             NOT NULL,
    image_id TEXT COLLATE "C" REFERENCES images (id) ON DELETE CASCADE, -- NULL for a batch
    job_id   TEXT             NOT NULL,
    batch_id TEXT             NOT NULL,
    created  TIMESTAMPTZ      NOT NULL,
    expires  TIMESTAMPTZ      NOT NULL
);
CREATE INDEX receipts_by_expiry ON receipts (expires);
CREATE INDEX receipts_by_image ON receipts (image_id);

CREATE TABLE webhooks (
    id       TEXT COLLATE "C" PRIMARY KEY,
    job_id   TEXT COLLATE "C" NOT NULL,
    url      TEXT             NOT NULL,
    body     BYTEA            NOT NULL,
    state    TEXT COLLATE "C" NOT NULL,
    attempts BIGINT           NOT NULL,
    due      TIMESTAMPTZ      NOT NULL,
    answer   TEXT             NOT NULL,
    created  TIMESTAMPTZ      NOT NULL,
    ended    TIMESTAMPTZ
);
CREATE INDEX webhooks_by_job ON webhooks (job_id);
CREATE INDEX webhooks_by_state ON webhooks (state, id);
CREATE INDEX webhooks_due ON webhooks (due) WHERE state = 'pending';
CREATE INDEX webhooks_ended ON webhooks (ended) WHERE ended IS NOT NULL;

-- What tells a manager that its transaction took place, when the answer to its commit is lost.
CREATE TABLE outcomes (
    token TEXT COLLATE "C" PRIMARY KEY,
    kept  TIMESTAMPTZ      NOT NULL DEFAULT now()
);
CREATE INDEX outcomes_by_age ON outcomes (kept);

CREATE TABLE leaders (
    duty  TEXT COLLATE "C" PRIMARY KEY,
    fence BIGINT           NOT NULL
);
