-- is_jobless: no statement of its own; inserted in conditions at `-- is_jobless`
-- A waiting task without its job: no worker can claim it. A subquery that returns a value is run for
-- each task; NOT EXISTS would become a join, which reads every job for each task where the planner
-- believes that there is none.
task.status = 'PENDING'
    AND (SELECT own_job.id FROM procrastinate_jobs AS own_job WHERE own_job.id = task.job_id)
        IS NULL
