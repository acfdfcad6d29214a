-- One row a job. What every transition rewrites stands first, what may be large last.
CREATE TABLE job (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    operation TEXT NOT NULL,
    version INTEGER NOT NULL,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created REAL NOT NULL,
    updated REAL NOT NULL,
    started REAL,
    finished REAL,
    expires REAL,
    deadline REAL NOT NULL,
    due REAL,
    ready_at REAL,                         -- due, of a job that nobody holds
    attempt INTEGER NOT NULL DEFAULT 0,
    attempts_max INTEGER NOT NULL,
    starts INTEGER NOT NULL DEFAULT 0,
    suspect INTEGER NOT NULL DEFAULT 0,
    alone INTEGER NOT NULL DEFAULT 0,      -- of the last worker's lease
    token INTEGER NOT NULL DEFAULT 0,      -- of the last lease; grows with every one
    lease_until REAL,                      -- NULL: nobody holds it
    holder TEXT,                           -- the engine that took the last lease
    attempt_started REAL,
    kind TEXT,
    progress TEXT,
    error TEXT,
    answer_status INTEGER,
    answer_type TEXT,
    attempts TEXT NOT NULL DEFAULT '[]',
    answer_body BLOB
);

CREATE INDEX job_ready ON job (operation, suspect, version, ready_at, seq)
    WHERE ready_at IS NOT NULL;
CREATE INDEX job_deadline ON job (deadline) WHERE ready_at IS NOT NULL;
CREATE INDEX job_lease ON job (lease_until) WHERE lease_until IS NOT NULL;
CREATE INDEX job_expires ON job (expires) WHERE expires IS NOT NULL;

-- Apart from the job, so that a claim or a settlement does not rewrite a large payload.
CREATE TABLE message (
    seq INTEGER PRIMARY KEY,               -- the job's
    payload BLOB NOT NULL,
    params BLOB NOT NULL,
    headers BLOB NOT NULL
);

-- A deleted item keeps its row (value NULL), so that one of its versions never comes back.
CREATE TABLE item (
    tbl TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    value BLOB,
    PRIMARY KEY (tbl, key)
) WITHOUT ROWID;

-- AUTOINCREMENT: the cursor of a deleted event is not given to a new one.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job_seq INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    at REAL NOT NULL
);

CREATE INDEX event_job ON event (job_seq);
