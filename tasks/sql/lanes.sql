-- lanes: no arrow; how many due jobs wait in the primary and in the retry lane, each queue up to `limit`
WITH RECURSIVE flow AS (
    (
        SELECT queue_name, attempts > 0 AS tried
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
        ORDER BY queue_name, (attempts > 0)
        LIMIT 1
    )
    UNION ALL
    SELECT next.queue_name, next.tried
    FROM flow
    CROSS JOIN LATERAL (
        SELECT queue_name, attempts > 0 AS tried
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
            AND (queue_name, attempts > 0) > (flow.queue_name, flow.tried)
        ORDER BY queue_name, (attempts > 0)
        LIMIT 1
    ) AS next
)
SELECT
    coalesce(sum(held.jobs) FILTER (WHERE NOT flow.tried), 0)::bigint AS fresh,
    coalesce(sum(held.jobs) FILTER (WHERE flow.tried), 0)::bigint AS tried
FROM flow
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs FROM (
        SELECT FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
            AND queue_name = flow.queue_name AND (attempts > 0) = flow.tried
        LIMIT %(limit)s
    ) AS counted
) AS held
