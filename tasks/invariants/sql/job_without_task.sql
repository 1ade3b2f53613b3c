-- verify job_without_task: jobs of this system that no task names
-- Where `limit` jobs wait, none is judged: the reconciler, which deletes them, needs minutes for its
-- round then.
WITH part AS (
    -- part
)
SELECT job.id::text
FROM part AS job
WHERE NOT EXISTS (SELECT FROM procrastinate_jobs ORDER BY id OFFSET %(limit)s LIMIT 1)
    AND job.task_name LIKE 'task:%%' AND
-- is_taskless
LIMIT %(most)s
