-- postpone: no change of status; callbacks to a receiver that is busy or down are scheduled later
-- When a receiver is busy or down, thousands of callbacks may wait for it: each would be tried in
-- vain and keep a worker from receivers that answer. Postpones those that have not been tried: the
-- others have a retry schedule of their own. No attempt is used. With `include_earlier`, also those
-- that are scheduled before the first ones of this call (at `start`) are due again; so no callback
-- is postponed twice by one call, although its later statements postpone to a later time.
-- They are due again in groups, at whole seconds, so that the first of each group tries the
-- receiver for the others.
-- Guards: no other transaction has locked the job or the task, and the task still waits for this
-- job (looked up by its id, as in `finish.sql`).
WITH due_time AS MATERIALIZED (
    SELECT
        date_trunc('second', clock_timestamp()) + pause AS due,
        date_trunc('second', %(start)s::timestamptz) + pause AS first_due
    FROM (SELECT (1 + ceil(%(pause)s)) * interval '1 second' AS pause) AS rounded
), waiting AS MATERIALIZED (
    SELECT id, (args ->> 'task_id')::uuid AS task_id
    FROM procrastinate_jobs
    WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%' AND attempts = 0
        AND queue_name = 'callbacks' AND priority = 0
        AND tasks_owner = tasks_receiver(%(owner)s, %(url)s)
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), earlier AS MATERIALIZED (
    SELECT id, (args ->> 'task_id')::uuid AS task_id
    FROM procrastinate_jobs
    WHERE %(include_earlier)s
        AND status = 'todo' AND scheduled_at < (SELECT first_due FROM due_time)
        AND task_name LIKE 'task:%%'
        AND attempts = 0 AND queue_name = 'callbacks' AND priority = 0
        AND tasks_owner = tasks_receiver(%(owner)s, %(url)s)
    LIMIT %(limit)s - (SELECT count(*) FROM waiting)
    FOR UPDATE SKIP LOCKED
), held AS MATERIALIZED (
    SELECT task.id, task.job_id, due + floor(%(spread)s * random()) * interval '1 second' AS due
    FROM due_time
    CROSS JOIN (SELECT * FROM waiting UNION ALL SELECT * FROM earlier) AS callback
    JOIN tasks_task AS task ON task.id = callback.task_id AND task.job_id = callback.id
    WHERE task.status IS NOT DISTINCT FROM 'PENDING'
    ORDER BY task.id
    FOR NO KEY UPDATE OF task SKIP LOCKED
), postponed AS (
    UPDATE tasks_task AS task SET scheduled_at = held.due FROM held WHERE task.id = held.id
)
UPDATE procrastinate_jobs AS job SET scheduled_at = held.due FROM held WHERE job.id = held.job_id
