-- verify end_forgotten: batches that have ended, and tasks that may start, unnoticed
-- An end that was noted is acted upon within a second, so nothing here is found twice.
SELECT 'batch ' || batch.id
FROM (
    SELECT id FROM tasks_batch
    WHERE is_awaited AND ended_at IS NULL AND NOT is_open
    ORDER BY id DESC
    LIMIT %(limit)s
) AS batch
WHERE NOT EXISTS (SELECT FROM tasks_notedend WHERE batch_id = batch.id)
    AND NOT EXISTS (
        SELECT FROM tasks_task
        WHERE tasks_task.batch_id = batch.id AND is_awaited AND finished_at IS NULL
    )
UNION ALL
SELECT 'task ' || dependency.task_id
FROM (
    SELECT * FROM tasks_dependency WHERE NOT met ORDER BY task_id LIMIT %(limit)s
) AS dependency
JOIN tasks_task AS parent ON parent.id = dependency.on_id AND parent.status = 'COMPLETED'
WHERE NOT EXISTS (SELECT FROM tasks_notedend WHERE task_id = parent.id)
UNION ALL
SELECT 'task ' || task.id
FROM (
    SELECT id, scheduled_at FROM tasks_task
    WHERE status = 'PENDING' AND scheduled_at IS NOT NULL
    ORDER BY id DESC
    LIMIT %(limit)s
) AS task
WHERE task.scheduled_at = 'infinity'
    AND NOT EXISTS (SELECT FROM tasks_dependency WHERE task_id = task.id AND NOT met)
LIMIT %(most)s
