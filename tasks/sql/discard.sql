-- discard: no change of status; deletes jobs that cancel, delete, expire or replace had to leave
-- A claim that chose such a job deletes it; a claim that locked it and chose others does not, nor
-- does a stage. So this statement waits for their locks. A transaction that holds a task row must
-- not do that, so it runs after the commit. Guard: no task names the job. The jobs are locked in
-- the order of their ids, so that two discards cannot deadlock.
WITH target AS MATERIALIZED (
    SELECT job.id
    FROM procrastinate_jobs AS job
    WHERE job.id = ANY (%(jobs)s::bigint[]) AND
    -- is_taskless
    ORDER BY job.id
    FOR UPDATE OF job
)
DELETE FROM procrastinate_jobs USING target WHERE procrastinate_jobs.id = target.id
