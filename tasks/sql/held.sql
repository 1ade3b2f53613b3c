-- held: no arrow; what is claimed in a worker's name
SELECT id, job_id, kind, owner_id, '{}'::jsonb, attempt, max_attempts, lease, losses + crashes
FROM tasks_task
WHERE status = 'PROCESSING' AND worker_id = %(worker)s
