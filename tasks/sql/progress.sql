-- progress: no change of status; fenced like finish, so that a lost claim writes nothing
UPDATE tasks_task AS task
SET progress = report.percent, progress_message = report.message
FROM unnest(
    %(task_ids)s::uuid[], %(claim_numbers)s::integer[], %(percents)s::smallint[],
    %(messages)s::text[]
) AS report (task_id, lease, percent, message)
WHERE task.id = report.task_id AND task.lease = report.lease AND task.status = 'PROCESSING'
