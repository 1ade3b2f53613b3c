-- finish: PROCESSING → COMPLETED | FAILED | CANCELLED, or back to PENDING
-- Ends any number of attempts at once. The fence: only a row that is PROCESSING under this very
-- lease is written; whoever lost the claim writes nothing, and is not among the rows returned.
-- In the same statement the old job goes, a job for the next attempt comes (retry, snooze,
-- release), and the attempt enters the history. An attempt handed back is not counted (`refund`).
-- A task that was asked to stop is not started again: it becomes CANCELLED instead.
WITH ended AS (
    SELECT *
    FROM unnest(
        %(task_ids)s::uuid[], %(job_ids)s::bigint[], %(leases)s::integer[], %(statuses)s::text[],
        %(outcomes)s::text[], string_to_array(%(results)s, chr(31), ''),
        string_to_array(%(errors)s, chr(31), ''), string_to_array(%(tracebacks)s, chr(31), ''),
        %(delays)s::double precision[], %(refunds)s::integer[]
    ) AS ended (
        task_id, job_id, lease, status, outcome, result, error, traceback, delay, refund
    )
), finished AS (
    UPDATE tasks_task AS task
    SET status = CASE
            WHEN ended.status = 'PENDING' AND task.cancel_requested THEN 'CANCELLED'
            ELSE ended.status
        END,
        result = ended.result::jsonb,
        error = ended.error::jsonb,
        attempt = task.attempt - ended.refund,
        crashes = task.crashes + CASE ended.outcome WHEN 'crashed' THEN 1 ELSE 0 END,
        worker_id = NULL,
        job_id = CASE
            WHEN ended.status = 'PENDING' AND NOT task.cancel_requested
                THEN nextval('procrastinate_jobs_id_seq')
        END,
        scheduled_at = CASE
            WHEN ended.status = 'PENDING'
                THEN clock_timestamp() + ended.delay * interval '1 second'
            ELSE task.scheduled_at
        END,
        finished_at = CASE
            WHEN ended.status <> 'PENDING' OR task.cancel_requested THEN clock_timestamp()
        END,
        progress = CASE WHEN ended.status = 'COMPLETED' THEN 100 ELSE task.progress END
    FROM ended
    WHERE task.id = ended.task_id
        AND task.lease = ended.lease
        AND task.status = 'PROCESSING'
    RETURNING
        task.id, task.kind, task.queue, task.priority, task.status, task.attempt, task.lease,
        task.job_id, task.scheduled_at, task.started_at, task.error, task.owner_id,
        ended.job_id AS ended_job_id, ended.outcome, ended.traceback, ended.refund
), gone AS (
    DELETE FROM procrastinate_jobs USING finished
    WHERE procrastinate_jobs.id = finished.ended_job_id
), enqueued AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, args, scheduled_at, attempts
    )
    SELECT
        job_id, queue, 'task:' || kind, priority, jsonb_build_object('task_id', id), scheduled_at,
        attempt
    FROM finished
    WHERE job_id IS NOT NULL
), history AS (
    INSERT INTO tasks_attempt (
        task_id, number, lease, worker, started_at, finished_at, outcome, error
    )
    SELECT
        id, attempt + refund, lease, %(worker)s, started_at, clock_timestamp(), outcome,
        error || jsonb_build_object('traceback', traceback::jsonb)
    FROM finished
    WHERE outcome <> 'completed' AND outcome <> 'released'
)
SELECT id, lease, status, attempt, owner_id FROM finished
