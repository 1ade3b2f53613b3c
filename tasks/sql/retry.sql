-- retry: FAILED, CANCELLED -> PENDING
-- Requested by hand: grants at least one more attempt, and inserts a new job. The limits are those of
-- now: it may have ended before they were created. It expires no more, and does not count as unique.
-- A task that has never begun because others failed waits for those again.
WITH retried AS (
    UPDATE tasks_task
    SET status = 'PENDING',
        max_attempts = greatest(max_attempts, attempt + 1),
        losses = 0,
        crashes = 0,
        cancel_requested = false,
        scheduled_at = CASE
            WHEN EXISTS (
                SELECT FROM tasks_dependency WHERE task_id = tasks_task.id AND NOT met
            ) THEN 'infinity'::timestamptz
        END,
        error = CASE WHEN error ->> 'type' <> 'DependencyFailed' THEN error END,
        expires_at = NULL,
        finished_at = NULL,
        progress = 0,
        progress_message = '',
        job_id = nextval('procrastinate_jobs_id_seq'),
        limit_keys = CASE
            WHEN EXISTS (SELECT FROM tasks_limit) OR cache_key IS NOT NULL
                THEN tasks_permit_keys(kind, queue, owner_id, input, cache_key)
        END
    WHERE id = ANY (%(ids)s::uuid[]) AND status IN ('FAILED', 'CANCELLED')
    RETURNING
        id, kind, queue, priority, attempt, status, job_id, scheduled_at,
        limit_keys IS NOT NULL AS is_limited
), enqueued AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, args, scheduled_at, attempts, tasks_line, tasks_turn
    )
    SELECT
        job_id, queue, 'task:' || kind, priority, jsonb_build_object('task_id', id),
        CASE
            WHEN is_limited THEN coalesce(scheduled_at, statement_timestamp()) ELSE scheduled_at
        END,
        attempt,
        CASE WHEN is_limited THEN 0 END,
        -- At the end of a line, though it has begun before.
        CASE WHEN is_limited THEN 1 ELSE 0 END
    FROM retried
)
SELECT id, kind, queue, attempt, status FROM retried
