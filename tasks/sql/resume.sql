-- resume: no change of status; a queue is claimed from again, and workers are notified
-- Those that wait for an announcement would look only at their next poll: jobs that came while the
-- queue was paused are not announced again. Its tasks under limits may get permits again.
WITH look AS (
    INSERT INTO tasks_permit (key, is_rated, created_at, released_at)
    VALUES ('queue ' || %(queue)s, false, clock_timestamp(), clock_timestamp())
)
INSERT INTO tasks_queue (name, paused) VALUES (%(queue)s, false)
ON CONFLICT (name) DO UPDATE
SET paused = false, paused_at = NULL, paused_by = '', paused_reason = ''
RETURNING pg_notify(
    'procrastinate_any_queue_v1',
    jsonb_build_object(
        'type', 'job_inserted', 'job_id', 0,
        'queues', jsonb_build_array(name), 'scheduled', false
    )::text
)::text
