-- expire: PENDING -> CANCELLED, for tasks that no worker took in time
-- A task that was claimed once has begun and does not expire. `claim.sql` leaves tasks that have
-- expired, whose jobs it deletes. Rows that another transaction has locked are left for the next
-- round, as in `rescue.sql`; a job that is locked is left, and its id returned, as in `cancel.sql`.
-- The conditions are those of the index `task_expiring`.
WITH target AS MATERIALIZED (
    SELECT id, job_id
    FROM tasks_task
    WHERE finished_at IS NULL AND lease = 0 AND expires_at <= statement_timestamp()
        AND status IS NOT DISTINCT FROM 'PENDING'
    ORDER BY expires_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), expired AS (
    UPDATE tasks_task AS task
    SET status = 'CANCELLED',
        job_id = NULL,
        finished_at = clock_timestamp(),
        error = jsonb_build_object(
            'type', 'Expired',
            'title', 'The task expired',
            'detail', 'It had not begun by '
                || to_char(task.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC.'
        )
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
        WHERE id = ANY (ARRAY(SELECT job_id FROM expired))
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id
)
SELECT
    id, kind, queue, attempt, status,
    CASE WHEN job_id NOT IN (SELECT id FROM gone) THEN job_id END AS left_job
FROM expired
