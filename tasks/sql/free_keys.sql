-- free_keys: no change of status; unique tasks whose period is over count no longer
WITH freed AS (
    SELECT id, unique_key
    FROM tasks_task
    WHERE unique_key = ANY (%(keys)s::uuid[]) AND unique_key IS NOT NULL
        AND unique_until <= statement_timestamp()
    ORDER BY id
    FOR UPDATE
)
UPDATE tasks_task SET unique_key = NULL FROM freed WHERE tasks_task.id = freed.id
RETURNING freed.unique_key
