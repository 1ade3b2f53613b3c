-- free_keys: no change of status; unique tasks count no longer when their time is over
-- Their period has ended, or they have expired and the rescuer has not cancelled them yet. Otherwise a
-- trigger, `tasks_free_key`, frees the key: at the first claim, or at the end of the task.
WITH freed AS (
    SELECT id, unique_key
    FROM tasks_task
    WHERE unique_key = ANY (%(keys)s::uuid[]) AND unique_key IS NOT NULL
        AND (
            unique_until <= statement_timestamp()
            OR (expires_at <= statement_timestamp() AND lease = 0)
        )
    ORDER BY id
    FOR UPDATE
)
UPDATE tasks_task SET unique_key = NULL FROM freed WHERE tasks_task.id = freed.id
RETURNING freed.unique_key
