-- rescue: PROCESSING -> PENDING; FAILED when it was lost too often, CANCELLED when requested
-- For tasks of a worker that is gone or has a lease that ended. A lease has ended when it was not
-- renewed for its length by the database's clock. When that clock was just set (not
-- `clock_is_steady`), or a renewal lies in its future, a lease ends only if the caller has also
-- seen a renewal missed (`missed_renewal`) by its own monotonic clock. A renewal that is being
-- written wins.
-- The attempt is not counted, because it is unknown whether this task, another one or the machine
-- ended the worker. The loss is counted, and the next attempt runs in a process of its own, where a
-- death is certain to be caused by this task. The task gets the job back that the claim deleted, in
-- front of those that wait. Rows that another transaction has locked are left for the next round, so
-- that a rescue never waits for a lock.
WITH dead AS MATERIALIZED (
    SELECT id, name
    FROM tasks_worker
    WHERE CASE
        WHEN heartbeat_at <= clock_timestamp() - %(lease)s * interval '1 second'
            THEN %(clock_is_steady)s OR id = ANY (%(missed_renewal)s::bigint[])
        -- Renewed in the future: the clock was set back.
        WHEN heartbeat_at > clock_timestamp() + interval '1 second'
            THEN id = ANY (%(missed_renewal)s::bigint[])
    END
    ORDER BY id
    FOR NO KEY UPDATE SKIP LOCKED
), ended AS (
    UPDATE tasks_worker SET state = 'lost' FROM dead
    WHERE tasks_worker.id = dead.id AND tasks_worker.state <> 'lost'
    RETURNING tasks_worker.id
), lost AS MATERIALIZED (
    SELECT
        task.id, task.job_id, dead.name AS worker,
        CASE
            WHEN task.cancel_requested THEN 'CANCELLED'
            WHEN task.losses + 1 >= %(max_losses)s THEN 'FAILED'
            ELSE 'PENDING'
        END AS fate
    FROM tasks_task AS task
    LEFT JOIN dead ON dead.id = task.worker_id
    WHERE task.status = 'PROCESSING'
        AND (
            dead.id IS NOT NULL
            OR NOT EXISTS (SELECT FROM tasks_worker WHERE tasks_worker.id = task.worker_id)
        )
    ORDER BY task.id
    LIMIT %(limit)s
    FOR UPDATE OF task SKIP LOCKED
), rescued AS (
    UPDATE tasks_task AS task
    SET status = lost.fate,
        attempt = task.attempt - 1,
        losses = task.losses + 1,
        error = jsonb_build_object(
            'type', 'WorkerLost',
            'title', 'The worker was lost',
            'detail', 'The worker ' || coalesce(lost.worker || ' ', '')
                || 'stopped renewing its lease while it held this task.'
        ),
        worker_id = NULL,
        job_id = CASE lost.fate WHEN 'PENDING' THEN task.job_id END,
        scheduled_at = NULL,
        finished_at = CASE WHEN lost.fate <> 'PENDING' THEN clock_timestamp() END
    FROM lost
    WHERE task.id = lost.id
    RETURNING
        task.id, task.kind, task.queue, task.priority, task.status, task.attempt, task.lease,
        task.job_id, task.started_at, task.error, task.owner_id, task.finished_at,
        task.callback_url, task.request_id, task.traceparent, task.limit_keys IS NOT NULL AS is_limited,
        coalesce(lost.worker, '') AS worker
),
-- callbacks
turns AS MATERIALIZED (
    SELECT queue, priority, tasks_first_turn(queue, priority) AS first
    FROM (
        SELECT DISTINCT queue, priority FROM rescued WHERE job_id IS NOT NULL AND attempt = 0
    ) AS queues
), enqueued AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, args, scheduled_at, attempts, tasks_line, tasks_owner,
        tasks_turn
    )
    SELECT
        job_id, queue, 'task:' || kind, priority, jsonb_build_object('task_id', id),
        CASE WHEN is_limited THEN clock_timestamp() END, attempt, CASE WHEN is_limited THEN 0 END,
        tasks_job_owner(id), CASE attempt WHEN 0 THEN turns.first ELSE 0 END
    FROM rescued
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
    SELECT id, attempt + 1, lease, worker, started_at, clock_timestamp(), 'lost', error
    FROM rescued
)
SELECT rescued.id, kind, queue, attempt + 1, status, leases_lost
FROM (SELECT count(*) AS leases_lost FROM ended) AS leases
LEFT JOIN rescued ON true
