-- verify sequence_behind: sequences that would return a number that is in use
-- Read with the newest values, which are at least those of this snapshot. Jobs of running tasks have
-- no row; their tasks have their numbers, as they have those of workers that are gone.
WITH running AS (
    -- part
), used AS (
    SELECT 'procrastinate_jobs' AS of_table, (
        SELECT greatest(
            (SELECT max(id) FROM procrastinate_jobs),
            (SELECT max(job_id) FROM running)
        )
    ) AS number
    UNION ALL
    SELECT 'procrastinate_workers', (
        SELECT greatest(
            (SELECT max(id) FROM procrastinate_workers),
            (SELECT max(id) FROM tasks_worker),
            (SELECT max(worker_id) FROM running)
        )
    )
    UNION ALL
    SELECT 'tasks_attempt', (SELECT max(id) FROM tasks_attempt)
    UNION ALL
    SELECT 'tasks_metricsum', (SELECT max(id) FROM tasks_metricsum)
), sequence AS (
    SELECT number, pg_get_serial_sequence(of_table, 'id') AS name FROM used
)
SELECT name
FROM sequence
WHERE coalesce(pg_sequence_last_value(name::regclass), 0) < number
ORDER BY name
LIMIT %(most)s
