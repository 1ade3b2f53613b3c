-- is_waiting: no change of status; whether any job can be claimed, by a worker of its queue and kind,
-- and whether any is due that no leader has staged
-- A tenth of the work of a claim that finds nothing: workers look again without being told to. The
-- orders are those of the indexes that hold only such jobs, so that the planner reads no others; of
-- a subquery in EXISTS it would drop them.
SELECT
    coalesce((
        SELECT true
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
        ORDER BY queue_name, (attempts > 0)
        LIMIT 1
    ), false),
    coalesce((
        SELECT true
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at <= statement_timestamp() AND task_name LIKE 'task:%%'
        ORDER BY scheduled_at
        LIMIT 1
    ), false)
