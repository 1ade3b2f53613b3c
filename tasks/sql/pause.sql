-- pause: no change of status; nothing more is claimed from a queue
-- Its tasks under limits that have not begun give their permits back, for tasks of other queues.
WITH look AS (
    INSERT INTO tasks_permit (key, is_rated, created_at, released_at)
    VALUES ('queue ' || %(queue)s, false, clock_timestamp(), clock_timestamp())
)
INSERT INTO tasks_queue (name, paused, paused_at, paused_by, paused_reason)
VALUES (%(queue)s, true, clock_timestamp(), %(by)s, %(reason)s)
ON CONFLICT (name) DO UPDATE
SET paused = true, paused_at = excluded.paused_at, paused_by = excluded.paused_by,
    paused_reason = excluded.paused_reason
RETURNING name
