-- verify running_without_worker: tasks that run in the name of a worker that is gone
-- Claimed more than `settle` seconds ago, so that two looks this far apart see the same claim; the
-- worker has no row, or has not renewed its lease for as long. A rescue needs less.
WITH part AS (
    -- part
)
SELECT task.id::text
FROM part AS task
LEFT JOIN tasks_worker AS worker ON worker.id = task.worker_id
WHERE task.started_at < %(now)s::timestamptz - %(settle)s * interval '1 second'
    AND (
        worker.id IS NULL
        OR worker.state = 'lost'
        OR worker.heartbeat_at < %(now)s::timestamptz - %(settle)s * interval '1 second'
    )
LIMIT %(most)s
