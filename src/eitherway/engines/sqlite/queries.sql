-- Every statement of the engine, named; `queries.py` loads them. `{job}`, `{held}` and
-- `{rest}` stand for the columns of `rows.JobRow`, `rows.HeldRow` and `due.Rest`. `?` where rows
-- fill it in, `:name` elsewhere.

-- :name accept_next
-- The seq of the next job; the transaction holds the write lock, so nobody else takes it.
SELECT coalesce(max(seq), 0) + 1 FROM job

-- :name accept_job
-- Store a job that has nothing special, unless its id was accepted before.
INSERT INTO job (seq, state, id, operation, version, created, updated, deadline, due, ready_at,
                 attempts_max, revision)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (id) DO NOTHING

-- :name accept_special_job
-- The same, for any job.
INSERT INTO job (seq, state, id, operation, version, created, updated, deadline, due, ready_at,
                 attempts_max, keys, lane, width, until, place, owner, traceparent, tracestate,
                 callback, revision)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
ON CONFLICT (id) DO NOTHING

-- :name accept_stored
-- Which of the jobs from `first` on were new.
SELECT seq FROM job WHERE seq >= :first

-- :name accept_message
-- Store a new job's message, which is a payload alone.
INSERT INTO message (seq, payload, params, headers) VALUES (?, ?, x'', x'')

-- :name accept_special_message
-- The same, for any message.
INSERT INTO message (seq, payload, params, headers) VALUES (?, ?, ?, ?)

-- :name accept_events
-- Say that jobs from `first` up to `last` were accepted.
INSERT INTO event (job_seq, revision, state, at, progress, owner)
SELECT seq, 1, state, created, 0, owner FROM job WHERE seq BETWEEN :first AND :last ORDER BY seq

-- :name promote_job
-- Store a job that runs already, unless its id is known.
INSERT INTO job (seq, id, operation, version, state, revision, created, updated, deadline, due,
                 attempts_max, keys, started, attempt, starts, token, attempt_started, lease_until,
                 holder, owner, traceparent, tracestate, callback)
