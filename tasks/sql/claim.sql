-- claim: PENDING -> PROCESSING
-- Takes up to `limit` due jobs (those not scheduled, or staged by now: `stage.sql`), and with them
-- their tasks. Guards: the worker has not lost its lease, no other transaction has locked the job
-- (SKIP LOCKED), its kind is registered in this worker (jobs of other kinds stay), its queue is not
-- paused, the task still names this job, and it has not expired before its first claim (those are
-- cancelled by `expire.sql`).
-- The job is deleted: while the task is PROCESSING, its own row says all that is known of the claim,
-- and a statement that queues the task again (`finish.sql`, `rescue.sql`) inserts its job again. A
-- job that its task no longer names is a duplicate or left over: it is deleted too, and nothing runs.
-- Highest priority first; at equal priority the queues alternate, and in a queue the owners, by
-- their turns (`submit.sql`). `low_share` of a full claim goes to jobs below the highest priority,
-- so that very many jobs of that priority cannot starve the others. Of a full claim the retry lane
-- (jobs that were attempted before) gets `retry_share` and what the primary lane leaves, so that
-- many retries cannot starve new work, nor new work the retries.
-- Each lane of each queue (`queue_lane`) is read through its own range of one index: a queue that
-- is paused, or not one of this worker's, may hold a million jobs and costs nothing.
-- Tasks are updated in the order of their ids, as in every statement that locks several, so that
-- they do not deadlock; locking them first would cost as much again. `= ANY (ARRAY[…])` is looked up
-- like `=`, but cannot make the planner read every task in that order. Attempts are counted here, so
-- that a task that kills its process cannot do so without limit.
WITH RECURSIVE
-- queue_lanes
open AS MATERIALIZED (
    SELECT queue_name, tried
    FROM queue_lane
    WHERE (%(queues)s::text[] IS NULL OR queue_name = ANY (%(queues)s::text[]))
        AND queue_name <> ALL (ARRAY(SELECT name FROM tasks_queue WHERE paused))
        AND EXISTS (SELECT FROM tasks_worker WHERE id = %(worker)s AND state <> 'lost')
), first AS MATERIALIZED (
    SELECT open.queue_name, open.tried, job.*
    FROM open
    CROSS JOIN LATERAL (
        SELECT id, priority, tasks_turn AS turn, args
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
            AND queue_name = open.queue_name AND (attempts > 0) = open.tried
            AND task_name = ANY (%(task_names)s::text[])
        ORDER BY priority DESC, tasks_turn, id
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ) AS job
), below AS MATERIALIZED (
    SELECT top.queue_name, top.tried, job.*
    FROM (
        SELECT queue_name, tried, max(priority) AS priority FROM first GROUP BY queue_name, tried
    ) AS top
    CROSS JOIN LATERAL (
        SELECT id, priority, tasks_turn AS turn, args
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
            AND queue_name = top.queue_name AND (attempts > 0) = top.tried
            AND task_name = ANY (%(task_names)s::text[])
            AND procrastinate_jobs.priority < top.priority
        ORDER BY priority DESC, tasks_turn, id
        LIMIT %(low_share)s
        FOR UPDATE SKIP LOCKED
    ) AS job
), placed AS (
    SELECT
        id, tried, priority, args,
        priority < max(priority) OVER (PARTITION BY tried) AS is_low,
        row_number() OVER (
            PARTITION BY queue_name, tried, priority ORDER BY turn, id
        ) AS place
    FROM (SELECT * FROM first UNION SELECT * FROM below) AS job
), ranked AS MATERIALIZED (
    SELECT
        id, tried, priority, place, args,
        is_low AND row_number() OVER (PARTITION BY tried, is_low ORDER BY place, id)
            <= %(low_share)s AS is_kept
    FROM placed
), tried AS (
    SELECT *
    FROM ranked
    WHERE tried
    ORDER BY is_kept DESC, priority DESC, place, id
    LIMIT greatest(
        %(retry_share)s, %(limit)s - (SELECT count(*) FROM ranked WHERE NOT tried)
    )
), candidate AS MATERIALIZED (
    SELECT * FROM tried
    UNION ALL
    (
        SELECT *
        FROM ranked
        WHERE NOT tried
        ORDER BY is_kept DESC, priority DESC, place, id
        LIMIT %(limit)s - (SELECT count(*) FROM tried)
    )
), chosen AS (
    -- Through arrays, which the planner expects to be short, so that it looks the tasks up by their
    -- ids. Otherwise it may expect thousands of candidates and read all tasks. IS NOT DISTINCT FROM
    -- keeps it from expecting that few tasks are PENDING and reading all of those.
    SELECT chosen.*
    FROM (
        SELECT
            array_agg(id ORDER BY is_kept DESC, priority DESC, place, id) AS ids,
            array_agg(
                (args ->> 'task_id')::uuid ORDER BY is_kept DESC, priority DESC, place, id
            ) AS task_ids
        FROM candidate
    ) AS arrays
    CROSS JOIN LATERAL unnest(ids, task_ids) WITH ORDINALITY AS chosen (id, task_id, rank)
), claimed AS (
    UPDATE tasks_task AS task
    SET status = 'PROCESSING',
        attempt = task.attempt + 1,
        lease = task.lease + 1,
        worker_id = %(worker)s,
        started_at = clock_timestamp(),
        progress = 0,
        progress_message = ''
    FROM (SELECT * FROM chosen ORDER BY task_id) AS chosen
    WHERE task.id = ANY (ARRAY[chosen.task_id])
        AND task.job_id = chosen.id
        AND task.status IS NOT DISTINCT FROM 'PENDING'
        AND (task.lease > 0 OR task.expires_at > now()) IS NOT FALSE
    RETURNING
        task.id, task.job_id, task.kind, task.queue, task.owner_id, task.input,
        task.attempt, task.max_attempts, task.lease, task.losses + task.crashes AS deaths,
        date_part('epoch', task.started_at - coalesce(task.scheduled_at, task.created_at)) AS waited,
        task.request_id, task.traceparent,
        chosen.rank
), taken AS (
    DELETE FROM procrastinate_jobs WHERE id = ANY (ARRAY(SELECT id FROM candidate))
)
SELECT
    id, job_id, kind, queue, owner_id, input, attempt, max_attempts, lease, deaths, waited,
    request_id, traceparent
FROM claimed
ORDER BY rank
