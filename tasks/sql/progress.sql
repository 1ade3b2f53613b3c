-- progress: no arrow; fenced like finish, so that a lost claim cannot tell tales
UPDATE tasks_task AS task
SET progress = told.percent, progress_message = told.message
FROM unnest(
    %(task_ids)s::uuid[], %(claim_numbers)s::integer[], %(percents)s::smallint[], %(messages)s::text[]
) AS told (task_id, lease, percent, message)
WHERE task.id = told.task_id AND task.lease = told.lease AND task.status = 'PROCESSING'