VALUES (?, ?, ?, ?, 'running', 1, ?, ?, ?, ?, ?, ?, ?, 1, 1, 1, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING

-- :name event
-- Say what became of a job.
INSERT INTO event (job_seq, revision, state, at, progress, owner) VALUES (?, ?, ?, ?, ?, ?)

-- :name events_changed
-- Say what has become of many jobs (a JSON array of seqs), as their rows are now.
INSERT INTO event (job_seq, revision, state, at, progress, owner)
SELECT seq, revision, state, updated, 0, owner FROM job
WHERE seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq

-- :name events_alike
-- Say that many jobs of one owner (a JSON array of seqs) have become the same.
INSERT INTO event (job_seq, revision, state, at, progress, owner)
SELECT value, ?, ?, ?, 0, ? FROM json_each(?)

-- :name tally
-- Add to the number of an operation's jobs in a state.
INSERT INTO tally (operation, state, count) VALUES (?, ?, ?)
ON CONFLICT (operation, state) DO UPDATE SET count = count + excluded.count

-- :name versions
-- The versions among an operation's waiting jobs, one index seek each however many wait.
WITH RECURSIVE found (version) AS (
    SELECT min(version) FROM job
    WHERE operation = :operation AND suspect = :suspect AND ready_at IS NOT NULL AND place < 2
    UNION ALL
    SELECT (SELECT min(version) FROM job
            WHERE operation = :operation AND suspect = :suspect AND ready_at IS NOT NULL
            AND place < 2 AND version > found.version)
    FROM found WHERE found.version IS NOT NULL
)
SELECT version FROM found WHERE version <= :version_max

-- :name earliest
-- When the first waiting job of a version may be received.
SELECT ready_at FROM job
WHERE operation = :operation AND suspect = :suspect AND version = :version
AND ready_at IS NOT NULL AND place < 2 AND attempt < attempts_max
ORDER BY ready_at, seq LIMIT 1

-- :name receivable
-- The first due jobs of a version, in order, with their messages. The last column is NULL of a job
-- that was accepted with nothing special, and whose row has not changed since.
SELECT seq, id, created, started, deadline, due, attempts_max, payload, CASE
    WHEN revision = 1 AND token = 0 AND state = 'queued' AND owner IS NULL AND traceparent IS NULL
        AND keys IS NULL AND lane IS NULL AND callback IS NULL AND params = x'' AND headers = x''
    THEN NULL ELSE json_array({rest}) END
FROM job JOIN message USING (seq)
WHERE operation = :operation AND suspect = :suspect AND version = :version
AND ready_at <= :now AND place < 2 AND attempt < attempts_max
ORDER BY ready_at, seq LIMIT :count

-- :name park
-- Set a waiting job past its deadline aside: a lease that nobody holds and that has lapsed.
UPDATE job SET ready_at = NULL, token = token + 1, lease_until = ? WHERE seq = ?

-- :name receive
-- Lease waiting jobs (a JSON array of seqs) to a worker, their attempts counted and started. One
-- that was scheduled has fallen due before, a revision on. Out of a lane, it leaves that with its
-- start, or holds its place there even if it had none.
UPDATE job SET state = 'running',
    revision = revision + CASE state WHEN 'scheduled' THEN 2 ELSE 1 END, updated = :now,
    started = coalesce(started, :now), ready_at = NULL, attempt = attempt + 1, starts = starts + 1,
    alone = :alone, token = token + 1, lease_until = :until, attempt_started = :now,
    holder = :holder, uses = :uses,
    place = CASE until WHEN 'started' THEN 0 WHEN 'attempted' THEN 1 ELSE place END
WHERE seq IN (SELECT value FROM json_each(:seqs))

-- :name put_off
-- Look at a waiting job again later: its key has no room.
UPDATE job SET ready_at = ? WHERE seq = ?

-- :name out_beside
-- Whether another job is out of a lane: when it leaves, the next one is let out.
SELECT 1 FROM job WHERE lane = :lane AND place = 1 AND seq != :seq LIMIT 1

-- :name back_into_lane
-- Have a job wait in its lane.
UPDATE job SET place = 2 WHERE seq = :seq

-- :name let_out
-- The next jobs that wait in a lane come out of it, as many as it has room for.
UPDATE job SET place = 1, ready_at = max(ready_at, :now) WHERE seq IN (
    SELECT seq FROM job
    WHERE lane = :lane AND place = 2 AND ready_at IS NOT NULL
    ORDER BY seq LIMIT max(0, :width - (
        SELECT count(*) FROM job WHERE lane = :lane AND place = 1
    ))
)

-- :name job
-- A record by id.
SELECT {job} FROM job WHERE id = :id

-- :name held
-- What is needed of a job whose lease still holds.
SELECT {held} FROM job
WHERE id = :id AND token = :token AND lease_until IS NOT NULL AND state != 'canceled'

-- :name held_of
-- The same of many jobs (a JSON array of ids), whatever their tokens.
SELECT {held} FROM json_each(:ids) CROSS JOIN job ON job.id = json_each.value
WHERE lease_until IS NOT NULL AND state != 'canceled'

-- :name as_claimed
-- How many of these jobs (a JSON array of seqs) run under this token, and have this revision.
SELECT count(*) FROM job WHERE seq IN (SELECT value FROM json_each(:seqs))
AND token = :token AND revision = :revision AND lease_until IS NOT NULL AND state = 'running'

-- :name cancel
-- End a job from outside; its lease, and what counts by it, stay until the holder lets go.
UPDATE job SET state = 'canceled', revision = :revision, updated = :at, finished = :at,
    expires = :expires, due = NULL, ready_at = NULL, attempts = :attempts,
    attempt_started = NULL, suspect = 0, place = :place
WHERE seq = :seq

-- :name canceled
-- A canceled job that its holder has not let go of.
SELECT {held} FROM job
WHERE id = :id AND token = :token AND lease_until IS NOT NULL AND state = 'canceled'

-- :name canceled_lapsed
-- Canceled jobs whose holders can be waited for no longer.
SELECT {held} FROM job INDEXED BY job_lease WHERE lease_until <= :now AND state = 'canceled'
ORDER BY lease_until LIMIT :count

-- :name let_go
-- Nobody holds a canceled job any more.
UPDATE job SET lease_until = NULL, uses = NULL, place = 0 WHERE seq = :seq

-- :name hide
-- Its owner does not see a job any more.
UPDATE job SET hidden = 1 WHERE seq = :seq

-- :name extend
-- Hold a lease longer.
UPDATE job SET lease_until = :lease_until WHERE seq = :seq

-- :name progress
-- Record a running job's progress.
UPDATE job SET progress = :progress, revision = :revision, updated = :now WHERE seq = :seq

-- :name settle
-- End a hold on a job: where it goes, and what its record says from then on. `attempt_started` stays
-- where the columns say all of its only attempt.
UPDATE job SET state = ?, revision = ?, updated = ?, finished = ?, expires = ?, due = ?,
    ready_at = ?, attempt = ?, starts = ?, attempts = ?, suspect = ?, alone = 0,
    lease_until = NULL, attempt_started = ?, answer_status = ?, answer_type = ?, error = ?,
    kind = ?, cause = ?, uses = NULL, place = ?, answer_body = ?
WHERE seq = ?

-- :name answer
-- What a job answers.
UPDATE job SET answer_body = ? WHERE seq = ?

-- :name lapsed
-- Jobs whose lease is over.
SELECT {job} FROM job WHERE lease_until <= :now AND state != 'canceled'
ORDER BY lease_until LIMIT :count

-- :name expired
-- Waiting jobs past their deadline.
SELECT {job} FROM job WHERE ready_at IS NOT NULL AND deadline <= :now
ORDER BY deadline LIMIT :count

-- :name dead
-- The leases of an engine whose process died lapse at once.
UPDATE job SET lease_until = ? WHERE holder = ? AND lease_until IS NOT NULL

-- :name take_over
-- Lease a job to a reaper; all else stays as it is, `alone` of the lost lease too.
UPDATE job SET ready_at = NULL, token = token + 1, lease_until = ?, holder = ? WHERE seq = ?

-- :name purgeable
-- Records past their retention.
SELECT seq, id, operation, state, kind, expires, owner FROM job
WHERE expires <= :now AND lease_until IS NULL
ORDER BY expires LIMIT :count

-- :name purge_event
-- Delete a job's events.
DELETE FROM event WHERE job_seq = ?

-- :name purge_message
-- Delete a job's message.
DELETE FROM message WHERE seq = ?

-- :name purge_job
-- Delete a job.
DELETE FROM job WHERE seq = ?

-- :name tombstone_leave
-- Remember that a job was kept for as long as promised.
INSERT INTO tombstone (id, owner, until) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING

-- :name tombstone
-- Whose job it was, where that is remembered.
SELECT owner FROM tombstone WHERE id = :id AND until > :now

-- :name tombstone_forget
-- Remember it no more.
DELETE FROM tombstone WHERE id IN (SELECT id FROM tombstone WHERE until <= :now LIMIT :count)

-- :name limit_use
-- What is in use of a limit, or of one of its keys, and what processes hold of it.
SELECT started, tokens, filled, calls_want, jobs_want, running, full, idle_at, (
    SELECT coalesce(sum(slots), 0) FROM share
    WHERE share.name = limit_use.name AND share.key = limit_use.key AND until > :now
) FROM limit_use WHERE name = :name AND key = :key

-- :name limit_use_write
-- Write that down.
INSERT INTO limit_use
    (name, key, running, full, started, tokens, filled, idle_at, calls_want, jobs_want)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (name, key) DO UPDATE SET running = excluded.running, full = excluded.full,
    started = excluded.started, tokens = excluded.tokens, filled = excluded.filled,
    idle_at = excluded.idle_at, calls_want = excluded.calls_want, jobs_want = excluded.jobs_want

-- :name limits
-- What is in use of every limit, over its keys.
SELECT name, running, started, learned, coalesce((
    SELECT sum(slots) FROM share WHERE share.name = limit_use.name AND until > :now
), 0) FROM limit_use INDEXED BY limit_named WHERE key = '' AND name > ''

-- :name learned
-- What is stored with a limit.
SELECT learned FROM limit_use WHERE name = :name AND key = ''

-- :name learn
-- Store something with a limit.
INSERT INTO limit_use (name, key, learned) VALUES (:name, '', :learned)
ON CONFLICT (name, key) DO UPDATE SET learned = excluded.learned

-- :name limit_forget
-- Keys that have not been in use for so long that their rows say nothing.
DELETE FROM limit_use WHERE (name, key) IN (
    SELECT name, key FROM limit_use WHERE idle_at <= :now AND running = 0 LIMIT :count
)

-- :name share_of
-- What a process holds.
SELECT slots, until FROM share WHERE name = :name AND key = :key AND holder = :holder

-- :name share
-- Let a process hold so much.
INSERT INTO share (name, key, holder, slots, until) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (name, key, holder) DO UPDATE SET slots = excluded.slots, until = excluded.until

-- :name unshare
-- It holds nothing more.
DELETE FROM share WHERE name = ? AND key = ? AND holder = ?

-- :name unshare_dead
-- What a dead process held.
DELETE FROM share WHERE holder = ?

-- :name unshare_lapsed
-- What nobody extended.
DELETE FROM share WHERE until <= :now

-- :name item
-- An item.
SELECT version, value FROM item WHERE tbl = :table AND part = :partition AND key = :key

-- :name item_or_mark
-- An item, or what a deleted one left.
SELECT version, value FROM item WHERE tbl = :table AND part = :partition AND key = :key
UNION ALL
SELECT version, NULL FROM deleted_item WHERE tbl = :table AND part = :partition AND key = :key
LIMIT 1

-- :name items
-- The items of a partition from one key on and before another one, both as UTF-8.
SELECT key, version, value FROM item
WHERE tbl = :table AND part = :partition
AND key >= CAST(:start AS TEXT) AND key < CAST(:end AS TEXT)
ORDER BY key LIMIT :count

-- :name write_item
-- Put an item.
INSERT INTO item (tbl, part, key, version, value) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (tbl, part, key) DO UPDATE SET version = excluded.version, value = excluded.value

-- :name delete_item
-- Delete an item; its mark is left by `mark_item`.
DELETE FROM item WHERE tbl = ? AND part = ? AND key = ?

-- :name mark_item
-- Leave the mark of a deleted item.
INSERT INTO deleted_item (tbl, part, key, version) VALUES (?, ?, ?, ?)
ON CONFLICT (tbl, part, key) DO UPDATE SET version = excluded.version

-- :name unmark_item
-- Remove the mark of an item that is there again.
DELETE FROM deleted_item WHERE tbl = ? AND part = ? AND key = ?

-- :name bucket
-- How full a bucket was, and when.
SELECT tokens, filled FROM bucket WHERE name = :name

-- :name write_bucket
-- How full a bucket is now.
INSERT INTO bucket (name, tokens, filled) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET tokens = excluded.tokens, filled = excluded.filled

-- :name events_now
-- The cursor of now: the last event that ever was, though it may be deleted by now.
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'event'), 0)

