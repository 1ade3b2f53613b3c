-- cancel: PENDING -> CANCELLED at once; for PROCESSING a stop is requested
-- The worker of a running task is notified (NOTIFY); the task ends as CANCELLED when its handler
-- stops.
-- A transaction that holds a task row never waits for a job row: a job that another transaction has
-- locked is left, and its id returned, to be discarded after the commit.
-- `target` is as new as its lock. The row that is updated may at first be an older version, and
-- PostgreSQL checks the constraints on it before it finds that out: so worker_id is set too.
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
        task.id, task.kind, task.queue, task.attempt, task.status, task.owner_id,
        task.finished_at, task.callback_url, task.request_id, task.traceparent, target.job_id
),
-- callbacks
gone AS (
    DELETE FROM procrastinate_jobs
    WHERE id = ANY (ARRAY(
        SELECT id
        FROM procrastinate_jobs
        WHERE id = ANY (ARRAY(SELECT job_id FROM cancelled WHERE status = 'CANCELLED'))
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id
)
SELECT
    id, kind, queue, attempt, status,
    CASE
        WHEN status = 'CANCELLED' AND job_id NOT IN (SELECT id FROM gone) THEN job_id
    END AS left_job,
    CASE status WHEN 'PROCESSING' THEN pg_notify('tasks_cancel', id::text)::text END AS notified
FROM cancelled
