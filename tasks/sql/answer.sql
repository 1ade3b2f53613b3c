-- answer: none -> COMPLETED, with the stored result of the same input
-- For kinds whose results can be used again: those of the submissions for which there is one. The
-- others write nothing and return no row; they are submitted (`submit.sql`).
WITH answered AS (
    INSERT INTO tasks_task (
        id, owner_id, batch_id, kind, queue, priority, status, input, metadata, result,
        attempt, max_attempts, lease, losses, crashes, progress, progress_message, cancel_requested,
        created_at, finished_at, callback_url, idempotency_key, fingerprint, request_id, traceparent,
        cache_key, cached_from, keep_days, is_awaited, parent_id
    )
    SELECT
        new.id, new.owner_id, %(batch)s::uuid, new.kind, new.queue, new.priority, 'COMPLETED',
        new.input, new.metadata, source.result,
        0, new.max_attempts, 0, 0, 0, 100, '', false,
        statement_timestamp(), statement_timestamp(), new.callback_url, new.idempotency_key,
        new.fingerprint, new.request_id, new.traceparent,
        new.cache_key, source.id, new.keep_days, coalesce(new.is_awaited, false), new.parent_id
    FROM jsonb_to_recordset(%(new)s::jsonb) AS new (
        id uuid, owner_id bigint, kind text, queue text, priority integer, input jsonb,
        metadata jsonb, max_attempts integer, callback_url text, idempotency_key text,
        fingerprint text, request_id text, traceparent text, cache_key text, keep_days integer,
        is_awaited boolean, parent_id uuid
    )
    JOIN tasks_task AS source ON source.id = tasks_cached_result(new.cache_key)
    ORDER BY new.idempotency_key
    ON CONFLICT DO NOTHING
    RETURNING
        id, kind, queue, status, owner_id, finished_at, callback_url, request_id, traceparent
),
-- callbacks
answers AS (
    SELECT id, kind, queue, 0 AS attempt, status FROM answered
)
SELECT id, kind, queue, attempt, status FROM answers
