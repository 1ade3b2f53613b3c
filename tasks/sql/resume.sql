-- resume: no change of status; a queue is claimed from again, and workers are notified
-- Those that wait for an announcement would look only at their next poll: jobs that came while the
-- queue was paused are not announced again.
INSERT INTO tasks_queue (name, paused) VALUES (%(queue)s, false)
ON CONFLICT (name) DO UPDATE SET paused = false
RETURNING pg_notify(
    'procrastinate_any_queue_v1',
    jsonb_build_object(
        'type', 'job_inserted', 'job_id', 0,
        'queues', jsonb_build_array(name), 'scheduled', false
    )::text
)::text
