-- heartbeat: no change of status; renews a lease that no rescue has ended
-- An ended lease stays ended: other workers have its tasks already. No clock decides it, so that
-- setting one forward ends no lease. Also returns which of the worker's running tasks should stop,
-- in case the notification was lost.
WITH renewed AS (
    UPDATE tasks_worker
    SET heartbeat_at = clock_timestamp(),
        state = %(state)s,
        running = %(running)s,
        processed = %(processed)s,
        failed = %(failed)s,
        memory_kib = %(memory_kib)s
    WHERE id = %(worker)s AND state <> 'lost'
    RETURNING id
), mirrored AS (
    UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp()
    WHERE id IN (SELECT id FROM renewed)
)
SELECT
    EXISTS (SELECT FROM renewed) AS held,
    ARRAY(
        SELECT id FROM tasks_task
        WHERE status = 'PROCESSING' AND worker_id = %(worker)s AND cancel_requested
    ) AS to_cancel
