-- adopt: no change of status; waiting tasks come under limits that are newer than they are
-- Walks through up to `limit` jobs after the job `after`. A task whose limits differ gives back the
-- permits that it has, except a turn, and waits for all of them. Rows that another transaction has locked are left
-- for the next walk. Returns the last job, the tasks that were changed, and those that were left.
WITH job AS MATERIALIZED (
    SELECT id, (args ->> 'task_id')::uuid AS task_id
    FROM procrastinate_jobs
    WHERE status = 'todo' AND task_name LIKE 'task:%%' AND id > %(after)s
    ORDER BY id
    LIMIT %(limit)s
), waiting AS MATERIALIZED (
    SELECT
        task.id, task.job_id,
        tasks_permit_keys(
            task.kind, task.queue, task.owner_id, task.input, task.cache_key
        ) AS keys
    FROM job
    JOIN tasks_task AS task ON task.id = job.task_id AND task.job_id = job.id
    WHERE task.status IS NOT DISTINCT FROM 'PENDING'
        AND task.limit_keys IS DISTINCT FROM tasks_permit_keys(
            task.kind, task.queue, task.owner_id, task.input, task.cache_key
        )
), locked_task AS MATERIALIZED (
    SELECT task.id
    FROM tasks_task AS task
    WHERE task.id = ANY (ARRAY(SELECT id FROM waiting)) AND task.status = 'PENDING'
    ORDER BY task.id
    FOR NO KEY UPDATE SKIP LOCKED
), locked_job AS MATERIALIZED (
    SELECT id
    FROM procrastinate_jobs
    WHERE id = ANY (ARRAY(SELECT job_id FROM waiting JOIN locked_task USING (id)))
    ORDER BY id
    FOR UPDATE SKIP LOCKED
), adopted AS (
    UPDATE tasks_task AS task
    SET limit_keys = waiting.keys
    FROM waiting
    WHERE task.id = waiting.id
        AND task.job_id = waiting.job_id
        AND task.job_id IN (SELECT id FROM locked_job)
    RETURNING task.id, task.job_id, task.limit_keys
), released AS (
    UPDATE tasks_permit SET released_at = clock_timestamp()
    FROM adopted
    WHERE task_id = adopted.id
        AND released_at IS NULL
        AND NOT (is_ordered AND key = ANY (coalesce(adopted.limit_keys, '{}')))
), waits AS (
    UPDATE procrastinate_jobs AS job
    SET tasks_line = CASE WHEN adopted.limit_keys IS NOT NULL THEN 0 END,
        -- Those that can be claimed, or are in a line; not one that waits for others.
        scheduled_at = CASE
            WHEN job.scheduled_at IS NULL OR job.tasks_line > 0 THEN clock_timestamp()
            ELSE job.scheduled_at
        END
    FROM adopted
    WHERE job.id = adopted.job_id
)
SELECT
    (SELECT max(id) FROM job) AS last,
    (SELECT count(*) FROM adopted) AS adopted,
    (SELECT count(*) FROM waiting) - (SELECT count(*) FROM adopted) AS left_over