-- :name events
-- A page of events after a cursor, in the order of their commits.
SELECT event.seq, job.id, event.revision, event.state, event.at, event.progress, event.owner
FROM event CROSS JOIN job ON job.seq = event.job_seq
WHERE event.seq > :after ORDER BY event.seq LIMIT :count

-- :name events_owned
-- A page of the events of an owner's jobs after a cursor.
SELECT event.seq, job.id, event.revision, event.state, event.at, event.progress, event.owner
FROM event CROSS JOIN job ON job.seq = event.job_seq
WHERE event.owner = :owner AND event.seq > :after ORDER BY event.seq LIMIT :count

-- :name events_of
-- A job's events after a cursor, up to another one.
SELECT event.seq, job.id, event.revision, event.state, event.at, event.progress, event.owner
FROM job CROSS JOIN event ON event.job_seq = job.seq
WHERE job.id = :id AND event.seq > :after AND event.seq <= :upto
ORDER BY event.seq LIMIT :count

-- :name message
-- A job's message.
SELECT payload, params, headers FROM job JOIN message USING (seq) WHERE id = :id

-- :name dead_letter
-- A job as long as it is a dead letter.
SELECT seq, operation, revision, attempt, lane, width, owner FROM job
WHERE id = :id AND state = 'failed' AND kind IS NOT 'rejected'

