-- discard: no arrow; deletes jobs that a cancel or a delete had to leave
-- A claim that chose such a job deletes it; one that held it and chose others does not, nor does a
-- stage. So this waits for them, which nobody may who holds a task row: it runs after the commit.
-- Guard: no task names the job. Locked in the order of their ids, lest two of these deadlock.
WITH target AS MATERIALIZED (
    SELECT job.id
    FROM procrastinate_jobs AS job
    WHERE job.id = ANY (%(jobs)s::bigint[])
        AND NOT EXISTS (
            SELECT FROM tasks_task AS task
            WHERE task.id = (job.args ->> 'task_id')::uuid AND task.job_id = job.id
        )
    ORDER BY job.id
    FOR UPDATE OF job
)
DELETE FROM procrastinate_jobs USING target WHERE procrastinate_jobs.id = target.id
