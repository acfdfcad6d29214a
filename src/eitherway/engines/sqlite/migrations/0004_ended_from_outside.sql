-- Jobs that their owner has deleted: shown to operators alone.
ALTER TABLE job ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;

-- Jobs whose retention is over: until when it is known that there was one.
CREATE TABLE tombstone (
    id TEXT NOT NULL PRIMARY KEY,
    until REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX tombstone_until ON tombstone (until);