-- :name redrive
-- Send a dead letter again: all that its failure left is cleared, its attempts stay.
UPDATE job SET state = 'queued', revision = :revision, updated = :at, finished = NULL,
    expires = NULL, deadline = :deadline, due = :due, ready_at = :due,
    attempts_max = :attempts_max, kind = NULL, cause = NULL, error = NULL, answer_status = NULL,
    answer_type = NULL, answer_body = NULL, place = CASE WHEN lane IS NULL THEN 0 ELSE 2 END
WHERE seq = :seq

-- :name edit_message
-- Put another message in the place of a job's.
UPDATE message SET payload = :payload, params = :params, headers = :headers WHERE seq = :seq

-- :name paused
-- The operations whose jobs are not handed out.
SELECT operation FROM paused

-- :name pause
-- Hand out no more jobs of an operation.
INSERT INTO paused (operation) VALUES (?) ON CONFLICT (operation) DO NOTHING

-- :name resume
-- Hand out the jobs of an operation again.
DELETE FROM paused WHERE operation = ?

-- :name tallied
-- Every operation that has or had jobs.
SELECT DISTINCT operation FROM tally

-- :name statistics
-- How many jobs are stored in each state; of the scheduled ones, how many fell due unseen, as far
-- as those are worth counting.
SELECT operation, state, count, CASE state WHEN 'scheduled' THEN (
    SELECT count(*) FROM (
        SELECT 1 FROM job WHERE job.operation = tally.operation AND job.state = 'scheduled'
        AND job.due <= :now LIMIT 10000
    )
) ELSE 0 END
FROM tally

