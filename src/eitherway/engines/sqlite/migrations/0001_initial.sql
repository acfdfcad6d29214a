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
    cause TEXT,                            -- of a dead letter
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

-- For operators. Partial: on the way queued > running > succeeded only their conditions are looked
-- at (with IN in place of OR, that alone would take 2 us a job).
CREATE INDEX job_unusual ON job (state, operation, seq)
    WHERE (state = 'scheduled' OR state = 'retrying' OR state = 'failed' OR state = 'canceled');
CREATE INDEX job_scheduled ON job (operation, due, state) WHERE state = 'scheduled';
CREATE INDEX job_dead ON job (operation, seq) WHERE state = 'failed' AND kind IS NOT 'rejected';
CREATE INDEX job_cause ON job (operation, cause, seq)
    WHERE state = 'failed' AND kind IS NOT 'rejected';

-- How many jobs are in each state: every transaction adds what it changed. Beside the states, the
-- word 'dead' for those of the failed ones that nobody rejected.
CREATE TABLE tally (
    operation TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (operation, state)
) WITHOUT ROWID;

-- Operations whose jobs are not handed out.
CREATE TABLE paused (
    operation TEXT NOT NULL PRIMARY KEY
) WITHOUT ROWID;

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
    at REAL NOT NULL,
    progress INTEGER NOT NULL              -- whether that is all it tells of
);

CREATE INDEX event_job ON event (job_seq);
