-- verify callback_missing: tasks that have ended with a callback address, but without a callback
-- The end and its callback are committed together, and the callback's key is as new as the end. So
-- those of the tasks that ended since `since` are among the newest tasks, which begin at `newest`.
WITH part AS (
    -- part
), called_back AS (
    SELECT input ->> 'task_id' AS id
    FROM tasks_task
    WHERE id > %(newest)s AND kind = 'callback.deliver'
), missing AS (
    SELECT task.id::text AS id
    FROM part AS task
    WHERE task.callback_url <> ''
        AND task.status IN ('COMPLETED', 'FAILED', 'CANCELLED')
        AND task.finished_at > %(since)s
    EXCEPT
    SELECT id FROM called_back
)
SELECT id FROM missing ORDER BY id LIMIT %(most)s
