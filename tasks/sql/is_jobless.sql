-- is_jobless: no statement of its own; inserted in conditions at `-- is_jobless`
-- A waiting task without its job: no worker can claim it.
task.status = 'PENDING'
    AND NOT EXISTS (SELECT FROM procrastinate_jobs AS own_job WHERE own_job.id = task.job_id)
