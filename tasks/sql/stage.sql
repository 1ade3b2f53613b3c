-- stage: no arrow; scheduled jobs whose time has come join those that are claimed
-- Claims look only at jobs without a schedule, through indexes that hold no others, so that two
-- hundred thousand tasks scheduled for later cost them nothing.
UPDATE procrastinate_jobs
SET scheduled_at = NULL
WHERE id IN (
    SELECT id FROM procrastinate_jobs
    WHERE status = 'todo'
        AND scheduled_at <= statement_timestamp()
        AND task_name LIKE 'task:%%'
    ORDER BY scheduled_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
