-- Jobs that their owner has deleted: shown to operators alone.
ALTER TABLE job ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
