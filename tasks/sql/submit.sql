-- submit: none -> PENDING
-- One statement writes the tasks and their jobs, so that neither is ever seen without the other.
-- A repeated request (same owner, same idempotency key) and one for a unique task that exists write
-- nothing and return no row; where no task has a key the statement is run without its part ON
-- CONFLICT, which costs each row a second record in the log. It joins the caller's transaction. The
-- job's id is drawn from the sequence here, so that the task can name its job without being written
-- twice. Keys are taken in their order, so that two statements do not wait for each other.
-- A follow-up of an awaited member of a batch joins the batch. A task that `waits` for others is
-- scheduled at infinity until `release.sql`.
WITH submitted AS (
    INSERT INTO tasks_task (
        id, owner_id, batch_id, kind, queue, priority, status, input, metadata,
        attempt, max_attempts, lease, losses, crashes, progress, progress_message, cancel_requested,
        created_at, scheduled_at, callback_url, idempotency_key, fingerprint, request_id, traceparent,
        job_id, limit_keys, unique_key, unique_while, unique_until, expires_at,
        cache_key, keep_days, is_awaited, node, parent_id
    )
    SELECT
        new.id, new.owner_id, coalesce(%(batch)s::uuid, new.parent_batch), new.kind, new.queue, new.priority, 'PENDING',
        new.input, new.metadata,
        0, new.max_attempts, 0, 0, 0, 0, '', false,
        statement_timestamp(),
        CASE
            WHEN new.waits THEN 'infinity'
            ELSE coalesce(
                new.scheduled_at, statement_timestamp() + new.delay * interval '1 second'
            )
        END,
        new.callback_url, new.idempotency_key, new.fingerprint, new.request_id, new.traceparent,
        new.job_id,
        CASE
            WHEN EXISTS (SELECT FROM tasks_limit) OR new.cache_key IS NOT NULL
                THEN tasks_permit_keys(
                    new.kind, new.queue, new.owner_id, new.input, new.cache_key
                )
        END,
        new.unique_key, new.unique_while,
        statement_timestamp() + new.unique_for * interval '1 second',
        statement_timestamp() + new.expires_in * interval '1 second',
        new.cache_key, new.keep_days,
        coalesce(new.is_awaited, new.parent_batch IS NOT NULL), new.node, new.parent_id
    FROM (
        SELECT
            *, nextval('procrastinate_jobs_id_seq') AS job_id,
            CASE
                WHEN parent_id IS NOT NULL THEN (
                    SELECT batch_id FROM tasks_task AS parent
                    WHERE parent.id = listed.parent_id AND parent.is_awaited
                )
            END AS parent_batch
        FROM jsonb_to_recordset(%(new)s::jsonb) AS listed (
            id uuid, owner_id bigint, kind text, queue text, priority integer, input jsonb,
            metadata jsonb, max_attempts integer, delay double precision, scheduled_at timestamptz,
            callback_url text, idempotency_key text, fingerprint text, request_id text,
            traceparent text, unique_key uuid, unique_while text, unique_for double precision,
            expires_in double precision, cache_key text, keep_days integer, is_awaited boolean,
            waits boolean, node text, parent_id uuid
        )
    ) AS new
    ORDER BY idempotency_key, unique_key
    ON CONFLICT DO NOTHING
    RETURNING
        id, kind, queue, priority, coalesce(owner_id, 0) AS owner, job_id, created_at, scheduled_at,
        expires_at, unique_key, unique_while, unique_until, limit_keys IS NOT NULL AS is_limited
),
-- submitted_jobs
SELECT
    id, job_id, created_at, scheduled_at, expires_at, unique_key, unique_while, unique_until,
    -- Read by the trigger that announces jobs.
    set_config('tasks.commits_at_once', %(commits_at_once)s::boolean::text, true)
FROM submitted
