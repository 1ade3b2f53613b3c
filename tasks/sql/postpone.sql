-- put_off: no arrow; callbacks that wait for a receiver who cannot be told now wait longer
-- Behind one attempt that found the lines to a receiver engaged or dead there may be thousands, which
-- would find the same, one by one, and keep the workers from whom they can reach. Takes those that
-- have not been tried: the others wait by a schedule of their own. No attempt is spent. With `coming`
-- those too that would come earlier than what was put off first, at `start`: what this call has put
-- off is not put off again, though later statements of it put off to a later time. They come back in
-- groups, at whole seconds: of each group the first may find out what there is to find for the others.
-- Guards: the job is nobody
-- else's, and its task still waits for it (looked up by its id, as `finish.sql` says); rows that
-- somebody holds are left.
WITH least AS MATERIALIZED (
    SELECT
        date_trunc('second', clock_timestamp()) + pause AS due,
        date_trunc('second', %(start)s::timestamptz) + pause AS first_due
    FROM (SELECT (1 + ceil(%(pause)s)) * interval '1 second' AS pause) AS given
), waiting AS MATERIALIZED (
    SELECT id, (args ->> 'task_id')::uuid AS task_id
    FROM procrastinate_jobs
    WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%' AND attempts = 0
        AND queue_name = 'callbacks' AND priority = 0
        AND tasks_owner = tasks_receiver(%(owner)s, %(url)s)
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), coming AS MATERIALIZED (
    SELECT id, (args ->> 'task_id')::uuid AS task_id
    FROM procrastinate_jobs
    WHERE %(coming)s
        AND status = 'todo' AND scheduled_at < (SELECT first_due FROM least) AND task_name LIKE 'task:%%'
        AND attempts = 0 AND queue_name = 'callbacks' AND priority = 0
        AND tasks_owner = tasks_receiver(%(owner)s, %(url)s)
    LIMIT %(limit)s - (SELECT count(*) FROM waiting)
    FOR UPDATE SKIP LOCKED
), held AS MATERIALIZED (
    SELECT task.id, task.job_id, due + floor(%(spread)s * random()) * interval '1 second' AS due
    FROM least
    CROSS JOIN (SELECT * FROM waiting UNION ALL SELECT * FROM coming) AS found
    JOIN tasks_task AS task ON task.id = found.task_id AND task.job_id = found.id
    WHERE task.status IS NOT DISTINCT FROM 'PENDING'
    ORDER BY task.id
    FOR NO KEY UPDATE OF task SKIP LOCKED
), told AS (
    UPDATE tasks_task AS task SET scheduled_at = held.due FROM held WHERE task.id = held.id
)
UPDATE procrastinate_jobs AS job SET scheduled_at = held.due FROM held WHERE job.id = held.job_id
