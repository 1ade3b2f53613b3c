-- deregister: deletes the row of a worker process; the rescuer finds what it may still hold
-- What it served is kept for some minutes: until its successor has started, health does not report
-- that nothing serves its queues (`front.sql`).
WITH deregistered AS (
    DELETE FROM procrastinate_workers WHERE id = ANY (%(workers)s::bigint[])
), ended AS (
    DELETE FROM tasks_worker WHERE id = ANY (%(workers)s::bigint[])
    RETURNING id, queues, kinds, heartbeat_at
), outdated AS (
    DELETE FROM tasks_endedworker WHERE id = ANY (ARRAY(
        SELECT id FROM tasks_endedworker
        WHERE heartbeat_at < statement_timestamp() - interval '10 minutes'
        FOR UPDATE SKIP LOCKED
    ))
)
INSERT INTO tasks_endedworker (id, queues, kinds, heartbeat_at)
SELECT id, queues, kinds, heartbeat_at FROM ended
