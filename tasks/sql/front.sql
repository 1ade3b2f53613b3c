-- front: no change of status; the queues and kinds of due tasks that no worker can claim
-- Reads what workers would claim next: at most `limit` jobs at the front of each of `lanes` lanes,
-- and as many due ones that no worker has staged. What is never claimed comes to the front. Returns
-- what has waited for `tolerance` seconds, if no worker that serves its queue and knows its kind has
-- renewed its lease for so long; a queue that is paused is left out. The kinds of a worker of the
-- version before are not known: it counts as one that knows all.
WITH RECURSIVE
-- queue_lanes
job AS MATERIALIZED (
    SELECT front.*
    FROM (SELECT queue_name, tried FROM queue_lane LIMIT %(lanes)s) AS lane
    CROSS JOIN LATERAL (
        SELECT id, args
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
            AND queue_name = lane.queue_name AND (attempts > 0) = lane.tried
        ORDER BY priority DESC, tasks_turn, id
        LIMIT %(limit)s
    ) AS front
    UNION ALL
    (
        SELECT id, args
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at <= statement_timestamp()
            AND task_name LIKE 'task:%%'
        ORDER BY scheduled_at
        LIMIT %(limit)s
    )
), waiting AS MATERIALIZED (
    -- Through arrays, which the planner expects to be short: it looks the tasks up by their ids.
    SELECT task.queue, task.kind
    FROM (
        SELECT array_agg(id) AS job_ids, array_agg((args ->> 'task_id')::uuid) AS task_ids FROM job
    ) AS arrays
    CROSS JOIN LATERAL unnest(job_ids, task_ids) AS front (job_id, task_id)
    JOIN tasks_task AS task ON task.id = front.task_id AND task.job_id = front.job_id
    WHERE task.status IS NOT DISTINCT FROM 'PENDING'
        AND greatest(task.created_at, task.scheduled_at, task.started_at)
            < statement_timestamp() - %(tolerance)s * interval '1 second'
        AND task.queue <> ALL (ARRAY(SELECT name FROM tasks_queue WHERE paused))
    GROUP BY task.queue, task.kind
), present AS MATERIALIZED (
    SELECT DISTINCT queues, kinds
    FROM (
        SELECT queues, kinds, heartbeat_at FROM tasks_worker
        UNION ALL
        SELECT queues, kinds, heartbeat_at FROM tasks_endedworker
    ) AS worker
    WHERE heartbeat_at > statement_timestamp() - %(tolerance)s * interval '1 second'
), serving AS (
    SELECT
        waiting.queue, waiting.kind, present.queues IS NOT NULL AS is_present,
        present.kinds IS NULL OR waiting.kind = ANY (present.kinds) AS knows_kind
    FROM waiting
    LEFT JOIN present ON present.queues = '{}' OR waiting.queue = ANY (present.queues)
)
SELECT queue, kind, bool_or(is_present) AS has_worker
FROM serving
GROUP BY queue, kind
HAVING NOT bool_or(is_present AND knows_kind)
ORDER BY queue, kind
