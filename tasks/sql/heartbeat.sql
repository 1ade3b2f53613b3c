-- heartbeat: no change of status; renews a lease that no rescue has ended
-- An ended lease stays ended: other workers have its tasks already. No clock decides it, so that
-- setting one forward ends no lease. Also returns the worker's claims, and which of them should stop:
-- a notification of a cancel only makes the next renewal come at once.
WITH renewed AS (
    UPDATE tasks_worker
    SET heartbeat_at = clock_timestamp(),
        state = %(state)s,
        running = %(running)s,
        processed = %(processed)s,
        failed = %(failed)s,
        memory_kib = %(memory_kib)s,
        buffered = %(buffered)s,
        claims = %(claims)s,
        claim_seconds = %(claim_seconds)s
    WHERE id = %(worker)s AND state <> 'lost'
    RETURNING id
), mirrored AS (
    UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp()
    WHERE id IN (SELECT id FROM renewed)
)
SELECT
    EXISTS (SELECT FROM renewed) AS held,
    array_agg(task.id) AS task_ids,
    array_agg(task.lease) AS claim_numbers,
    array_agg(task.cancel_requested) AS to_cancel
FROM (SELECT) AS once
LEFT JOIN tasks_task AS task ON task.status = 'PROCESSING' AND task.worker_id = %(worker)s
