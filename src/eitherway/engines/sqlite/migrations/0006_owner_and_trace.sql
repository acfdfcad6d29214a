-- Whose job it is, and the trace it belongs to; NULL: nobody's in particular, and a trace of its own.
ALTER TABLE job ADD COLUMN owner TEXT;
ALTER TABLE job ADD COLUMN traceparent TEXT;
ALTER TABLE job ADD COLUMN tracestate TEXT;

-- Whose job it was.
ALTER TABLE tombstone ADD COLUMN owner TEXT;