-- :name waiting
-- How many jobs of an operation wait.
SELECT coalesce(sum(count), 0) FROM tally
WHERE operation = :operation AND state IN ('scheduled', 'queued', 'retrying')

-- :name flow
-- How many jobs of an operation wait, and how many have ended so far.
SELECT coalesce(sum(CASE WHEN state = 'ended' THEN 0 ELSE count END), 0),
    coalesce(sum(CASE WHEN state = 'ended' THEN count ELSE 0 END), 0)
FROM tally WHERE operation = :operation
AND state IN ('scheduled', 'queued', 'retrying', 'ended')

-- :name list_all
-- Jobs before one, the newest first, with what filters look at.
SELECT seq, operation, state, due, kind, cause FROM job
WHERE seq < :before ORDER BY seq DESC LIMIT :count

-- :name list_unusual
-- The same, of an operation and a state off the usual way.
SELECT seq, operation, state, due, kind, cause FROM job
WHERE state = :state AND (state = 'scheduled' OR state = 'retrying' OR state = 'failed' OR state = 'canceled')
AND operation = :operation AND seq < :before ORDER BY seq DESC LIMIT :count

-- :name list_held
-- The same, of the jobs that somebody holds, in any order: these are few enough to be sorted.
SELECT seq, operation, state, due, kind, cause FROM job WHERE seq IN (
    SELECT seq FROM job INDEXED BY job_lease WHERE lease_until > 0 AND seq < :before
    ORDER BY seq DESC LIMIT :count
)

