-- skip: PENDING -> CANCELLED or FAILED, for tasks that waited for others and can never start
-- Because one of the others failed, or because its result is not what the input names. A job that
-- another transaction has locked is left, and its id returned, as in `cancel.sql`.
WITH target AS MATERIALIZED (
    SELECT task.id, task.job_id, new.status, new.error
    FROM jsonb_to_recordset(%(new)s::jsonb) AS new (id uuid, status text, error jsonb)
    JOIN tasks_task AS task ON task.id = new.id
    WHERE task.status = 'PENDING' AND task.scheduled_at = 'infinity'
    ORDER BY task.id
    FOR UPDATE OF task
), skipped AS (
    UPDATE tasks_task AS task
    SET status = target.status,
        job_id = NULL,
        scheduled_at = NULL,
        finished_at = clock_timestamp(),
        error = target.error
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
        WHERE id = ANY (ARRAY(SELECT job_id FROM skipped))
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id
)
SELECT
    id, kind, queue, attempt, status,
    CASE WHEN job_id NOT IN (SELECT id FROM gone) THEN job_id END AS left_job
FROM skipped
