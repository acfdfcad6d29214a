-- Idempotency keys. `status` is of the stored answer; of a key without one, either a call holds it
-- (`lease_until`), or it stands for a job (`is_job`), or it is free.
CREATE TABLE idempotency (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    job_id TEXT NOT NULL,
    expires REAL NOT NULL,
    token INTEGER NOT NULL,                -- of the last hold; grows with every one
    is_job INTEGER NOT NULL DEFAULT 0,
    lease_until REAL,                      -- NULL: nobody holds it
    holder TEXT,                           -- the engine that took the last hold
    status INTEGER,
    media_type TEXT,
    body BLOB
);
CREATE INDEX idempotency_expires ON idempotency (expires);
CREATE INDEX idempotency_holder ON idempotency (holder) WHERE lease_until IS NOT NULL;
