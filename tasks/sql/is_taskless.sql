-- is_taskless: no statement of its own; inserted in conditions at `-- is_taskless`
-- A job that no task names: its task is gone, has ended, or has another job.
NOT EXISTS (
    SELECT FROM tasks_task AS naming
    WHERE naming.id = (job.args ->> 'task_id')::uuid AND naming.job_id = job.id
)
