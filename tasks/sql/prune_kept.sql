-- prune_kept: COMPLETED, FAILED, CANCELLED -> none, for kinds that keep tasks for a period of their own
-- Members of a batch that has not ended are kept: others may use their results.
-- Deletes up to `limit` tasks that are kept for `days` days and ended earlier than that before `start`.
WITH target AS MATERIALIZED (
    SELECT id
    FROM tasks_task
    WHERE keep_days = %(days)s
        AND finished_at < %(start)s::timestamptz - %(days)s * interval '1 day'
        AND NOT (is_awaited AND tasks_is_running(batch_id))
    ORDER BY finished_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), history AS (
    DELETE FROM tasks_attempt USING target WHERE tasks_attempt.task_id = target.id
), pruned AS (
    DELETE FROM tasks_task USING target WHERE tasks_task.id = target.id
    RETURNING tasks_task.id
)
SELECT count(*) FROM pruned
