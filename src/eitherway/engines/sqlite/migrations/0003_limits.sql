-- Limits that hold over all processes, and lanes in which jobs wait for one another.
ALTER TABLE job ADD COLUMN keys TEXT;                          -- of the keyed limits: name to key
ALTER TABLE job ADD COLUMN uses TEXT;                          -- the limits it counts against now
ALTER TABLE job ADD COLUMN lane TEXT;
ALTER TABLE job ADD COLUMN width INTEGER;                      -- of the lane
ALTER TABLE job ADD COLUMN until TEXT;                         -- when it leaves the lane
ALTER TABLE job ADD COLUMN place INTEGER NOT NULL DEFAULT 0;   -- 1: let out of its lane, 2: waits in it

DROP INDEX job_ready;
CREATE INDEX job_ready ON job (operation, suspect, version, ready_at, seq)
    WHERE ready_at IS NOT NULL AND place < 2;
CREATE INDEX job_let_out ON job (lane) WHERE place = 1;
CREATE INDEX job_in_lane ON job (lane, seq) WHERE place = 2;

-- What is in use of a limit; of a keyed one a row for each key, and under '' what all of them add up to.
CREATE TABLE limit_use (
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    running INTEGER NOT NULL DEFAULT 0,    -- attempts under a lease
    full INTEGER NOT NULL DEFAULT 0,       -- the last claim took what there was
    started INTEGER NOT NULL DEFAULT 0,
    tokens REAL,                           -- starts that are saved up; NULL: as many as may be
    filled REAL,                           -- when that was so
    idle_at REAL,                          -- from then on a key's row says nothing; NULL: it is in use
    calls_want REAL NOT NULL DEFAULT 0,    -- until then, calls are said to wait for places
    jobs_want REAL NOT NULL DEFAULT 0,
    learned BLOB,
    PRIMARY KEY (name, key)
) WITHOUT ROWID;
CREATE INDEX limit_named ON limit_use (name) WHERE key = '';
CREATE INDEX limit_idle ON limit_use (idle_at) WHERE idle_at IS NOT NULL;

-- What processes hold of limits for calls.
CREATE TABLE share (
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    holder TEXT NOT NULL,
    slots INTEGER NOT NULL,
    until REAL NOT NULL,
    PRIMARY KEY (name, key, holder)
) WITHOUT ROWID;
CREATE INDEX share_holder ON share (holder);
CREATE INDEX share_until ON share (until);
