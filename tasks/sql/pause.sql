-- pause: no change of status; nothing more is claimed from a queue
-- Its tasks under limits that have not begun give their permits back, for tasks of other queues.
-- A queue that is paused already stays so since then; only a new reason is written.
WITH look AS (
    INSERT INTO tasks_permit (key, is_rated, created_at, released_at)
    VALUES ('queue ' || %(queue)s, false, clock_timestamp(), clock_timestamp())
)
INSERT INTO tasks_queue (name, paused, paused_at, paused_by, paused_reason)
VALUES (%(queue)s, true, clock_timestamp(), %(by)s, %(reason)s)
ON CONFLICT (name) DO UPDATE
SET paused = true,
    paused_at = CASE WHEN tasks_queue.paused THEN tasks_queue.paused_at ELSE excluded.paused_at END,
    paused_by = CASE WHEN tasks_queue.paused THEN tasks_queue.paused_by ELSE excluded.paused_by END,
    paused_reason = CASE
        WHEN tasks_queue.paused AND excluded.paused_reason = '' THEN tasks_queue.paused_reason
        ELSE excluded.paused_reason
    END
RETURNING name
