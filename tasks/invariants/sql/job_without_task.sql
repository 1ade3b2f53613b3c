-- verify job_without_task: jobs of this system that no task names
WITH part AS (
    -- part
)
SELECT job.id::text
FROM part AS job
WHERE job.task_name LIKE 'task:%%' AND
-- is_taskless
LIMIT %(most)s
