-- verify too_many_attempts: tasks that were attempted, lost or crashed more often than allowed
WITH part AS (
    -- part
)
SELECT task.id::text
FROM part AS task
WHERE task.attempt > task.max_attempts
    OR task.losses > %(max_losses)s
    OR task.crashes > %(max_deaths)s
LIMIT %(most)s
