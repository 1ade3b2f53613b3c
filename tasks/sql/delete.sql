-- delete: any status but PROCESSING -> none
-- A running task is never deleted. A job that another transaction has locked is left, and its id
-- returned, to be discarded after the commit.
WITH target AS MATERIALIZED (
    SELECT id, kind, queue, attempt, status, job_id
    FROM tasks_task
    WHERE id = ANY (%(ids)s::uuid[]) AND status <> 'PROCESSING'
    ORDER BY id
    FOR UPDATE
), history AS (
    DELETE FROM tasks_attempt USING target WHERE tasks_attempt.task_id = target.id
), deleted AS (
    DELETE FROM tasks_task USING target WHERE tasks_task.id = target.id
), gone AS (
    DELETE FROM procrastinate_jobs
    WHERE id = ANY (ARRAY(
        SELECT id
        FROM procrastinate_jobs
        WHERE id = ANY (ARRAY(SELECT job_id FROM target))
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id
)
SELECT
    id, kind, queue, attempt, status,
    CASE WHEN job_id NOT IN (SELECT id FROM gone) THEN job_id END AS left_job
FROM target
