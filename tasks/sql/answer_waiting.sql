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
), line AS MATERIALIZED (
    SELECT tasks_line.id, source.id AS source_id
    FROM source
    JOIN tasks_line ON tasks_line.keys[1] = source.key
), waiting AS MATERIALIZED (
    SELECT job.id, line.source_id
    FROM line
    CROSS JOIN LATERAL (
        SELECT id
        FROM procrastinate_jobs
        WHERE tasks_line = line.id AND tasks_line > 0
        ORDER BY (attempts = 0 OR tasks_turn > 0), id
        LIMIT %(limit)s
    ) AS job
    LIMIT %(limit)s
), locked_job AS MATERIALIZED (
    SELECT id, (args ->> 'task_id')::uuid AS task_id
    FROM procrastinate_jobs
    WHERE id = ANY (ARRAY(SELECT id FROM waiting))
    ORDER BY id
    FOR UPDATE SKIP LOCKED
), target AS MATERIALIZED (
    SELECT id, job_id
    FROM tasks_task
    WHERE id = ANY (ARRAY(SELECT task_id FROM locked_job))
        AND job_id = ANY (ARRAY(SELECT id FROM locked_job))
        AND status = 'PENDING'
        AND lease = 0
        AND (expires_at IS NULL OR expires_at > statement_timestamp())
    ORDER BY id
    FOR NO KEY UPDATE SKIP LOCKED
), answered AS (
    UPDATE tasks_task AS task
    SET status = 'COMPLETED',
        job_id = NULL,
        result = source.result,
        cached_from = source.id,
        progress = 100,
        finished_at = clock_timestamp()
    FROM target
    JOIN waiting ON waiting.id = target.job_id
    JOIN source ON source.id = waiting.source_id
    WHERE task.id = ANY (ARRAY[target.id])
    RETURNING
        task.id, task.kind, task.queue, task.attempt, task.status, task.owner_id,
        task.finished_at, task.callback_url, task.request_id, task.traceparent
),
-- callbacks
answered_jobs AS (
    DELETE FROM procrastinate_jobs WHERE id = ANY (ARRAY(SELECT job_id FROM target))
)
SELECT id, kind, queue, attempt, status FROM answered
