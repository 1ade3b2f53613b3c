-- verify result_differs: tasks with a result or an error that does not fit their status
WITH part AS (
    -- part
)
SELECT task.id::text
FROM part AS task
WHERE (task.status = 'COMPLETED') <> (task.result IS NOT NULL)
    OR (task.status = 'COMPLETED' AND task.error IS NOT NULL)
    OR (task.status = 'FAILED' AND task.error IS NULL)
LIMIT %(most)s