-- :name list_dead
-- The same, of an operation's dead letters.
SELECT seq, operation, state, due, kind, cause FROM job
WHERE operation = :operation AND state = 'failed' AND kind IS NOT 'rejected'
AND seq < :before ORDER BY seq DESC LIMIT :count

-- :name list_cause
-- The same, of an operation's dead letters of one cause.
SELECT seq, operation, state, due, kind, cause FROM job
WHERE operation = :operation AND state = 'failed' AND kind IS NOT 'rejected'
AND cause = :cause AND seq < :before ORDER BY seq DESC LIMIT :count

-- :name listed
-- A record by its place.
SELECT {job} FROM job WHERE seq = :seq

-- :name key
-- An idempotency key.
SELECT fingerprint, job_id, expires, token, is_job, lease_until, status, media_type, body
FROM idempotency WHERE key = :key

-- :name use_key
-- Let an idempotency key stand for a call or a job, and for nothing that it stood for before.
INSERT INTO idempotency (key, fingerprint, job_id, expires, token, is_job, lease_until, holder)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, job_id = excluded.job_id,
    expires = excluded.expires, token = excluded.token, is_job = excluded.is_job,
    lease_until = excluded.lease_until, holder = excluded.holder,
    status = NULL, media_type = NULL, body = NULL

-- :name extend_key
-- Hold an idempotency key longer.
UPDATE idempotency SET lease_until = :lease_until WHERE key = :key

-- :name end_key
-- End the hold on an idempotency key, with an answer or without one.
UPDATE idempotency SET lease_until = NULL, expires = :expires, status = :status,
    media_type = :media_type, body = :body
WHERE key = :key

-- :name lapse_keys
-- The holds of an engine whose process died lapse at once.
UPDATE idempotency SET lease_until = ? WHERE holder = ? AND lease_until IS NOT NULL

-- :name purge_keys
-- Delete idempotency keys that have expired, and that no call holds.
DELETE FROM idempotency WHERE key IN (
    SELECT key FROM idempotency
    WHERE expires <= :now AND (lease_until IS NULL OR lease_until <= :now)
    ORDER BY expires LIMIT :count
)

-- :name clock
-- How far ahead the clock was.
SELECT boot, ahead FROM clock

-- :name clock_set
-- How far ahead it is.
INSERT INTO clock (id, boot, ahead) VALUES (1, :boot, :ahead)
ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, ahead = excluded.ahead

-- :name clock_last
-- The latest of what was done.
SELECT at FROM event WHERE seq = (SELECT max(seq) FROM event)

-- :name step_waiting
-- What was due stays so, and retries keep their pause; what is to be done at a time is not moved.
UPDATE job SET ready_at = ready_at + :step, due = due + :step, deadline = deadline + :step
WHERE ready_at IS NOT NULL AND (state = 'retrying' OR ready_at <= :before)

-- :name step_held
-- Leases are as long as they were.
UPDATE job SET lease_until = lease_until + :step, deadline = deadline + :step
WHERE lease_until IS NOT NULL

-- :name step_shares
-- So are shares.
UPDATE share SET until = until + :step

-- :name step_limits
-- Limits fill as they did.
UPDATE limit_use SET filled = filled + :step, idle_at = idle_at + :step,
    calls_want = calls_want + :step, jobs_want = jobs_want + :step

-- :name step_buckets
-- So do write capacities.
UPDATE bucket SET filled = filled + :step

-- :name step_keys
-- Calls hold their idempotency keys as long as they did.
UPDATE idempotency SET lease_until = lease_until + :step WHERE lease_until IS NOT NULL
