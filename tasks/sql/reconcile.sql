-- reconcile: no change of status; repairs what only a manual change in the database can break
-- A waiting task without its job gets it again; a job that no task names is deleted.
WITH jobless AS (
    SELECT task.id
    FROM tasks_task AS task
    WHERE
    -- is_jobless
    LIMIT %(limit)s
    FOR UPDATE OF task SKIP LOCKED
), enqueued AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, args, scheduled_at, attempts, tasks_line
    )
    SELECT
        task.job_id, task.queue, 'task:' || task.kind, task.priority,
        jsonb_build_object('task_id', task.id),
        CASE
            WHEN task.limit_keys IS NULL THEN task.scheduled_at
            ELSE coalesce(task.scheduled_at, statement_timestamp())
        END,
        task.attempt, CASE WHEN task.limit_keys IS NOT NULL THEN 0 END
    FROM tasks_task AS task
    JOIN jobless ON jobless.id = task.id
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), taskless AS (
    SELECT job.id
    FROM procrastinate_jobs AS job
    WHERE job.task_name LIKE 'task:%%' AND
    -- is_taskless
    LIMIT %(limit)s
    FOR UPDATE OF job SKIP LOCKED
), gone AS (
    DELETE FROM procrastinate_jobs USING taskless
    WHERE procrastinate_jobs.id = taskless.id
    RETURNING procrastinate_jobs.id
)
SELECT (SELECT count(*) FROM enqueued) AS enqueued, (SELECT count(*) FROM gone) AS gone
