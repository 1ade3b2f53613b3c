-- replace: PENDING -> PENDING, with the values of a newer request for the same unique task
-- The task keeps its id, its age and its idempotency key. It gets a new job, in the place of one that
-- was just submitted: a worker that has locked the old one finds that no task names it. An old job
-- that another transaction has locked, or has just inserted, is left, and its id returned, as in
-- `cancel.sql`. A trigger gives its permits back. The start is put off as the request says, until `longest_wait` seconds after the task
-- was submitted.
-- A repeated request, with the idempotency key of an earlier one, changes nothing.
-- The time is read after the lock, so that of several requests the one that wins has the last start.
-- `target` is as new as its lock: a task that was claimed meanwhile has no key any more.
WITH target AS MATERIALIZED (
    SELECT
        task.id, task.job_id AS old_job, new.owner_id, new.kind, new.queue, new.priority, new.input,
        new.metadata, new.max_attempts, new.callback_url, new.request_id, new.traceparent,
        new.cache_key,
        new.scheduled_at, new.delay * interval '1 second' AS delay,
        new.longest_wait * interval '1 second' AS longest_wait,
        new.expires_in * interval '1 second' AS expires_in
    FROM jsonb_to_recordset(%(new)s::jsonb) AS new (
        owner_id bigint, kind text, queue text, priority integer, input jsonb, metadata jsonb,
        max_attempts integer, delay double precision, scheduled_at timestamptz, callback_url text,
        idempotency_key text, request_id text, traceparent text, unique_key uuid,
        expires_in double precision, longest_wait double precision, cache_key text
    )
    JOIN tasks_task AS task ON task.unique_key = new.unique_key
    WHERE task.unique_key IS NOT NULL AND task.status IS NOT DISTINCT FROM 'PENDING'
        AND NOT EXISTS (
            SELECT FROM tasks_task AS earlier
            WHERE coalesce(earlier.owner_id, 0) = coalesce(new.owner_id, 0)
                AND earlier.idempotency_key = new.idempotency_key
        )
    ORDER BY task.id
    FOR UPDATE OF task
), submitted AS (
    UPDATE tasks_task AS task
    SET queue = target.queue,
        priority = target.priority,
        input = target.input,
        metadata = target.metadata,
        max_attempts = target.max_attempts,
        callback_url = target.callback_url,
        request_id = target.request_id,
        traceparent = target.traceparent,
        scheduled_at = CASE
            WHEN target.scheduled_at IS NOT NULL OR target.delay IS NOT NULL THEN least(
                coalesce(target.scheduled_at, clock_timestamp() + target.delay),
                task.created_at + target.longest_wait
            )
        END,
        expires_at = clock_timestamp() + target.expires_in,
        cache_key = target.cache_key,
        job_id = nextval('procrastinate_jobs_id_seq'),
        limit_keys = CASE
            WHEN EXISTS (SELECT FROM tasks_limit) OR target.cache_key IS NOT NULL
                THEN tasks_permit_keys(
                    target.kind, target.queue, target.owner_id, target.input, target.cache_key
                )
        END
    FROM target
    WHERE task.id = target.id
    RETURNING
        task.id, task.kind, task.queue, task.priority, task.status, task.attempt,
        coalesce(task.owner_id, 0) AS owner, task.job_id, task.created_at, task.scheduled_at,
        task.expires_at, task.batch_id, task.unique_key, task.unique_while, task.unique_until,
        task.limit_keys IS NOT NULL AS is_limited,
        target.old_job
), gone AS (
    DELETE FROM procrastinate_jobs
    WHERE id = ANY (ARRAY(
        SELECT id
        FROM procrastinate_jobs
        WHERE id = ANY (ARRAY(SELECT old_job FROM target))
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id
),
-- submitted_jobs
SELECT
    id, kind, queue, attempt, status,
    CASE WHEN old_job NOT IN (SELECT id FROM gone) THEN old_job END AS left_job,
    unique_key, batch_id,
    job_id, created_at, scheduled_at, expires_at, unique_key, unique_while, unique_until,
    -- Read by the trigger that announces jobs.
    set_config('tasks.commits_at_once', %(commits_at_once)s::boolean::text, true)
FROM submitted
