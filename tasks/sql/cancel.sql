-- cancel: PENDING → CANCELLED at once; PROCESSING is asked to stop
-- The worker of a running task is told (NOTIFY) and ends it as CANCELLED when it heeds.
-- Whoever holds a task row never waits for a job row: one that somebody holds this moment is left, and
-- its id returned, to be discarded after the commit.
-- `target` is as fresh as its lock, while the row that is updated may first be an older version, of
-- which PostgreSQL checks the constraints before it sees that it is old: hence the worker.
WITH target AS MATERIALIZED (
    SELECT id, job_id, status
    FROM tasks_task
    WHERE id = ANY (%(ids)s::uuid[]) AND status IN ('PENDING', 'PROCESSING')
    ORDER BY id
    FOR UPDATE
), cancelled AS (
    UPDATE tasks_task AS task
    SET cancel_requested = true,
        status = CASE target.status WHEN 'PENDING' THEN 'CANCELLED' ELSE task.status END,
        job_id = CASE target.status WHEN 'PENDING' THEN NULL ELSE task.job_id END,
        worker_id = CASE target.status WHEN 'PENDING' THEN NULL ELSE task.worker_id END,
        finished_at = CASE target.status WHEN 'PENDING' THEN clock_timestamp() END
    FROM target
    WHERE task.id = target.id
    RETURNING
        task.id, task.kind, task.attempt, task.status, task.owner_id, task.finished_at,
        task.callback_url, target.job_id
),
-- callbacks
gone AS (
    DELETE FROM procrastinate_jobs
    WHERE id IN (
        SELECT job.id
        FROM procrastinate_jobs AS job
        JOIN cancelled ON cancelled.job_id = job.id
        WHERE cancelled.status = 'CANCELLED'
        FOR UPDATE OF job SKIP LOCKED
    )
    RETURNING id
)
SELECT
    id, kind, attempt, status,
    CASE
        WHEN status = 'CANCELLED' AND job_id NOT IN (SELECT id FROM gone) THEN job_id
    END AS left_job,
    CASE status WHEN 'PROCESSING' THEN pg_notify('tasks_cancel', id::text)::text END AS told
FROM cancelled
