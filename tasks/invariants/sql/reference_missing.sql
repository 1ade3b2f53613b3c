-- verify reference_missing: tasks that name an account or a batch that does not exist
WITH part AS (
    -- part
)
SELECT task.id::text
FROM part AS task
WHERE
    (
        task.owner_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM auth_user AS owner WHERE owner.id = task.owner_id)
    )
    OR (
        task.batch_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM tasks_batch AS batch WHERE batch.id = task.batch_id)
    )
LIMIT %(most)s
