-- is_waiting: no change of status; whether any job can be claimed, by a worker of its queue and kind
-- A tenth of the work of a claim that finds nothing: workers look again without being told to.
SELECT EXISTS (
    SELECT FROM procrastinate_jobs
    WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
)
