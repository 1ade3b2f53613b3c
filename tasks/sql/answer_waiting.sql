-- answer_waiting: PENDING -> COMPLETED, for tasks that waited while another worked on the same input
-- Those of the inputs whose one worker has just ended its attempt with a result: its permit is still
-- there, until `stage.sql` deletes it. Tasks that have begun before, or whose rows another
-- transaction has locked, are left: they take the result when they start (`reuse.sql`).
WITH source AS MATERIALIZED (
    SELECT freed.key, stored.id, stored.result
    FROM (
        SELECT DISTINCT key
        FROM tasks_permit
        WHERE released_at IS NOT NULL AND key LIKE 'cache %%'
    ) AS freed
    JOIN tasks_task AS stored ON stored.id = tasks_cached_result(freed.key)
), target AS MATERIALIZED (
    SELECT task.id, job.id AS job_id, source.id AS source_id, source.result
    FROM source
    JOIN tasks_line AS line ON line.keys[1] = source.key
    JOIN procrastinate_jobs AS job ON job.tasks_line = line.id AND job.tasks_line > 0
    JOIN tasks_task AS task ON task.id = (job.args ->> 'task_id')::uuid AND task.job_id = job.id
    WHERE task.status = 'PENDING'
        AND task.lease = 0
        AND (task.expires_at IS NULL OR task.expires_at > statement_timestamp())
    LIMIT %(limit)s
    FOR UPDATE OF job SKIP LOCKED
    FOR NO KEY UPDATE OF task SKIP LOCKED
), answered AS (
    UPDATE tasks_task AS task
    SET status = 'COMPLETED',
        job_id = NULL,
        result = target.result,
        cached_from = target.source_id,
        progress = 100,
        finished_at = clock_timestamp()
    FROM target
    WHERE task.id = target.id
    RETURNING
        task.id, task.kind, task.queue, task.attempt, task.status, task.owner_id,
        task.finished_at, task.callback_url, task.request_id, task.traceparent
),
-- callbacks
answered_jobs AS (
    DELETE FROM procrastinate_jobs WHERE id = ANY (ARRAY(SELECT job_id FROM target))
)
SELECT id, kind, queue, attempt, status FROM answered
