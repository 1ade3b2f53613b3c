-- prune: COMPLETED, FAILED, CANCELLED -> none
-- Deletes up to `limit` tasks that ended more than `days` days before `start`, with their history;
-- not those whose kind keeps them for a period of its own (`prune_kept.sql`). Only tasks that ended
-- within [`since`, `until`), because those that are kept longer are read again in each batch.
-- Members of a batch that has not ended are kept: others may use their results.
-- `start` is a value, not clock_timestamp(): with a volatile function no index could be used.
WITH target AS MATERIALIZED (
    SELECT id
    FROM tasks_task
    WHERE status = ANY (%(statuses)s::text[])
        AND finished_at < %(start)s::timestamptz - %(days)s * interval '1 day'
        AND finished_at >= %(since)s::timestamptz AND finished_at < %(until)s::timestamptz
        AND keep_days IS NULL
        AND NOT (is_awaited AND tasks_is_running(batch_id))
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), history AS (
    DELETE FROM tasks_attempt USING target WHERE tasks_attempt.task_id = target.id
), pruned AS (
    DELETE FROM tasks_task USING target WHERE tasks_task.id = target.id
    RETURNING tasks_task.id
)
SELECT count(*) FROM pruned
