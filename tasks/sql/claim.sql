-- claim: PENDING → PROCESSING
-- Takes up to `limit` due jobs (those not scheduled, or staged by now: `stage.sql`), highest priority
-- first, and with them their tasks. Guards: the job
-- is nobody else's (SKIP LOCKED), its kind is one this worker knows (others stay parked), its queue
-- is open, and the task still waits for this very job. A job that its task no longer names is a
-- second delivery or left behind: it is deleted and nothing runs.
-- Of a full claim the retry lane (jobs with attempts behind them) gets `retry_share`, and what the
-- primary lane leaves, so that a retry storm cannot starve new work, nor new work the retries.
-- Attempts are counted here, so that a task that kills its process cannot do so for ever.
WITH fresh AS MATERIALIZED (
    SELECT job.id, job.priority, (job.args ->> 'task_id')::uuid AS task_id
    FROM procrastinate_jobs AS job
    WHERE job.status = 'todo'
        AND job.attempts = 0
        AND job.task_name = ANY (%(task_names)s::text[])
        AND (%(queues)s::text[] IS NULL OR job.queue_name = ANY (%(queues)s::text[]))
        AND job.scheduled_at IS NULL
        AND job.queue_name <> ALL (ARRAY(SELECT name FROM tasks_queue WHERE paused))
    ORDER BY job.priority DESC, job.id
    LIMIT %(limit)s
    FOR UPDATE OF job SKIP LOCKED
), tried AS MATERIALIZED (
    SELECT job.id, job.priority, (job.args ->> 'task_id')::uuid AS task_id
    FROM procrastinate_jobs AS job
    WHERE job.status = 'todo'
        AND job.attempts > 0
        AND job.task_name = ANY (%(task_names)s::text[])
        AND (%(queues)s::text[] IS NULL OR job.queue_name = ANY (%(queues)s::text[]))
        AND job.scheduled_at IS NULL
        AND job.queue_name <> ALL (ARRAY(SELECT name FROM tasks_queue WHERE paused))
    ORDER BY job.priority DESC, job.id
    LIMIT greatest(%(retry_share)s, %(limit)s - (SELECT count(*) FROM fresh))
    FOR UPDATE OF job SKIP LOCKED
), candidate AS MATERIALIZED (
    SELECT id, task_id FROM tried
    UNION ALL
    (
        SELECT id, task_id FROM fresh
        ORDER BY priority DESC, id
        LIMIT %(limit)s - (SELECT count(*) FROM tried)
    )
), claimed AS (
    UPDATE tasks_task AS task
    SET status = 'PROCESSING',
        attempt = task.attempt + 1,
        lease = task.lease + 1,
        worker_id = %(worker)s,
        started_at = clock_timestamp(),
        progress = 0,
        progress_message = ''
    FROM candidate
    WHERE task.id = candidate.task_id
        AND task.job_id = candidate.id
        AND task.status = 'PENDING'
    RETURNING
        task.id, task.job_id, task.kind, task.priority, task.owner_id, task.input,
        task.attempt, task.max_attempts, task.lease, task.losses + task.crashes AS deaths
), taken AS (
    UPDATE procrastinate_jobs
    SET status = 'doing', worker_id = %(worker)s
    WHERE id IN (SELECT job_id FROM claimed)
), stale AS (
    DELETE FROM procrastinate_jobs
    WHERE id IN (SELECT id FROM candidate EXCEPT SELECT job_id FROM claimed)
)
SELECT id, job_id, kind, owner_id, input, attempt, max_attempts, lease, deaths
FROM claimed
ORDER BY priority DESC, job_id
