-- finish: PROCESSING -> COMPLETED | FAILED | CANCELLED, or back to PENDING
-- Ends any number of attempts at once. The fence: only a row that is PROCESSING under the same
-- claim number (`lease`) is written; a lost claim writes nothing, and is not among the rows
-- returned.
-- The same statement inserts a job for the next attempt, and writes the attempt to the history. A
-- snoozed, interrupted or released attempt is not counted (`refund`), and the task gets the job back
-- that the claim deleted, in front of those that wait (`tasks_first_turn`): it had its turn.
-- A task for which a cancel was requested is not started again: it becomes CANCELLED instead.
-- Rows are updated in the order of their ids, as in every statement that locks several, so that they
-- do not deadlock; locking them first would cost as much again. They are looked up by their ids: IS
-- NOT DISTINCT FROM keeps the planner from the index of running tasks, which it expects to be empty
-- and would read for each ending; and `= ANY (ARRAY[…])`, which is looked up like `=`, from reading
-- every task in the order of the ids.
WITH ended AS (
    SELECT *
    FROM unnest(
        %(task_ids)s::uuid[], %(claim_numbers)s::integer[],
        %(statuses)s::text[], %(outcomes)s::text[], string_to_array(%(results)s, chr(31), ''),
        string_to_array(%(errors)s, chr(31), ''), string_to_array(%(tracebacks)s, chr(31), ''),
        %(delays)s::double precision[], %(refunds)s::integer[]
    ) AS ended (
        task_id, lease, status, outcome, result, error, traceback, delay, refund
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
            WHEN ended.status <> 'PENDING' OR task.cancel_requested THEN NULL
            WHEN ended.refund > 0 THEN task.job_id
            ELSE nextval('procrastinate_jobs_id_seq')
        END,
        scheduled_at = CASE
            WHEN ended.status <> 'PENDING' THEN task.scheduled_at
            WHEN ended.delay > 0 THEN clock_timestamp() + ended.delay * interval '1 second'
        END,
        finished_at = CASE
            WHEN ended.status <> 'PENDING' OR task.cancel_requested THEN clock_timestamp()
        END,
        progress = CASE WHEN ended.status = 'COMPLETED' THEN 100 ELSE task.progress END
    FROM (SELECT * FROM ended ORDER BY task_id) AS ended
    WHERE task.id = ANY (ARRAY[ended.task_id])
        AND task.lease = ended.lease
        AND task.status IS NOT DISTINCT FROM 'PROCESSING'
    RETURNING
        task.id, task.kind, task.queue, task.priority, task.status, task.attempt, task.lease,
        task.job_id, task.scheduled_at, task.started_at, task.error, task.owner_id,
        task.finished_at, task.callback_url, task.request_id, task.traceparent,
        task.limit_keys IS NOT NULL AS is_limited, ended.outcome, ended.traceback, ended.refund
),
-- callbacks
turns AS MATERIALIZED (
    SELECT queue, priority, tasks_first_turn(queue, priority) AS first
    FROM (
        SELECT DISTINCT queue, priority FROM finished WHERE job_id IS NOT NULL AND attempt = 0
    ) AS queues
), enqueued AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, args, scheduled_at, attempts, tasks_line, tasks_owner,
        tasks_turn
    )
    SELECT
        job_id, queue, 'task:' || kind, priority, jsonb_build_object('task_id', id),
        CASE WHEN is_limited THEN coalesce(scheduled_at, clock_timestamp()) ELSE scheduled_at END,
        attempt, CASE WHEN is_limited THEN 0 END, tasks_job_owner(id), CASE attempt WHEN 0 THEN turns.first ELSE 0 END
    FROM finished
    LEFT JOIN turns USING (queue, priority)
    WHERE job_id IS NOT NULL
    -- A claim by the version before left the job as it was.
    ON CONFLICT (id) DO UPDATE
    SET status = 'todo', worker_id = NULL, scheduled_at = excluded.scheduled_at,
        tasks_line = excluded.tasks_line
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
SELECT id, lease FROM finished
