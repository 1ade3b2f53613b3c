-- delete: any status but PROCESSING -> none
-- A running task is never deleted. A job that another transaction has locked is left, and its id
-- returned, to be discarded after the commit.
WITH target AS MATERIALIZED (
    SELECT id, kind, attempt, status, job_id
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
    WHERE id IN (
        SELECT job.id
        FROM procrastinate_jobs AS job
        JOIN target ON target.job_id = job.id
        FOR UPDATE OF job SKIP LOCKED
    )
    RETURNING id
)
SELECT
    id, kind, attempt, status,
    CASE WHEN job_id NOT IN (SELECT id FROM gone) THEN job_id END AS left_job
FROM target
