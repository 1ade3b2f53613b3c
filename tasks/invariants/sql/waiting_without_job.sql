-- verify waiting_without_job: tasks that wait without a job
WITH part AS (
    -- part
)
SELECT task.id::text
FROM part AS task
WHERE
-- is_jobless
LIMIT %(most)s
