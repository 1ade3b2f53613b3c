-- queue_lanes: no statement of its own; inserted in claim and lanes at `-- queue_lanes`
-- Each lane of each queue that has a due job: one index probe for each, however many jobs it holds.
queue_lane AS (
    (
        SELECT queue_name, attempts > 0 AS tried
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
        ORDER BY queue_name, (attempts > 0)
        LIMIT 1
    )
    UNION ALL
    SELECT next.queue_name, next.tried
    FROM queue_lane
    CROSS JOIN LATERAL (
        SELECT queue_name, attempts > 0 AS tried
        FROM procrastinate_jobs
        WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
            AND (queue_name, attempts > 0) > (queue_lane.queue_name, queue_lane.tried)
        ORDER BY queue_name, (attempts > 0)
        LIMIT 1
    ) AS next
),
