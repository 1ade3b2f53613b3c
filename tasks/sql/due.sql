-- due: no change of status; how many jobs are due, staged or not; of each at most `limit` are counted
SELECT (
    SELECT count(*) FROM (
        SELECT FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
        LIMIT %(limit)s
    ) AS staged
) + (
    SELECT count(*) FROM (
        SELECT FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at <= statement_timestamp()
            AND task_name LIKE 'task:%%'
        LIMIT %(limit)s
    ) AS unstaged
)
