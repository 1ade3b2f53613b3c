-- verify callback_doubled: callbacks of which there are several for one end of one task
WITH part AS (
    -- part
)
SELECT min(task.id::text)
FROM part AS task
WHERE task.kind = 'callback.deliver'
GROUP BY task.input ->> 'task_id', task.input ->> 'ended_at'
HAVING count(*) > 1
ORDER BY 1
LIMIT %(most)s
