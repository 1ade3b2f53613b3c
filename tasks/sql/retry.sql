-- retry: FAILED, CANCELLED -> PENDING
-- Requested by hand: grants at least one more attempt, and inserts a new job. The limits are those of
-- now: it may have ended before they were created. It expires no more, and does not count as unique.
-- A task that waited for others waits until `settle` has looked at those again, because its input may
-- still name their results. The batch of an awaited task has not ended any more.
WITH retried AS (
    UPDATE tasks_task
    SET status = 'PENDING',
        max_attempts = greatest(max_attempts, attempt + 1),
        losses = 0,
        crashes = 0,
        cancel_requested = false,
        scheduled_at = CASE
            WHEN EXISTS (SELECT FROM tasks_dependency WHERE task_id = tasks_task.id) THEN 'infinity'::timestamptz
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
        id, kind, queue, priority, attempt, status, job_id, scheduled_at, batch_id, is_awaited,
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
), looked_at AS (
    INSERT INTO tasks_notedend (task_id, batch_id, status)
    SELECT id, batch_id, 'retried' FROM retried WHERE scheduled_at = 'infinity'
), goes_on AS (
    UPDATE tasks_batch
    SET outcome = NULL,
        ended_at = NULL
    WHERE id = ANY (ARRAY(SELECT batch_id FROM retried WHERE is_awaited)) AND ended_at IS NOT NULL
)
SELECT
    id, kind, queue, attempt, status,
    CASE WHEN scheduled_at = 'infinity' THEN pg_notify(
        'procrastinate_any_queue_v1',
        '{"type": "job_inserted", "job_id": 0, "queues": [], "scheduled": true}'
    )::text END AS notified
FROM retried
