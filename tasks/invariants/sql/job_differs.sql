-- verify job_differs: waiting tasks with a job that is another task's, or has other values
-- A job without a time has been staged; one that has a time must have the task's, unless it waits
-- under a limit.
WITH part AS (
    -- part
)
SELECT task.id::text
FROM part AS task
JOIN procrastinate_jobs AS job ON job.id = task.job_id
WHERE task.status = 'PENDING'
    AND (
        job.args ->> 'task_id' IS DISTINCT FROM task.id::text
        OR job.task_name <> 'task:' || task.kind
        OR job.queue_name <> task.queue
        OR job.priority <> task.priority
        OR job.attempts <> task.attempt
        OR job.status <> 'todo'
        OR (job.tasks_line IS NULL) <> (task.limit_keys IS NULL)
        OR (
            job.scheduled_at IS NOT NULL
            AND job.tasks_line IS NULL
            AND job.scheduled_at IS DISTINCT FROM task.scheduled_at
        )
    )
LIMIT %(most)s
