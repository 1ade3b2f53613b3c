-- submit: none -> PENDING
-- One statement writes the tasks and their jobs, so that neither is ever seen without the other.
-- A repeated request (same owner, same idempotency key) writes nothing and returns no row; without
-- any key the statement is run without its part ON CONFLICT, which costs each row a second record in
-- the log. It joins the caller's transaction. The job's id is drawn from the sequence here, so that
-- the task can name its job without being written twice.
-- The turn (start-time fair queueing) is the position of a job in its queue and priority: after the
-- waiting jobs of the same owner, but for a new owner at the current position, so that no owner
-- waits behind all the jobs of another.
-- A task under limits gets a job that is due at once and is staged first: with its permits, or into
-- a line (`stage.sql`). Its limits are looked up only where any exist.
WITH submitted AS (
    INSERT INTO tasks_task (
        id, owner_id, batch_id, kind, queue, priority, status, input, metadata,
        attempt, max_attempts, lease, losses, crashes, progress, progress_message, cancel_requested,
        created_at, scheduled_at, callback_url, idempotency_key, fingerprint, request_id, traceparent,
        job_id, limit_keys
    )
    SELECT
        new.id, new.owner_id, %(batch)s::uuid, new.kind, new.queue, new.priority, 'PENDING',
        new.input, new.metadata,
        0, new.max_attempts, 0, 0, 0, 0, '', false,
        statement_timestamp(),
        coalesce(new.scheduled_at, statement_timestamp() + new.delay * interval '1 second'),
        new.callback_url, new.idempotency_key, new.fingerprint, new.request_id, new.traceparent,
        nextval('procrastinate_jobs_id_seq'),
        CASE
            WHEN EXISTS (SELECT FROM tasks_limit)
                THEN tasks_limit_keys(new.kind, new.queue, new.owner_id, new.input)
        END
    FROM jsonb_to_recordset(%(new)s::jsonb) AS new (
        id uuid, owner_id bigint, kind text, queue text, priority integer, input jsonb,
        metadata jsonb, max_attempts integer, delay double precision, scheduled_at timestamptz,
        callback_url text, idempotency_key text, fingerprint text, request_id text, traceparent text
    )
    ON CONFLICT (coalesce(owner_id, 0), idempotency_key) WHERE idempotency_key IS NOT NULL
    DO NOTHING
    RETURNING
        id, kind, queue, priority, coalesce(owner_id, 0) AS owner, job_id, created_at, scheduled_at,
        limit_keys IS NOT NULL AS is_limited
), turns AS MATERIALIZED (
    SELECT queue, priority, owner, tasks_last_turn(queue, priority, owner) AS last
    FROM (SELECT DISTINCT queue, priority, owner FROM submitted) AS owners
), enqueued AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, args, scheduled_at, tasks_line, tasks_owner, tasks_turn
    )
    SELECT
        job_id, queue, 'task:' || kind, priority, jsonb_build_object('task_id', id),
        CASE WHEN is_limited THEN coalesce(scheduled_at, created_at) ELSE scheduled_at END,
        CASE WHEN is_limited THEN 0 END,
        owner, last + row_number() OVER (PARTITION BY queue, priority, owner ORDER BY job_id)
    FROM submitted
    JOIN turns USING (queue, priority, owner)
)
SELECT
    id, job_id, created_at, scheduled_at,
    -- Read by the trigger that announces jobs.
    set_config('tasks.commits_at_once', %(commits_at_once)s::boolean::text, true)
FROM submitted
