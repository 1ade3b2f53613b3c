-- verify permit_differs: tasks that run without a permit, and permits of tasks that do not run
-- A task that can be claimed has its permits, as one that runs; one that waits may have its turn under
-- an ordered limit. Those of a limit that does not apply
-- yet may be missing.
WITH part AS (
    -- part
), holder AS (
    SELECT part.id, part.limit_keys FROM part WHERE part.limit_keys IS NOT NULL
    UNION ALL
    SELECT task.id, task.limit_keys
    FROM (
        SELECT * FROM procrastinate_jobs WHERE tasks_line = 0 ORDER BY (attempts = 0 OR tasks_turn > 0), id LIMIT %(limit)s
    ) AS job
    JOIN tasks_task AS task ON task.id = (job.args ->> 'task_id')::uuid AND task.job_id = job.id
    WHERE job.scheduled_at IS NULL
), held AS (
    SELECT * FROM tasks_permit WHERE released_at IS NULL ORDER BY id LIMIT %(limit)s
)
SELECT holder.id::text
FROM holder
CROSS JOIN LATERAL unnest(holder.limit_keys) AS key
CROSS JOIN LATERAL tasks_limit_in_force(key) AS rule
WHERE rule.since IS NOT NULL
    AND NOT EXISTS (
        SELECT FROM tasks_permit
        WHERE task_id = holder.id AND tasks_permit.key = key AND released_at IS NULL
    )
UNION
SELECT held.task_id::text
FROM held
LEFT JOIN tasks_task AS task ON task.id = held.task_id
WHERE task.status IS DISTINCT FROM 'PROCESSING'
    AND NOT (held.is_ordered AND task.status IS NOT DISTINCT FROM 'PENDING')
    AND NOT EXISTS (
        SELECT FROM procrastinate_jobs AS job
        WHERE task.status = 'PENDING' AND job.id = task.job_id AND job.scheduled_at IS NULL
    )
LIMIT %(most)s
