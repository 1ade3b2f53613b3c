-- noted_ends: no change of status; takes up to `limit` ends that nobody has acted upon
DELETE FROM tasks_notedend
WHERE id = ANY (ARRAY(SELECT id FROM tasks_notedend ORDER BY id LIMIT %(limit)s FOR UPDATE))
RETURNING id, task_id, batch_id, status
