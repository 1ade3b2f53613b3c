-- lanes: no change of status; how many due jobs wait in the primary and the retry lane
-- In each lane of each queue at most `limit` jobs are counted.
WITH RECURSIVE
-- queue_lanes
lane_size AS (
    SELECT queue_lane.tried, counted.jobs
    FROM queue_lane
    CROSS JOIN LATERAL (
        SELECT count(*) AS jobs FROM (
            SELECT FROM procrastinate_jobs
            WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%%'
                AND queue_name = queue_lane.queue_name AND (attempts > 0) = queue_lane.tried
            LIMIT %(limit)s
        ) AS waiting
    ) AS counted
)
SELECT
    coalesce(sum(jobs) FILTER (WHERE NOT tried), 0)::bigint AS fresh,
    coalesce(sum(jobs) FILTER (WHERE tried), 0)::bigint AS tried
FROM lane_size
