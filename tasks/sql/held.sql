-- held: no change of status; the tasks that a worker has claimed
SELECT
    id, job_id, kind, queue, owner_id, '{}'::jsonb, attempt, max_attempts, lease, losses + crashes, 0,
    request_id, traceparent
FROM tasks_task
WHERE status = 'PROCESSING' AND worker_id = %(worker)s
