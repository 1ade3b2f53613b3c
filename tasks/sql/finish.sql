-- finish: PROCESSING -> COMPLETED | FAILED | CANCELLED, or back to PENDING
-- Ends any number of attempts at once. The fence: only a row that is PROCESSING under the same
-- claim number (`lease`) is written; a lost claim writes nothing, and is not among the rows
-- returned.
-- The same statement deletes the old job, inserts a job for the next attempt, and writes the
-- attempt to the history. A snoozed, interrupted or released attempt is not counted (`refund`), and
-- keeps its job, so that the task keeps its place in the queue; idle workers are notified here,
-- because procrastinate notifies only of new jobs.
-- A task for which a cancel was requested is not started again: it becomes CANCELLED instead.
-- Rows are locked in the order of their ids, as in every statement that locks several, so that they
-- cannot deadlock. They are looked up by their ids: IS NOT DISTINCT FROM keeps the planner from the
-- index of running tasks, which it expects to be empty and would read for each ending.
WITH ended AS (
    SELECT *
    FROM unnest(
        %(task_ids)s::uuid[], %(job_ids)s::bigint[], %(claim_numbers)s::integer[],
        %(statuses)s::text[], %(outcomes)s::text[], string_to_array(%(results)s, chr(31), ''),
        string_to_array(%(errors)s, chr(31), ''), string_to_array(%(tracebacks)s, chr(31), ''),
        %(delays)s::double precision[], %(refunds)s::integer[]
    ) AS ended (
        task_id, job_id, lease, status, outcome, result, error, traceback, delay, refund
    )
), held AS MATERIALIZED (
    SELECT ended.*
    FROM tasks_task AS task
    JOIN ended ON ended.task_id = task.id
    WHERE task.lease = ended.lease
        AND task.status IS NOT DISTINCT FROM 'PROCESSING'
    ORDER BY task.id
    FOR NO KEY UPDATE OF task
), finished AS (
    UPDATE tasks_task AS task
    SET status = CASE
            WHEN held.status = 'PENDING' AND task.cancel_requested THEN 'CANCELLED'
            ELSE held.status
        END,
        result = held.result::jsonb,
        error = held.error::jsonb,
        attempt = task.attempt - held.refund,
        crashes = task.crashes + CASE held.outcome WHEN 'crashed' THEN 1 ELSE 0 END,
        worker_id = NULL,
        job_id = CASE
            WHEN held.status <> 'PENDING' OR task.cancel_requested THEN NULL
            WHEN held.refund > 0 THEN held.job_id
            ELSE nextval('procrastinate_jobs_id_seq')
        END,
        scheduled_at = CASE
            WHEN held.status = 'PENDING'
                THEN clock_timestamp() + held.delay * interval '1 second'
            ELSE task.scheduled_at
        END,
        finished_at = CASE
            WHEN held.status <> 'PENDING' OR task.cancel_requested THEN clock_timestamp()
        END,
        progress = CASE WHEN held.status = 'COMPLETED' THEN 100 ELSE task.progress END
    FROM held
    WHERE task.id = held.task_id
        AND task.lease = held.lease
        AND task.status IS NOT DISTINCT FROM 'PROCESSING'
    RETURNING
        task.id, task.kind, task.queue, task.priority, task.status, task.attempt, task.lease,
        task.job_id, task.scheduled_at, task.started_at, task.error, task.owner_id,
        task.finished_at, task.callback_url,
        held.job_id AS ended_job_id, held.outcome, held.traceback, held.refund
),
-- callbacks
gone AS (
    DELETE FROM procrastinate_jobs USING finished
    WHERE procrastinate_jobs.id = finished.ended_job_id
        AND finished.job_id IS DISTINCT FROM finished.ended_job_id
), enqueued AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, args, scheduled_at, attempts
    )
    SELECT
        job_id, queue, 'task:' || kind, priority, jsonb_build_object('task_id', id), scheduled_at,
        attempt
    FROM finished
    WHERE job_id IS NOT NULL
    ON CONFLICT (id) DO UPDATE
    SET status = 'todo', worker_id = NULL, scheduled_at = excluded.scheduled_at
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
SELECT
    id, lease,
    CASE WHEN job_id = ended_job_id THEN pg_notify('procrastinate_any_queue_v1', '{}')::text END
FROM finished
