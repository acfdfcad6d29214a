-- Whose job it tells of, so that an owner's events are found without a look at everybody's. Partial:
-- an event of nobody's job has no place in the index.
ALTER TABLE event ADD COLUMN owner TEXT;
CREATE INDEX event_owner ON event (owner, seq) WHERE owner IS NOT NULL;
