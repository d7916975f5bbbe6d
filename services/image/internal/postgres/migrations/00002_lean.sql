-- +goose Up
-- What can be told from a job's row is kept nowhere else, and an index that each change must keep is there only for what is asked often.

-- The first event of a job and its end follow from its row (job.First, job.End). Those that were kept before stay.
-- A job begins with these; only what its caller decides is written down with it.
ALTER TABLE jobs
    ALTER run SET DEFAULT 1, ALTER attempts SET DEFAULT 0, ALTER requeues SET DEFAULT 0, ALTER sequence SET DEFAULT 1,
    ALTER node SET DEFAULT '', ALTER phase SET DEFAULT '', ALTER percent SET DEFAULT 0;
DROP INDEX jobs_by_state;
CREATE INDEX jobs_by_state ON jobs (state, id) WHERE state <> 'succeeded'; -- most are

-- Results are found by their image or by image and job.
ALTER TABLE results DROP CONSTRAINT results_pkey, ADD PRIMARY KEY (image_id, job_id, position);
DROP INDEX results_by_name;

-- A class's messages are taken in their order, and removed by where they are. Those of a job are found among its tenant's.
DROP INDEX outbox_by_job;
DROP INDEX outbox_by_turn;
ALTER TABLE outbox DROP CONSTRAINT outbox_pkey, ADD PRIMARY KEY (class, turn, sequence);
