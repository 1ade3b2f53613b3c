-- reuse: no change of status; a running task takes the stored result of the same input, if any
-- Returns that result. The attempt then ends with it, as if the handler had returned it.
WITH source AS MATERIALIZED (
    SELECT stored.id, stored.result
    FROM tasks_task AS task
    JOIN tasks_task AS stored ON stored.id = tasks_cached_result(task.cache_key)
    WHERE task.id = %(task)s
), marked AS (
    UPDATE tasks_task
    SET cached_from = (SELECT id FROM source)
    WHERE id = %(task)s
        AND lease = %(claim_number)s
        AND status = 'PROCESSING'
        AND cached_from IS DISTINCT FROM (SELECT id FROM source)
)
SELECT result FROM source
