-- Whom to tell of a job's end; NULL: nobody.
ALTER TABLE job ADD COLUMN callback TEXT;
