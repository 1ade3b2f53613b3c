-- adopt_running: no change of status; running tasks count under limits that are newer than they are
-- Rows that another transaction has locked are left for the next time. Returns the tasks that were
-- changed, and those that were left.
WITH running AS MATERIALIZED (
    SELECT
        id, limit_keys,
        tasks_permit_keys(kind, queue, owner_id, input, cache_key) AS keys
    FROM tasks_task
    WHERE status = 'PROCESSING'
        AND limit_keys IS DISTINCT FROM tasks_permit_keys(kind, queue, owner_id, input, cache_key)
), locked AS MATERIALIZED (
    SELECT id
    FROM tasks_task
    WHERE id = ANY (ARRAY(SELECT id FROM running)) AND status = 'PROCESSING'
    ORDER BY id
    FOR NO KEY UPDATE SKIP LOCKED
), adopted AS (
    UPDATE tasks_task AS task
    SET limit_keys = running.keys
    FROM running
    WHERE task.id = running.id AND task.id IN (SELECT id FROM locked)
    RETURNING task.id
), released AS (
    UPDATE tasks_permit AS permit SET released_at = clock_timestamp()
    FROM running
    WHERE permit.task_id = running.id
        AND permit.task_id IN (SELECT id FROM adopted)
        AND permit.released_at IS NULL
        AND permit.key <> ALL (coalesce(running.keys, '{}'))
), counted AS (
    INSERT INTO tasks_permit (key, task_id, is_rated, is_ordered, created_at)
    SELECT
        key, id, false,
        EXISTS (SELECT FROM tasks_limit WHERE ordered AND id::text = split_part(key, ':', 1)),
        clock_timestamp()
    FROM running
    CROSS JOIN unnest(keys) AS key
    WHERE id IN (SELECT id FROM adopted)
        AND key <> ALL (coalesce(limit_keys, '{}'))
)
SELECT
    (SELECT count(*) FROM adopted) AS adopted,
    (SELECT count(*) FROM running) - (SELECT count(*) FROM adopted) AS left_over
