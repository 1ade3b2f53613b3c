-- heartbeat: renews a lease that has not ended, by the database's clock
-- An ended lease stays ended: others may have its tasks already. Also tells which of the worker's
-- running tasks should stop, for the case that the notification was lost.
WITH renewed AS (
    UPDATE tasks_worker
    SET heartbeat_at = clock_timestamp(),
        state = %(state)s,
        running = %(running)s,
        processed = %(processed)s,
        failed = %(failed)s
    WHERE id = %(worker)s
        AND heartbeat_at > clock_timestamp() - %(lease)s * interval '1 second'
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
